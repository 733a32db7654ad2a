"""Writes an AVA csv whose people have each other's labels: the control for "it learns actions".

Boxes, keyframes and class frequencies stay; which person shows which actions is drawn by chance.
A detector trained on it can still find people, and shows what its mAP is worth without labels.
"""

import argparse
from collections.abc import Sequence

from avatx import cli


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", required=True, help="AVA annotations")
    parser.add_argument("--output", required=True, help="where the shuffled ones go")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)

    import numpy as np

    from avatx.data.annotations.ava_csv import read_annotations, write_annotations
    from avatx.errors import UserError

    table = read_annotations(arguments.annotations)
    if not len(table):
        raise UserError(f"{arguments.annotations}: no row with a box; nothing to shuffle")
    persons = np.column_stack([table.video_index, table.timestamp, table.boxes])
    _, person = np.unique(persons, axis=0, return_inverse=True)
    person = person.reshape(-1)
    # Row i's label goes to the person at whose place its own person lands.
    target = np.random.default_rng(arguments.seed).permutation(person.max() + 1)
    first_row = np.full(person.max() + 1, -1)
    first_row[person[::-1]] = np.arange(len(person))[::-1]
    shuffled = table.select(first_row[target[person]])
    shuffled.class_id = table.class_id
    write_annotations(arguments.output, shuffled)
    print(f"{len(target)} people's labels shuffled; wrote {arguments.output}")
    return 0


if __name__ == "__main__":
    cli.run(main)
