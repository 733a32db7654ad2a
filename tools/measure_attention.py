r"""How much attention falls on the person whom a label is about: figure 4 as numbers.

    python tools/measure_attention.py --pipeline_config_path MODEL_DIR/pipeline.config \
        --checkpoint MODEL_DIR --annotations data/val.csv --concerned data/val_concerned.csv \
        --records 'data/val-*.tfrecord' --output attention.json

Prints a table and writes it as JSON, with the shares of every label.
"""

import argparse
import json

from avatx import cli
from avatx.data.video.frame_flags import add_frame_flags, given_settings, overridden
from avatx.errors import UserError
from avatx.progress import Progress


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = cli.Parser(__doc__, older={"--groundtruth": "--annotations"})
    add = parser.add_argument
    add("--pipeline_config_path", required=True, help="what the model was trained with")
    add("--checkpoint", required=True, help="prefix, or folder whose newest checkpoint is taken")
    add("--annotations", required=True, metavar="CSV", help="with the ids of people")
    add(
        "--concerned",
        required=True,
        metavar="CSV",
        help="whom each label is about: video, timestamp, class id, person id, that person's id; "
        "the playground's *_concerned.csv",
    )
    add("--videos", nargs="+", metavar="DIR", help="folders of the videos")
    add("--records", nargs="+", metavar="PATTERN", help="or TFRecords; they are read through")
    add("--output", required=True, metavar="JSON")
    add_frame_flags(
        parser, default="as the model was trained", defaults={"video_start_seconds": "0"}
    )
    parser.add_override()
    parser.add_json()
    arguments = parser.parse_args(argv)
    if bool(arguments.videos) == bool(arguments.records):
        parser.error("give either --videos or --records")
    return arguments


@cli.arguments_are_flags(
    *("override", "optical_flow", "concerned", "checkpoint", "records", "video_start_seconds"),
    groundtruth="annotations",
)
def main(argv=None) -> int:
    flags = parse_arguments(argv)
    given = given_settings(flags)
    cli.check_outputs(flags)
    cli.import_tensorflow()
    from avatx.atomic_file import atomic_text_file
    from avatx.data.annotations import ava_csv, concerned_csv
    from avatx.data.input import clip_source
    from avatx.data.video.frame_settings import for_model
    from avatx.trained import attention_shares
    from avatx.trained.attention_model import AttentionModel

    concerns = concerned_csv.read_concerned(flags.concerned)
    if not concerns:
        raise UserError(f"--concerned {flags.concerned}: has no rows; nobody's label is measured")
    groundtruth = ava_csv.read_annotations(flags.annotations)
    with cli.slow("loading the model"):
        model = AttentionModel(flags.pipeline_config_path, flags.checkpoint, flags.override)
    trained = model.trained
    source: clip_source.VideoClips | clip_source.RecordClips
    if flags.videos:
        for line in overridden(given, trained.frame_settings):
            cli.talk(line)
        settings = for_model(trained.frame_settings, trained.clip.has_flow, given)
        source = clip_source.VideoClips(flags.videos, settings)
    else:
        source = clip_source.RecordClips(flags.records, trained.clip.has_flow)
    progress = Progress("measuring", "keyframes")
    shares = attention_shares.measure(model, groundtruth, concerns, source, progress.to)
    progress.end()
    summary = attention_shares.summarize(shares, len(concerns), trained.class_names)
    found = {"step": trained.step, **summary}
    with atomic_text_file(flags.output) as file:
        json.dump(found, file, indent=1, allow_nan=False)
        file.write("\n")
    if flags.json:
        cli.print_json(found)
        return 0
    for line in attention_shares.table(summary):
        print(line)
    print(f"step {trained.step}: wrote {flags.output}")
    return 0


if __name__ == "__main__":
    cli.run(main)
