r"""A page to look through a result: video, timeline, attention. Opens in a browser, from the disk.

    python tools/explore.py --detections OUT --output PAGE

of what tools/detect_video.py wrote, or, detecting first (into PAGE-detections):

    python tools/explore.py --saved_model EXPORT --video film.mp4 --output PAGE
"""

import argparse
import os

from avatx import cli, outputs
from avatx.inference.boxes_flags import add_boxes_flags, given_boxes

_ARGUMENTS = ("detections", "output", "saved_model", "video", "video_format", "boxes")


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(__doc__, older={"--groundtruth": "--annotations"})
    add = parser.add_argument
    add("--detections", metavar="DIR", help="what tools/detect_video.py wrote")
    add(
        "--saved_model",
        metavar="DIR",
        help="the export; with --detections by default the one they were made with, for attention",
    )
    add("--video", help="with --detections by default the one they are of")
    add("--output", required=True, metavar="DIR", help="folder for the page")
    add("--annotations", metavar="FILE", help="AVA csv to lay over the detections")
    add_boxes_flags(parser, "; with --detections by default the file they were made with")
    add(
        "--no_attention",
        action="store_true",
        help="leave attention out: smaller, and with --detections the model is not run again",
    )
    add(
        "--score_threshold",
        type=float,
        help="without --detections: leave out lower scores (default 0.1; the page has a slider)",
    )
    add(
        "--every",
        type=float,
        help="without --detections: seconds between keyframes (default 1)",
    )
    add(
        "--video_format",
        choices=("mp4", "webm"),
        default="mp4",
        help="of the video's copy: H.264, or VP8 for a Chromium that was built without H.264 "
        "(default %(default)s)",
    )
    parser.add_json()
    arguments = parser.parse_args(argv)
    if not arguments.detections and not (arguments.saved_model and arguments.video):
        parser.error("give --detections, or --saved_model and --video")
    for name, default in (("score_threshold", 0.1), ("every", 1.0)):
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif arguments.detections:
            parser.error(f"--{name} is of a detection, and --detections has been detected already")
    if arguments.detections and arguments.no_attention:
        for name in ("saved_model", "boxes"):
            if getattr(arguments, name):
                parser.error(f"--{name} is for attention: leave it or --no_attention out")
    return arguments


@cli.arguments_are_flags(
    *_ARGUMENTS, "score_threshold", "every", attention="no_attention", groundtruth="annotations"
)
def main(argv=None) -> int:
    flags = parse_arguments(argv)
    from avatx.data.annotations.ava_csv import read_annotations
    from avatx.data.video.video_reader import check_video
    from avatx.explorer.explorer import FILES, check_output
    from avatx.explorer.result import read_result
    from avatx.inference.video_outputs import name_video

    cli.check_output_folder(flags, *FILES)
    check_output(flags.output)
    detected = f"{flags.output.rstrip('/')}-detections"
    if not flags.detections:
        outputs.check_folder(detected)
    result = read_result(flags.detections) if flags.detections else None
    boxes = given_boxes(flags)
    if result is None:
        from avatx.inference.video_detection import check_arguments

        check_arguments(flags.score_threshold, flags.every, 1)
    if flags.video:
        check_video(flags.video)
    if flags.annotations:
        read_annotations(flags.annotations)
    if boxes is not None:
        boxes.of_video(
            name_video(flags.video) if result is None else str(result.facts.get("video_id", ""))
        )
    detector = _detector(flags, result, boxes)
    from avatx.explorer.explorer import write_explorer
    from avatx.inference.video_bar import video_bar

    def detect(attended):
        _detect(flags, detector, boxes, detected, attended)
        return read_result(detected)

    with video_bar("reading") as progress:
        summary = write_explorer(
            detect if result is None else result,
            flags.output,
            video=flags.video,
            detector=None if flags.no_attention else detector,
            boxes=boxes,
            groundtruth=flags.annotations,
            video_format=flags.video_format,
            # Begun anew, for a detection has a bar of its own before.
            progress=lambda *at: progress(*at, now="writing the page"),
        )
    for note in summary.notes:
        cli.talk(f"note: {note}")
    if summary.no_attention and not flags.no_attention:
        cli.talk(f"note: no attention on the page: {summary.no_attention}")
    if flags.json:
        cli.print_json(summary._asdict())
        return 0
    print(
        f"{summary.num_keyframes} keyframes, {summary.num_people} people in them, attention of "
        f"{summary.num_attended}; open {summary.index} in a browser"
    )
    return 0


def _detector(flags, result, boxes):
    """The export that is asked for, or the result's where it is still there; None for none."""
    path = flags.saved_model
    if path is None and result is not None and not flags.no_attention:
        path = result.facts.get("saved_model")
        if path and not os.path.isdir(path):
            cli.talk(f"note: {path}, which the result was made with, is not there")
            path = None
    if not path or (flags.no_attention and result is not None):
        return None
    with cli.slow("loading the model"):
        cli.import_tensorflow()
        from avatx.inference.boxes_of_video import check_boxes
        from avatx.inference.detector import Detector, signatures_at

        model = signatures_at(path)
        if model is not None and (result is None or boxes is not None):
            check_boxes(model, boxes)
        return Detector(path)


def _detect(flags, detector, boxes, folder, attended) -> None:
    from avatx.inference.video_bar import video_bar
    from avatx.inference.video_detection import detect_video, nothing_shown

    with video_bar("detecting") as progress:
        summary = detect_video(
            detector,
            flags.video,
            folder,
            score_threshold=flags.score_threshold,
            every=flags.every,
            groundtruth=flags.annotations,
            attended=attended,
            boxes=boxes,
            progress=progress,
        )
    cli.talk(
        f"{summary.num_detections} detections at {summary.num_keyframes} keyframes in {folder}"
    )
    if summary.highest:
        note = nothing_shown(summary.highest, flags.score_threshold)
        cli.talk(f"note: {cli.as_flags(note, 'score_threshold')}")


if __name__ == "__main__":
    cli.run(main)
