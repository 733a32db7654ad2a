"""How many clips a second the input pipeline gives from a set of records, and where time goes."""

import argparse
import resource
import time
from collections.abc import Sequence

from avatx import cli


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, nargs="+", help="file patterns of TFRecords")
    parser.add_argument("--num_classes", type=int, default=80)
    parser.add_argument("--num_frames", type=int, default=64)
    parser.add_argument("--frame_rate", type=float, default=25.0)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(400, 400), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument("--batch_size", type=int, default=3)
    parser.add_argument("--num_clips", type=int, default=60)
    parser.add_argument("--shuffle_buffer_size", type=int, default=256)
    parser.add_argument("--augment", action="store_true", help="random flips and crops")
    arguments = parser.parse_args(argv)

    cli.import_tensorflow()
    import tensorflow as tf

    from avatx.builders import preprocessor_builder
    from avatx.builders.options import options_from
    from avatx.data.input.clip_shape import ClipShape
    from avatx.data.input.input_options import InputOptions
    from avatx.data.input.input_pipeline import build_dataset
    from avatx.data.input.keyframe_source import KeyframeSource
    from avatx.data.records.input_errors import explained
    from avatx.protos import input_reader_pb2, preprocessor_pb2

    options = options_from(
        input_reader_pb2.InputReader(shuffle_buffer_size=arguments.shuffle_buffer_size),
        InputOptions,
        input_paths=tuple(arguments.input),
        num_classes=arguments.num_classes,
        max_boxes=100,
        seed=0,
    )
    clip_shape = ClipShape(arguments.num_frames, arguments.frame_rate, *arguments.size)
    steps = [
        preprocessor_pb2.PreprocessingStep(random_horizontal_flip={}),
        preprocessor_pb2.PreprocessingStep(random_crop_image={}),
    ]
    augmentations = tuple(map(preprocessor_builder.build, steps)) if arguments.augment else ()

    with explained(arguments.input):
        source = KeyframeSource(options, clip_shape)
        encoded = source.of_epoch(tf.constant(0, tf.int64)).repeat()
        measure(
            "read and shuffle, no decoding", encoded, arguments.num_clips, 1, arguments.num_frames
        )
        batches = build_dataset(
            source, arguments.batch_size, training=True, augmentations=augmentations
        )
        measure(
            "whole pipeline",
            batches,
            -(-arguments.num_clips // arguments.batch_size),
            arguments.batch_size,
            arguments.num_frames,
        )
    return 0


def measure(name: str, dataset, num_elements: int, clips_each: int, num_frames: int) -> None:
    """Prints the rate after a first element, which pays for filling the shuffle buffer."""
    start = time.perf_counter()
    iterator = iter(dataset)
    next(iterator)
    first = time.perf_counter()
    for _ in range(num_elements):
        next(iterator)
    rate = num_elements * clips_each / (time.perf_counter() - first)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux
    print(
        f"{name}: {rate:.1f} clips/s, {rate * num_frames:.0f} frames/s, "
        f"first after {first - start:.1f} s, peak memory so far {peak:.0f} MB"
    )


if __name__ == "__main__":
    cli.run(main)
