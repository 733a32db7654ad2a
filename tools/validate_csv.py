r"""Reports every bad row of an AVA csv with its line number, and what the file holds.

    python tools/validate_csv.py --annotations ava_train.csv --label_map label_map.pbtxt \
        --videos videos/

Videos are found and timed as tools/create_ava_tfrecord.py does, by the same flags.
Exits with 1 when there is a bad row.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings


def main(argv=None) -> int:
    parser = cli.Parser(__doc__, older={"--csv": "--annotations"})
    file = parser.add_mutually_exclusive_group(required=True)
    file.add_argument("--annotations", metavar="CSV", help="the file, may be gzipped")
    file.add_argument("--detections", metavar="CSV", help="or a file of detections")
    parser.add_argument("--kind", choices=("annotations", "detections"), help=argparse.SUPPRESS)
    parser.add_argument("--label_map", help="pbtxt of the known classes")
    known = parser.add_mutually_exclusive_group()
    known.add_argument(
        "--videos",
        nargs="+",
        metavar="DIR",
        help="folders of <video id>.<mp4, mkv, ...> or of folders <video id> of numbered frames",
    )
    known.add_argument("--durations", help="csv of (video id, seconds) in place of the videos")
    add_frame_flags(
        parser,
        ("folder_frame_rate", "max_frame_rate", "video_start_seconds"),
        default="0",
        defaults={"folder_frame_rate": "30"},
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    flags = parser.parse_args(argv)
    given = given_settings(flags)
    path = flags.annotations or flags.detections
    kind = flags.kind or ("annotations" if flags.annotations else "detections")  # --csv --kind

    from avatx.data.annotations import csv_validation
    from avatx.data.annotations.label_map import read_label_map
    from avatx.data.video.frame_settings import FrameSettings

    label_map = read_label_map(flags.label_map) if flags.label_map else None
    settings = FrameSettings(**given)
    videos: Mapping[str, float | None] | None = None
    opened = None
    if flags.videos:
        cli.import_tensorflow()
        from avatx.data.video.video_times import VideoTimes

        videos = opened = VideoTimes(flags.videos, settings)
    elif flags.durations:
        videos = csv_validation.read_durations(flags.durations)
    bad_rows, statistics = csv_validation.validate_csv(
        path, kind, label_map, videos, settings.video_start_seconds
    )
    if opened is not None:
        opened.end_progress()
    if flags.json:
        broken = dict(getattr(videos, "broken", {}))
        found = {
            "bad_rows": [bad._asdict() for bad in bad_rows],
            "broken_videos": broken,
            "statistics": dataclasses.asdict(statistics),
        }
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 1 if bad_rows or broken else 0
    for bad in bad_rows:
        print(f"{path}:{bad.line}: {bad.problem}: {bad.text}")
    broken = getattr(videos, "broken", {})
    for path, reason in broken.items():
        print(f"{path}: the video cannot be used: {reason}")
    _print_statistics(statistics, label_map)
    lines = len({bad.line for bad in bad_rows})
    print(f"{lines} bad rows" if lines != 1 else "1 bad row")
    return 1 if bad_rows or broken else 0


def _print_statistics(statistics, label_map) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name in ("videos", "keyframes", "empty_keyframes", "boxes", "labels"):
        table.add_row(name.replace("_", " "), f"{getattr(statistics, name):,}")
    if statistics.first_timestamp is not None:
        first, last = statistics.first_timestamp, statistics.last_timestamp
        table.add_row("timestamps", f"{first:g} to {last:g} s")
    console.print(table)
    names = label_map.names if label_map else {}
    table = Table("id", "class", "labels", box=None, pad_edge=False, header_style="bold")
    counts = statistics.labels_per_class
    for class_id in sorted({*names, *counts}):
        table.add_row(str(class_id), Text(names.get(class_id, "?")), f"{counts.get(class_id, 0):,}")
    console.print(table)


if __name__ == "__main__":
    cli.run(main)
