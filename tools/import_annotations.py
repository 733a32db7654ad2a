r"""Turns annotations of CVAT, VIA, COCO or MOT Challenge into AVA's csv.

    python tools/import_annotations.py --annotations annotations.xml --videos videos/ \
        --output imported/

Writes annotations.csv, label_map.pbtxt and import_report.json to the output folder, and says what
had no place there. Formats: "CVAT for video 1.1" (XML), VIA 3 (project JSON or csv), COCO with
track_id (JSON), MOT Challenge (gt.txt, with
seqinfo.ini beside it or in the folder above).
"""

import json
import os

from avatx import cli


@cli.arguments_are_flags(
    *("annotations", "videos", "frame_rate", "every", "output", "label_map", "action_attributes")
)
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--annotations", required=True, metavar="FILE", help="the export; of MOT also a folder")
    add(
        "--format",
        default="",
        choices=("cvat", "via", "coco", "mot"),
        help="of the annotations (default: as they look)",
    )
    add(
        "--videos",
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of the videos: sizes, and when their frames are shown",
    )
    add("--frame_rate", type=float, help="of the videos, in place of what they and the export say")
    add(
        "--every",
        type=float,
        default=1.0,
        help="seconds between keyframes, where more frames are annotated; 0 keeps all (default 1)",
    )
    add("--label_map", metavar="PBTXT", help="ids of the actions (default: in alphabetical order)")
    add(
        "--action_attributes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="attributes that are actions (default: all checkboxes and selections)",
    )
    add("--action", default="person", help="of MOT, whose people do nothing: the one class")
    add("--output", required=True, metavar="DIR", help="folder for the results")
    add("--json", action="store_true", help="print the report as JSON")
    flags = parser.parse_args(argv)
    for name, least in (("frame_rate", 1e-3), ("every", 0)):
        value = getattr(flags, name)
        if value is not None and not least <= value < 1e6:
            parser.error(f"--{name} {value:g}: expected {least:g} or more")

    cli.check_output_folder(flags)
    cli.import_tensorflow()
    from avatx.importing import read

    cli.check_output_folder(flags, *read.FILES)
    result = read.read_export(
        flags.annotations,
        flags.format,
        videos=flags.videos,
        frame_rate=flags.frame_rate,
        every=flags.every,
        label_map=flags.label_map,
        action_attributes=flags.action_attributes,
        action=flags.action,
    )
    read.write_result(result, flags.output)
    for note in result.notes:
        cli.talk(f"note: {note}")
    if flags.json:
        print(json.dumps(result.report(), indent=2))
        return 0
    for what, count in sorted(result.lost.items()):
        cli.talk(f"no place for: {what}, {count:,} times")
    report = result.report()
    print(
        f"{report['rows']:,} rows of {report['videos']} videos, {len(report['classes'])} classes, "
        f"{report['empty_keyframes']:,} keyframes without people"
    )
    print("\n".join(os.path.join(flags.output, name) for name in read.FILES))
    return 0


if __name__ == "__main__":
    cli.run(main)
