r"""Figures 6 and 7: each class's top true detections and its highest-scoring mistakes, in pictures.

    python tools/visualize_detections.py --annotations val.csv --detections detections.csv \
        --label_map label_map.pbtxt --videos VIDEOS --output OUT

Works on anybody's detections in AVA's csv format.
"""

import argparse
import os
import signal
import sys

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings
from avatx.errors import UserError
from avatx.progress import Progress


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(__doc__, older={"--groundtruth": "--annotations"})
    add = parser.add_argument
    add("--annotations", required=True, metavar="CSV")
    add("--detections", required=True, metavar="CSV")
    add("--label_map", required=True, metavar="PBTXT", help="the classes that are scored")
    add("--excluded", metavar="CSV", help="excluded timestamps")
    add("--videos", nargs="+", metavar="DIR", help="folders of the videos")
    add("--records", nargs="+", metavar="PATTERN", help="or TFRecords; they are read through")
    add("--output", required=True, metavar="DIR")
    add("--classes", nargs="+", type=int, default=[], metavar="ID", help="(default: all)")
    add("--top", type=int, default=6, help="examples a class and kind (default %(default)s)")
    add(
        "--seconds",
        nargs="+",
        type=float,
        default=[-1, -0.5, 0, 0.5, 1],
        help="frames shown, relative to the keyframe (default -1 -0.5 0 0.5 1)",
    )
    add("--protocol", default="AVA_2020")
    add("--iou_threshold", type=float, default=0.5)
    add_frame_flags(
        parser,
        ("shorter_side", "folder_frame_rate", "video_start_seconds"),
        default="0",
        defaults={"shorter_side": "400", "folder_frame_rate": "30"},
    )
    parser.add_json()
    return parser.parse_args(argv)


@cli.arguments_are_flags("classes", "videos", "records", "protocol", "video_start_seconds")
def main(argv=None) -> int:
    flags = parse_arguments(argv)
    if flags.top < 1:
        raise UserError(f"--top {flags.top}: expected 1 or more")
    if not 0 < flags.iou_threshold <= 1:
        raise UserError(f"--iou_threshold {flags.iou_threshold}: expected more than 0, at most 1")
    given = given_settings(flags)
    cli.check_output_folder(flags)
    # `kill` cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli.import_tensorflow()
    from avatx.data.annotations import ava_csv
    from avatx.data.annotations.label_map import read_label_map
    from avatx.data.input import clip_source
    from avatx.data.video.frame_settings import FrameSettings
    from avatx.evaluation.examples import find_examples
    from avatx.pictures.detection_sheets import write_sheets

    clip_source.check_seconds("--seconds", *flags.seconds)
    seconds = sorted({*flags.seconds, 0.0})
    source = clip_source.make_source(flags.videos, flags.records, FrameSettings(**given))
    label_map = read_label_map(flags.label_map)
    excluded = ava_csv.read_excluded_timestamps(flags.excluded) if flags.excluded else None
    groundtruth = ava_csv.read_annotations(flags.annotations)
    detections = ava_csv.read_detections(flags.detections)
    if not len(groundtruth) and not groundtruth.empty_keyframes:
        raise UserError(f"--annotations {flags.annotations} is empty: there is nothing to find")
    if not len(detections):
        raise UserError(f"--detections {flags.detections} is empty: there is nothing to show")
    with cli.slow("matching detections"):
        classes = find_examples(
            groundtruth,
            detections,
            label_map,
            flags.top,
            classes=flags.classes,
            protocol=flags.protocol,
            iou_threshold=flags.iou_threshold,
            excluded=excluded,
        )
    progress = Progress("drawing", "examples")
    files = write_sheets(
        classes, label_map.names, source, seconds, flags.output, progress=progress.to
    )
    progress.end()
    if flags.json:
        paths = [os.path.join(flags.output, name) for name in files]
        cli.print_json({"num_classes": len(classes), "files": paths})
        return 0
    print(f"{len(classes)} classes; wrote {len(files)} sheets in {flags.output}")
    return 0


if __name__ == "__main__":
    cli.run(main)
