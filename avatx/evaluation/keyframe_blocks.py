"""Rows of whole keyframes, some at a time: what is done keyframe by keyframe needs no more memory.

Files are usually sorted by keyframe, so the work is done on runs of rows of the same keyframe and
only a block's own rows are listed; a file in any other order gives the same blocks.
"""

from collections.abc import Iterator

import numpy as np

from avatx.evaluation.keyframe_index import Runs

ROWS_AT_ONCE = 1 << 16  # half a MB a column, to stay in the processor's cache


def blocks_of_keyframes(
    table: Runs,
    selected: np.ndarray,
    *,
    by_appearance: bool,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Lists selected rows, grouped by keyframe, whole keyframes at a time.

    Args:
      table: keyframe numbers of N rows.
      selected: [N] bool, the rows to list.
      by_appearance: keyframes in the order of their first selected row; else by their number.
      rows_at_once: a block ends before the keyframe that would exceed it.

    Yields:
      rows: [n] int64, grouped by keyframe, in each in ascending order.
      keyframe: [n] int32, their keyframe numbers.
      group: [n] int64, which keyframe of the block a row is of, ascending from 0.
    """
    if not len(selected):
        return
    starts, ends = table.borders[:-1], table.borders[1:]
    counts = _counts(selected, table.borders, rows_at_once)
    runs = np.flatnonzero(counts)
    if not len(runs):
        return
    numbers, first, place = np.unique(table.number[runs], return_index=True, return_inverse=True)
    place = place.reshape(-1)
    if by_appearance:
        rank = np.empty(len(numbers), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(numbers))
        place = rank[place]
    order = np.argsort(place, kind="stable")
    runs, place = runs[order], place[order]
    borders = np.append(np.flatnonzero(np.diff(place, prepend=-1)), len(place))
    total = np.concatenate([[0], np.cumsum(counts[runs])])[borders]
    begin = 0
    while begin < len(borders) - 1:
        end = int(np.searchsorted(total, total[begin] + rows_at_once, side="right")) - 1
        end = max(end, begin + 1)
        block = runs[borders[begin] : borders[end]]
        rows = _ranges(starts[block], ends[block])
        rows = rows[selected[rows]]
        group = np.repeat(place[borders[begin] : borders[end]], counts[block])
        yield rows, np.repeat(table.number[block], counts[block]), group - group[0]
        begin = end


def _counts(selected: np.ndarray, borders: np.ndarray, rows_at_once: int) -> np.ndarray:
    """[R] int64, selected rows of each run; some runs at a time, for numpy makes them int64."""
    counts, begin = np.empty(len(borders) - 1, np.int64), 0
    while begin < len(counts):
        end = int(np.searchsorted(borders, borders[begin] + rows_at_once, side="right")) - 1
        end = max(end, begin + 1)
        rows = selected[borders[begin] : borders[end]].astype(np.int64)
        counts[begin:end] = np.add.reduceat(rows, borders[begin:end] - borders[begin])
        begin = end
    return counts


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers from each start to its end, one range after the other."""
    if np.array_equal(starts[1:], ends[:-1]):
        return np.arange(starts[0], ends[-1])
    lengths = ends - starts
    shift = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.arange(lengths.sum()) + np.repeat(shift, lengths)
