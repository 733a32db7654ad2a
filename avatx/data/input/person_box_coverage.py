"""Which keyframes of the records have boxes in a file of somebody else's, said at the start."""

import os
import sys
from collections.abc import Sequence

import tensorflow as tf

from avatx.data.annotations.person_boxes import PersonBoxes
from avatx.data.records.input_errors import explained
from avatx.data.records.scanning import SCANNED_BYTES, keyframe_times, takes_seconds
from avatx.data.times import MICROSECONDS
from avatx.errors import UserError


def report(
    table: PersonBoxes,
    files: Sequence[str],
    scanned_bytes: int = SCANNED_BYTES,
    may_skip: bool = False,
) -> None:
    """Prints how many keyframes have boxes, on standard error.

    Sets of records of more than `scanned_bytes`, and remote ones, are looked at in their first file
    alone. With `may_skip` records that cannot be read are left out.

    Raises:
      UserError: of the keyframes looked at none has: the boxes are other videos'.
    """
    looked_at = list(files)
    if not takes_seconds(files, scanned_bytes):
        looked_at = looked_at[:1]
    videos: list[str] = []
    times: list[int] = []
    records = tf.data.TFRecordDataset(looked_at)
    if may_skip:
        moments = records.flat_map(
            lambda one: tf.data.Dataset.from_tensors(one).map(keyframe_times).ignore_errors()
        )
    else:
        moments = records.map(keyframe_times)
    with explained(looked_at):
        for video, keyframes in moments.as_numpy_iterator():
            videos += [video.decode(errors="replace")] * len(keyframes)
            times += keyframes.tolist()
    found = table.covers(videos, times)
    if len(found) and not found.any():
        raise UserError(
            f"{table.source}: has boxes of none of the {len(found)} keyframes of "
            f"{', '.join(looked_at[:2])}{' and more' if len(looked_at) > 2 else ''}; its first are "
            f"of {table.first_moment()}, the records' first is {videos[0]} at "
            f"{times[0] / MICROSECONDS:g} s: expected the same video ids and seconds"
        )
    missing = [i for i, one in enumerate(found.tolist()) if not one]
    of_whom = "" if len(looked_at) == len(files) else f" of {os.path.basename(looked_at[0])} alone"
    line = (
        f"boxes: {table.source}: {len(table.boxes):,} boxes; {int(found.sum()):,} of "
        f"{len(found):,} keyframes{of_whom} are in it"
    )
    if not len(table.boxes):
        line += "; NOBODY: every row of it is a keyframe without people, so nobody will be found"
    if missing:
        first = ", ".join(f"{videos[i]} at {times[i] / MICROSECONDS:g} s" for i in missing[:3])
        more = ", ..." if len(missing) > 3 else ""
        line += f"; MISSING {len(missing):,}, which get no box: {first}{more}"
    print(line, file=sys.stderr, flush=True)
