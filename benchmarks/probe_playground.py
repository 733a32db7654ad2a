"""Measures how far a linear probe on a person's own crop gets on the playground.

    python benchmarks/probe_playground.py --num_train_videos 300 --num_val_videos 100 --seed 0

The context classes (watch, listen to, talk to, hand wave) must stay near chance among people
whose own doing allows them; docs/playground.md has the table.
"""

import argparse

from avatx import cli
from avatx.errors import UserError


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--num_train_videos", type=int, default=300)
    parser.add_argument("--num_val_videos", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--script_only",
        action="store_true",
        help="paint nothing: what the generator itself knows of a person, "
        "--num_train_videos of each split",
    )
    arguments = parser.parse_args(argv)
    if min(arguments.num_train_videos, arguments.num_val_videos) < 20:
        raise UserError("a probe needs 20 videos or more to train on and as many to test on")

    from rich.console import Console

    from avatx.playground import probe

    console = Console()
    if arguments.script_only:
        with console.status("sampling"):
            results = probe.probe_script(arguments.num_train_videos, arguments.seed)
        _print(console, results)
        return 0
    with console.status("rendering"):
        train = probe.collect_examples("train", arguments.num_train_videos, arguments.seed)
        val = probe.collect_examples("val", arguments.num_val_videos, arguments.seed)
    with console.status("fitting"):
        results = probe.probe(train, val)
    console.print(f"{len(train.crops)} people to train on, {len(val.crops)} to test on")
    _print(console, results)
    return 0


def _print(console, results) -> None:
    from rich.table import Table

    from avatx.playground.classes import NAMES

    titles = {
        "prior": "prior",
        "ap": "AP",
        "eligible_prior": "prior*",
        "eligible_ap": "AP*",
        "auc_crop": "AUC* crop",
        "auc_crop_and_box": "AUC* +box",
        "auc_script": "AUC* script",
        "auc_position": "AUC* position",
    }
    keys = [key for key in titles if any(key in result for result in results.values())]
    table = Table(
        caption="* among people whose own doing allows the class; AUC of chance is 0.5",
        padding=(0, 0),
        pad_edge=False,
    )
    table.add_column("class", no_wrap=True, min_width=26)
    for key in keys:
        table.add_column(titles[key], justify="right")
    for class_id, result in results.items():
        values = [f"{result[key]:.3f}" if key in result else "" for key in keys]
        table.add_row(NAMES[class_id].replace(" (e.g., self, a person, a group)", ""), *values)
    console.print(table)


if __name__ == "__main__":
    cli.run(main)
