"""Rows of whole keyframes, some at a time: what is done keyframe by keyframe needs no more memory.

Files are usually sorted by keyframe, so the work is done on runs of rows of the same keyframe and
only a block's own rows are listed; a file in any other order gives the same blocks.
"""

from collections.abc import Iterator

import numpy as np

ROWS_AT_ONCE = 1 << 17  # a few MB a column, about what stays in the processor's cache


def blocks_of_keyframes(
    keyframe: np.ndarray,
    selected: np.ndarray,
    *,
    by_appearance: bool,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Lists selected rows, grouped by keyframe, whole keyframes at a time.

    Args:
      keyframe: [N] int, keyframe number of each row.
      selected: [N] bool, the rows to list.
      by_appearance: keyframes in the order of their first selected row; else by their number.
      rows_at_once: a block ends at the keyframe that reaches it.

    Yields:
      rows: [n] int64, grouped by keyframe, in each in ascending order.
      group: [n] int64, which keyframe of the block a row is of, ascending from 0.
    """
    if not len(keyframe):
        return
    starts = np.flatnonzero(np.concatenate([[True], keyframe[1:] != keyframe[:-1]]))
    ends = np.append(starts[1:], len(keyframe))
    counts = np.add.reduceat(selected, starts, dtype=np.int64)
    runs = np.flatnonzero(counts)
    if not len(runs):
        return
    of_run = keyframe[starts[runs]]
    numbers, first, place = np.unique(of_run, return_index=True, return_inverse=True)
    if by_appearance:
        rank = np.empty(len(numbers), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(numbers))
        place = rank[place.reshape(-1)]
    order = np.argsort(place, kind="stable")
    runs, place = runs[order], place[order]
    borders = np.append(np.flatnonzero(np.diff(place, prepend=-1)), len(place))
    total = np.concatenate([[0], np.cumsum(counts[runs])])[borders]
    begin = 0
    while begin < len(borders) - 1:
        end = int(np.searchsorted(total, total[begin] + rows_at_once))
        end = min(max(end, begin + 1), len(borders) - 1)
        block = runs[borders[begin] : borders[end]]
        rows = _ranges(starts[block], ends[block])
        rows = rows[selected[rows]]
        group = np.repeat(place[borders[begin] : borders[end]], counts[block])
        yield rows, group - group[0]
        begin = end


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers from each start to its end, one range after the other."""
    if np.array_equal(starts[1:], ends[:-1]):
        return np.arange(starts[0], ends[-1])
    lengths = ends - starts
    shift = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.arange(lengths.sum()) + np.repeat(shift, lengths)
