r"""Turns labelled videos (Kinetics) into sharded TFRecords for the classifier.

    python tools/create_kinetics_tfrecord.py --annotations train.csv --videos DIR \
        --output data/kinetics-train --num_shards 100 --output_label_map data/kinetics.pbtxt
    python tools/create_kinetics_tfrecord.py --folders val/ --label_map data/kinetics.pbtxt \
        --output data/kinetics-val --num_shards 20

The csv has columns file,label,start,end (seconds, may be empty; a heading is optional) or those of
Kinetics' own files. Writes data/kinetics-train-00000-of-00100.tfrecord and so on, and
data/manifest.json with what is missing and why. Run again, it writes only what is missing or has
changed. Every other flag is Apache Beam's, such as `--direct_num_workers 8
--direct_running_mode multi_processing`.
"""

import argparse
import os

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings


def _arguments() -> argparse.ArgumentParser:
    parser = cli.Parser(__doc__, allow_abbrev=False)
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--annotations",
        metavar="CSV",
        help="file,label,start,end, or label,youtube_id,time_start,time_end,split",
    )
    source.add_argument("--folders", metavar="DIR", help="a folder of one sub-folder a class")
    add(
        "--videos",
        nargs="+",
        metavar="DIR",
        help="folders that the csv's files are in (default: the csv's own)",
    )
    add(
        "--label_map",
        metavar="FILE",
        help="classes and ids: pbtxt, or a list of names, one a line "
        "(default: the classes found, in alphabetical order)",
    )
    add(
        "--output_label_map",
        metavar="PBTXT",
        help="where the classes found are written (default: <output>_label_map.pbtxt)",
    )
    add("--output", required=True, metavar="PREFIX", help="folder and beginning of shard names")
    add("--num_shards", required=True, type=int)
    add_frame_flags(
        parser,
        ("shorter_side", "max_frame_rate", "folder_frame_rate"),
        default="0",
        defaults={"shorter_side": "256", "folder_frame_rate": "30"},
        older={"--frame_rate": "max_frame_rate"},
    )
    add("--jpeg_quality", type=int, default=90)
    add("--overwrite", action="store_true", help="write all shards again, also unchanged ones")
    parser.add_json()
    return parser


@cli.arguments_are_flags(
    "annotations",
    "folders",
    "videos",
    "label_map",
    "output_label_map",
    "output",
    "num_shards",
    "runner",
)
def main(argv=None) -> int:
    flags, beam_arguments = _arguments().parse_known_args(argv)
    given = given_settings(flags)
    cli.check_output_prefix(flags)
    classes = flags.output_label_map or f"{flags.output}_label_map.pbtxt"
    if flags.label_map is None:
        cli.check_outputs(flags, classes, by="output_label_map")

    # Imported here, for they bring TensorFlow: --help and a mistyped flag need not wait for it.
    cli.import_tensorflow()
    from avatx.data.records.classification_records import create_classification_records
    from avatx.data.records.manifest import NAME, summary
    from avatx.data.records.record_plan import RecordSettings
    from avatx.data.video.frame_settings import FrameSettings

    manifest = os.path.join(os.path.dirname(flags.output), NAME)
    cli.check_outputs(flags, manifest)
    with cli.arguments_are_flags("jpeg_quality"):
        settings = RecordSettings(
            FrameSettings(**{"shorter_side": 256, **given}),
            jpeg_quality=flags.jpeg_quality,
            margin_seconds=0.0,
        )
    entry = create_classification_records(
        annotations=flags.annotations,
        folders=flags.folders,
        videos=flags.videos,
        label_map=flags.label_map,
        output_label_map=flags.output_label_map,
        output=flags.output,
        num_shards=flags.num_shards,
        settings=settings,
        beam_arguments=beam_arguments,
        overwrite=flags.overwrite,
        log=cli.talk,
    )
    manifest = os.path.join(os.path.dirname(flags.output), NAME)
    if flags.json:
        cli.print_json({"manifest": manifest, **entry})
        return 0
    print("\n".join(summary(entry)))
    print(f"manifest: {manifest}")
    return 0


if __name__ == "__main__":
    cli.run(main)
