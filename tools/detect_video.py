"""Detects actions in a video with an exported model: csv, JSON, annotated mp4 and pictures.

python tools/detect_video.py --saved_model EXPORT/saved_model --video film.mp4 --output OUT
"""

import argparse
import signal
import sys

from avatx import cli


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saved_model", required=True, help="what tools/exporter_main.py wrote")
    parser.add_argument(
        "--video",
        required=True,
        help="video file, folder of numbered frames, camera (/dev/video0) or URL",
    )
    parser.add_argument("--output", required=True, help="folder for the results")
    parser.add_argument(
        "--score_threshold",
        type=float,
        default=0.3,
        help="leave out lower scores; 0 for an evaluation (default %(default)s)",
    )
    parser.add_argument(
        "--every", type=float, default=1.0, help="seconds between keyframes (default %(default)s)"
    )
    parser.add_argument(
        "--frames_rate",
        type=float,
        default=30.0,
        help="frames a second of a folder of frames (default %(default)s)",
    )
    parser.add_argument(
        "--shorter_side",
        type=int,
        default=400,
        help="shrink the model's frames to this, as create_ava_tfrecord.py did for "
        "training; 0 leaves them (default %(default)s)",
    )
    parser.add_argument(
        "--max_frame_rate",
        type=float,
        default=0.0,
        help="thin faster videos to this many frames a second, as "
        "create_ava_tfrecord.py did for training (default: keep all)",
    )
    parser.add_argument(
        "--optical_flow",
        default="dis",
        metavar="METHOD",
        help="dis or farneback, as for training; only a model with a flow stream "
        "looks at it (default %(default)s)",
    )
    parser.add_argument(
        "--batch_size", type=int, default=1, help="clips a call of the model (default %(default)s)"
    )
    parser.add_argument("--groundtruth", help="AVA csv to show beside the detections")
    parser.add_argument(
        "--attention",
        action="store_true",
        help="also write attention.jpg (needs an export with --attention)",
    )
    return parser.parse_args(argv)


def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    # `kill` cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli.import_tensorflow()
    from avatx.inference.video_detection import check_options, detect_video

    check_options(
        arguments.score_threshold,
        arguments.every,
        arguments.frames_rate,
        arguments.shorter_side,
        arguments.batch_size,
        arguments.optical_flow,
        arguments.max_frame_rate,
    )
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from avatx.inference.detector import Detector

    detector = Detector(arguments.saved_model)
    with Progress(
        TextColumn("detecting"),
        BarColumn(),
        TextColumn("{task.completed:.1f} s of video"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("detecting", total=None)
        summary = detect_video(
            detector,
            arguments.video,
            arguments.output,
            score_threshold=arguments.score_threshold,
            every=arguments.every,
            frames_rate=arguments.frames_rate,
            shorter_side=arguments.shorter_side,
            batch_size=arguments.batch_size,
            optical_flow=arguments.optical_flow,
            max_frame_rate=arguments.max_frame_rate,
            groundtruth=arguments.groundtruth,
            attention=arguments.attention,
            progress=lambda seconds, total: bar.update(task, completed=seconds, total=total),
        )
        bar.update(task, completed=bar.tasks[task].total)
    if summary.stopped:
        print(f"warning: {arguments.video}: stopped early: {summary.stopped}", file=sys.stderr)
    print(
        f"{summary.num_detections} detections at {summary.num_keyframes} keyframes; wrote "
        f"{', '.join(summary.files)} in {arguments.output}"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
