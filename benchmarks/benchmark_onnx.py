"""Times one export in TensorFlow and in ONNX Runtime, one call of each in turn, and compares them.

    python benchmarks/benchmark_onnx.py --saved_model EXPORT --onnx ONNX_EXPORT/model.onnx \
        --video film.mp4 --calls 20
"""

import argparse
import statistics
import time

import numpy as np

from avatx import cli


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saved_model", required=True)
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--video", required=True, help="its clips are the input, in turn")
    parser.add_argument("--calls", type=int, default=20, help="of each (default %(default)s)")
    arguments = parser.parse_args(argv)
    cli.import_tensorflow()
    import onnxruntime
    import tensorflow as tf

    from avatx.data.video.frame_encoding import stored_size
    from avatx.data.video.keyframe_clips import keyframe_clips
    from avatx.data.video.video_reader import VideoReader
    from avatx.inference.detector import Detector
    from avatx.inference.keyframe_detection import settings_for

    detector = Detector(arguments.saved_model)
    run = tf.saved_model.load(detector.path)
    session = onnxruntime.InferenceSession(arguments.onnx, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    settings = settings_for(detector, None)
    with VideoReader(arguments.video, frame_settings=settings) as reader:
        frames = reader.frames(size=stored_size(reader.size, settings.shorter_side))
        clips = [
            clip.frames[np.newaxis]
            for _, clip in zip(
                range(4),
                keyframe_clips(frames, 1.0, detector.num_frames, detector.frame_rate),
                strict=False,
            )
        ]

    def by_tensorflow(clip):
        outputs = run.signatures["serving_default"](clips=tf.constant(clip))
        return {name: value.numpy() for name, value in outputs.items()}

    def by_onnx(clip):
        return dict(zip(names, session.run(None, {"clips": clip}), strict=True))

    largest: dict[str, float] = {}
    for clip in clips:  # the first calls of each, not timed
        expected, outputs = by_tensorflow(clip), by_onnx(clip)
        for name in names:
            difference = np.abs(outputs[name].astype(float) - expected[name].astype(float)).max()
            largest[name] = max(largest.get(name, 0.0), float(difference))
    for name, difference in largest.items():
        print(f"{name}: largest difference {difference:.1e}")
    seconds: dict[str, list[float]] = {"TensorFlow": [], "ONNX Runtime": []}
    for call in range(arguments.calls):
        clip = clips[call % len(clips)]
        for name, function in (("TensorFlow", by_tensorflow), ("ONNX Runtime", by_onnx)):
            start = time.perf_counter()
            function(clip)
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        print(
            f"{name}: fastest {min(times):.3f} s, median {statistics.median(times):.3f} s a clip "
            f"of {list(clips[0].shape[1:])}"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)
