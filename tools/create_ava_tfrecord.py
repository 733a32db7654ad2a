r"""Turns AVA annotations and videos into sharded TFRecords.

    python tools/create_ava_tfrecord.py --videos DIR --annotations CSV --label_map PBTXT \
        --output data/train --num_shards 100

writes data/train-00000-of-00100.tfrecord and so on, and data/manifest.json with what is missing
and why. Run again, it writes only what is missing or has changed. Every other flag is Apache
Beam's: `--direct_num_workers 8 --direct_running_mode multi_processing` uses eight processes.
"""

import argparse
import os

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings


def _whole_seconds(text: str) -> int:
    """Also of 1e3. A ValueError becomes argparse's message."""
    if not float(text).is_integer():
        raise ValueError
    return int(float(text))


def _arguments() -> argparse.ArgumentParser:
    parser = cli.Parser(__doc__, allow_abbrev=False)
    add = parser.add_argument
    add(
        "--videos",
        required=True,
        nargs="+",
        metavar="DIR",
        help="folders of <video id>.<mp4, mkv, ...> or of folders <video id> of numbered frames",
    )
    add("--annotations", required=True, metavar="CSV", help="AVA csv, v2.1 or v2.2, may be .gz")
    add("--label_map", required=True, metavar="PBTXT", help="rows of other classes are dropped")
    add("--excluded", metavar="CSV", help="excluded timestamps: keyframes to leave out")
    add("--output", required=True, metavar="PREFIX", help="folder and beginning of shard names")
    add("--num_shards", required=True, type=int)
    add_frame_flags(
        parser,
        default="0",
        defaults={"shorter_side": "400", "folder_frame_rate": "30", "optical_flow": "none"},
    )
    add("--jpeg_quality", type=int, default=90)
    add(
        "--seconds_per_record",
        type=float,
        default=10.0,
        help="keyframes of so many seconds share a record and its frames (default 10)",
    )
    add(
        "--margin_seconds",
        type=float,
        default=2.0,
        help="video kept around the keyframes: half the longest clip, in seconds (default 2)",
    )
    add(
        "--keyframe_seconds",
        type=_whole_seconds,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="every whole second of this range is a keyframe of each video, an empty one where "
        "the csv has no row (AVA: 902 1798)",
    )
    add("--overwrite", action="store_true", help="write all shards again, also unchanged ones")
    parser.add_json()
    return parser


@cli.arguments_are_flags("output", "num_shards", "keyframe_seconds", "optical_flow", "runner")
def main(argv=None) -> int:
    flags, beam_arguments = _arguments().parse_known_args(argv)
    given = given_settings(flags)
    cli.check_output_prefix(flags)

    # Imported here, for they bring TensorFlow: --help and a mistyped flag need not wait for it.
    cli.import_tensorflow()
    from avatx.data.records.ava_records import create_ava_records
    from avatx.data.records.manifest import NAME, summary
    from avatx.data.records.record_plan import RecordSettings
    from avatx.data.video.frame_settings import FrameSettings

    manifest = os.path.join(os.path.dirname(flags.output), NAME)
    cli.check_outputs(flags, manifest)
    with cli.arguments_are_flags("jpeg_quality", "seconds_per_record", "margin_seconds"):
        settings = RecordSettings(
            FrameSettings(**given),
            jpeg_quality=flags.jpeg_quality,
            seconds_per_record=flags.seconds_per_record,
            margin_seconds=flags.margin_seconds,
        )
    entry = create_ava_records(
        videos=flags.videos,
        annotations=flags.annotations,
        label_map=flags.label_map,
        excluded=flags.excluded,
        output=flags.output,
        num_shards=flags.num_shards,
        settings=settings,
        keyframe_seconds=flags.keyframe_seconds,
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
