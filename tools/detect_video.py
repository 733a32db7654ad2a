"""Detects actions in a video with an exported model: csv, JSON, annotated mp4 and pictures.

python tools/detect_video.py --saved_model EXPORT/saved_model --video film.mp4 --output OUT
"""

import argparse
import sys

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings, overridden


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
    add_frame_flags(
        parser,
        ("shorter_side", "folder_frame_rate", "max_frame_rate", "optical_flow"),
        default="as the model was trained",
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


@cli.arguments_are_flags("attention", "optical_flow")
def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    given = given_settings(arguments)
    cli.import_tensorflow()
    from avatx.data.video.frame_settings import for_model
    from avatx.inference.video_detection import check_arguments, detect_video

    with cli.arguments_are_flags("score_threshold", "every", "batch_size"):
        check_arguments(arguments.score_threshold, arguments.every, arguments.batch_size)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from avatx.inference.detector import Detector

    detector = Detector(arguments.saved_model)
    with cli.arguments_are_flags("optical_flow"):
        settings = for_model(detector.frame_settings, detector.has_flow, given)
    for line in overridden(given, detector.frame_settings):
        print(line, file=sys.stderr)
    notes: list[str] = []
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
            frame_settings=settings,
            batch_size=arguments.batch_size,
            groundtruth=arguments.groundtruth,
            attention=arguments.attention,
            log=notes.append,
            progress=lambda seconds, total: bar.update(task, completed=seconds, total=total),
        )
        bar.update(task, completed=bar.tasks[task].total)
    if summary.stopped:
        print(f"warning: {arguments.video}: stopped early: {summary.stopped}", file=sys.stderr)
    for note in notes:
        print(f"note: {arguments.video}: {note}", file=sys.stderr)
    print(
        f"{summary.num_detections} detections at {summary.num_keyframes} keyframes; wrote "
        f"{', '.join(summary.files)} in {arguments.output}"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
