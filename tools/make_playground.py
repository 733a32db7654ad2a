r"""Generates one split of the playground, a small action data set in AVA's format.

With --kind actions, the one to pre-train a classifier on: short clips in a folder a class.

    python tools/make_playground.py --output data/playground --split train --num_videos 150 --seed 1
    python tools/make_playground.py --output data/playground --split val --num_videos 40 --seed 1
    python tools/make_playground.py --kind actions --output data/actions --split train \
        --num_videos 2000

docs/playground.md says what is in it.
"""

import dataclasses

from avatx import cli
from avatx.errors import UserError


@cli.arguments_are_flags("output", "split", "num_videos", "seed", "cast", "num_workers")
def main(argv=None) -> int:
    parser = cli.Parser(__doc__)
    parser.add_argument("--output", required=True, help="folder to write to")
    parser.add_argument("--split", required=True, help="train or val")
    parser.add_argument(
        "--num_videos",
        type=int,
        required=True,
        help="videos of 10 seconds; of 2 seconds of kind actions",
    )
    parser.add_argument(
        "--kind",
        choices=("detection", "actions"),
        default="detection",
        help="detection: people, boxes and labels, like AVA; actions: one person "
        "and one label a clip, like Kinetics (default detection)",
    )
    parser.add_argument(
        "--cast",
        default="few",
        help="few (2 people a scene), group (3) or crowd (6 to 10, of more sizes), of kind "
        "detection (default few)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same data (default 0)")
    parser.add_argument(
        "--num_workers", type=int, default=None, help="processes (default: one a processor)"
    )
    parser.add_json()
    arguments = parser.parse_args(argv)
    cli.check_output_folder(arguments)

    from avatx import playground

    common = (arguments.output, arguments.split, arguments.num_videos, arguments.seed)
    options = {"num_workers": arguments.num_workers, "show_progress": True}
    if arguments.kind == "detection":
        summary = playground.generate(*common, cast=arguments.cast, **options)
        if arguments.json:
            cli.print_json({"output": arguments.output, **dataclasses.asdict(summary)})
            return 0
        _print(summary, arguments.output)
    elif arguments.cast != "few":
        raise UserError(f"cast {arguments.cast}: clips of kind actions show one person each")
    else:
        clips = playground.generate_actions(*common, **options)
        if arguments.json:
            folder = f"{arguments.output}/{arguments.split}"
            cli.print_json({"output": folder, "num_clips": clips})
            return 0
        print(
            f"{arguments.output}/{arguments.split}: {sum(clips.values())} clips: "
            + ", ".join(f"{count} {action}" for action, count in clips.items())
        )
    return 0


def _print(summary, output) -> None:
    from rich.console import Console
    from rich.table import Table

    from avatx.playground.classes import NAMES

    console = Console()
    table = Table(title=f"{summary.split} split of {output}", title_justify="left")
    table.add_column("class")
    table.add_column("id", justify="right")
    table.add_column("boxes", justify="right")
    table.add_column("share", justify="right")
    for class_id, count in summary.num_labels.items():
        share = count / max(1, summary.num_boxes)
        table.add_row(NAMES[class_id], str(class_id), str(count), f"{share:.1%}")
    console.print(table)
    console.print(
        f"{summary.num_videos} videos, {summary.num_keyframes} keyframes "
        f"({summary.num_empty_keyframes} without people; {summary.num_excluded_keyframes} more "
        f"excluded), {summary.num_boxes} boxes, {sum(summary.num_labels.values())} labels"
    )


if __name__ == "__main__":
    cli.run(main)
