"""Times the input pipeline by stage, in clips and frames a second, and says what limits it.

    python benchmarks/benchmark_input.py --input 'data/ava/train-*.tfrecord'
    python benchmarks/benchmark_input.py --num_clips 12      # records of noise, 400 x 533

Each stage does what the ones before it do, too. "bare JPEG decoding" decodes the same frames with
`tf.io.decode_jpeg` (libjpeg-turbo) on all threads and does nothing else: the floor. "at half size"
lets libjpeg leave out the high frequencies (`ratio=2`), which is possible only where frames are
shown at half their stored size or less, and gives slightly other pixels: the pipeline does not.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence

from measuring.models import add_timing_flags
from measuring.settings import settings

from avatx import cli


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", nargs="+", help="TFRecords; default: some of noise are made")
    parser.add_argument(
        "--stored", type=int, nargs=2, default=(400, 533), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument("--num_classes", type=int, default=80)
    parser.add_argument("--num_frames", type=int, default=64)
    parser.add_argument("--frame_rate", type=float, default=25.0)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(400, 400), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument("--batch_size", type=int, default=3)
    parser.add_argument("--num_clips", type=int, default=30, help="a repeat; default %(default)s")
    parser.add_argument("--shuffle_buffer_size", type=int, default=16)
    add_timing_flags(parser, repeats=3)
    flags = parser.parse_args(argv)

    cli.import_tensorflow()
    from measuring import machine, memory
    from measuring.report import publish
    from measuring.timing import take_turns

    from avatx.data.records.input_errors import explained

    with tempfile.TemporaryDirectory() as directory:
        paths = flags.input
        if not paths:
            from measuring.records import write_records

            paths = [f"{directory}/noise.tfrecord"]
            height, width = flags.stored
            write_records(paths[0], 2, 6, height, width, flags.num_frames)
        with explained(paths):
            steps = {
                name: _taker(dataset, -(-flags.num_clips // clips))
                for name, (dataset, clips) in _stages(flags, paths).items()
            }
            memory.reset_peaks()
            timings = take_turns(steps, flags.warm_up, flags.repeats)
    cores = machine.describe()["usable_cores"]
    frames = flags.num_clips * flags.num_frames
    rows = [
        {
            "stage": name,
            "clips_a_second": flags.num_clips / timing.median,
            "frames_a_second": frames / timing.median,
            "core_ms_a_frame": timing.median * cores / frames * 1e3,
            **timing.as_dict(),
        }
        for name, timing in timings.items()
    ]
    last = rows[-1]["clips_a_second"]
    notes = [
        f"peak memory {memory.peaks()}",
        f"16 such cores would feed {last / cores * 16:.0f} clips/s, were they as busy as these and "
        "did it grow with the cores (computed, not measured)",
    ]
    publish("benchmark_input", settings(flags), rows, flags.json, notes)
    return 0


def _stages(flags, paths) -> dict:
    """Endless datasets by name, each with the clips of an element."""
    import tensorflow as tf

    from avatx.builders import preprocessor_builder
    from avatx.builders.options import options_from
    from avatx.data.input.clip_shape import ClipShape
    from avatx.data.input.input_options import InputOptions
    from avatx.data.input.input_pipeline import build_dataset
    from avatx.data.input.keyframe_source import KeyframeSource
    from avatx.protos import input_reader_pb2, preprocessor_pb2

    options = options_from(
        input_reader_pb2.InputReader(shuffle_buffer_size=flags.shuffle_buffer_size),
        InputOptions,
        input_paths=tuple(paths),
        num_classes=flags.num_classes,
        max_boxes=100,
        seed=0,
    )
    clip_shape = ClipShape(flags.num_frames, flags.frame_rate, *flags.size)
    source = KeyframeSource(options, clip_shape)
    messages = [
        preprocessor_pb2.PreprocessingStep(random_horizontal_flip={}),
        preprocessor_pb2.PreprocessingStep(random_crop_image={}),
    ]
    augmentations = tuple(map(preprocessor_builder.build, messages))
    encoded = source.of_epoch(tf.constant(0, tf.int64)).repeat()
    frames = encoded.flat_map(lambda one: tf.data.Dataset.from_tensor_slices(one.frames))

    def decoded(ratio: int):
        pictures = frames.map(
            lambda one: tf.io.decode_jpeg(one, channels=3, ratio=ratio)[0, 0],
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return pictures.batch(flags.num_frames).prefetch(2)

    def whole(steps):
        return build_dataset(source, flags.batch_size, training=True, augmentations=steps)

    return {
        "read, parse and shuffle": (encoded, 1),
        "bare JPEG decoding": (decoded(1), 1),
        "bare JPEG decoding at half size": (decoded(2), 1),
        "whole: decode, resize, batch": (whole(()), flags.batch_size),
        "whole, with flips and crops": (whole(augmentations), flags.batch_size),
    }


def _taker(dataset, elements: int):
    """A step that takes so many elements; its iterator's threads end with it."""

    def step() -> float:
        iterator = iter(dataset)
        next(iterator)  # fills the shuffle buffer
        start = time.perf_counter()
        for _ in range(elements):
            next(iterator)
        return time.perf_counter() - start

    return step


if __name__ == "__main__":
    cli.run(main)
