"""Which rows of a keyframe count, and in which order: the part that a heap decides.

The official evaluator pushes a keyframe's rows through a min-heap of the tuples
(score, class, y1, x1, y2, x2), keeps at most `capacity` of them, and sorts the heap's array by
descending score. Where no two scores are equal that is the same as sorting the best `capacity`
rows, which numpy does for all keyframes together; only keyframes with equal scores that matter,
or with NaN, go through a heap here: small ones together, others through Python's.
"""

import heapq

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.evaluation.pushed_heaps import LARGEST, order_by_heaps


def heap_order(table: AvaTable, rows: np.ndarray, score, capacity: int | None) -> np.ndarray:
    """The rows of one keyframe as the official evaluator orders and caps them.

    Args:
      table: boxes and classes.
      rows: [n] rows of one keyframe in file order.
      score: [n] float, their scores.
      capacity: how many rows are kept, None for all.

    Returns:
      [<= n] of `rows`, by descending score, equal scores in the order of the heap's array.
    """
    entries = [
        (value, class_id, *box)
        for value, class_id, box in zip(
            score.tolist(), table.class_id[rows].tolist(), table.boxes[rows].tolist(), strict=True
        )
    ]
    # By identity, since equal rows are equal tuples and must stay so for the heap.
    row_of = {id(entry): row for entry, row in zip(entries, rows.tolist(), strict=True)}
    heap: list[tuple[float, ...]] = []
    for entry in entries:
        if capacity is None or len(heap) < capacity:
            heapq.heappush(heap, entry)
        elif entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    heap.sort(key=lambda entry: -entry[0])
    return np.array([row_of[id(entry)] for entry in heap], np.int64)


def order_in_keyframes(
    table: AvaTable,
    rows: np.ndarray,
    keyframe: np.ndarray,
    score: np.ndarray,
    through_heap: np.ndarray,
    capacity: int | None,
) -> np.ndarray:
    """Passes the keyframes marked in `through_heap` through the heap.

    Args:
      table: the detections.
      rows: [n] rows of the table, grouped by keyframe.
      keyframe: [n] int, their keyframes, ascending.
      score: [n] float.
      through_heap: [number of keyframes] bool.
      capacity: what the heap of one keyframe holds; None for all.

    Returns:
      The rows of those keyframes, in the same order of keyframes.
    """
    at = np.flatnonzero(through_heap[keyframe])
    if not len(at):
        return rows[:0]
    group = keyframe[at]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    counts = np.diff(np.append(starts, len(at)))
    columns = (score[at], table.class_id[rows[at]], *table.boxes[rows[at]].T)
    # NaN is neither less nor more than anything: where it comes to lie is Python's to say.
    no_number = np.isnan(columns[0])
    for side in columns[2:]:
        no_number |= np.isnan(side)
    small = counts <= (LARGEST if capacity is None else min(capacity, LARGEST))
    small &= ~np.logical_or.reduceat(no_number, starts)
    pushed = np.flatnonzero(np.repeat(small, counts))
    heap = pushed[order_by_heaps(tuple(column[pushed] for column in columns), group[pushed])]
    heap = heap[np.lexsort((-columns[0][heap], group[heap]))]
    ordered, kept = rows[at], np.ones(len(at), bool)
    ordered[pushed] = rows[at[heap]]
    for begin, count in zip(starts[~small].tolist(), counts[~small].tolist(), strict=True):
        of_one = at[begin : begin + count]
        order = heap_order(table, rows[of_one], score[of_one], capacity)
        ordered[begin : begin + len(order)] = order
        kept[begin + len(order) : begin + count] = False
    return ordered[kept]


def best_of_keyframes(
    keyframe: np.ndarray, score: np.ndarray, capacity: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are among the `capacity` highest scores of their keyframe.

    Args:
      keyframe: [n] int, ascending.
      score: [n] float.
      capacity: how many a keyframe keeps.

    Returns:
      keep: [n] bool.
      undecided: [number of keyframes] bool, where equal scores at the border, or NaN, leave
        the choice to the heap; `keep` means nothing there.
    """
    starts = np.flatnonzero(np.diff(keyframe, prepend=-1))
    counts = np.diff(np.append(starts, len(keyframe)))
    limit = np.full(len(starts), -np.inf)
    over = np.flatnonzero(counts > capacity)
    over = over[np.argsort(counts[over], kind="stable")]
    # Blocks of keyframes with about as many rows each, as one padded matrix.
    while len(over):
        width = max(64, int(2 ** np.ceil(np.log2(counts[over[0]] + 1))))
        height = max(1, (1 << 20) // width)
        block = over[:height][counts[over[:height]] <= width]
        column = np.arange(width)
        index = np.minimum(starts[block, None] + column, len(score) - 1)
        values = np.where(column < counts[block, None], score[index], -np.inf)
        limit[block] = np.partition(values, width - capacity, axis=1)[:, width - capacity]
        over = over[len(block) :]
    keep = score >= np.repeat(limit, counts)
    number_of_keyframes = int(keyframe[-1]) + 1 if len(keyframe) else 0
    undecided = np.zeros(number_of_keyframes, bool)
    if len(keyframe):
        kept = np.add.reduceat(keep, starts, dtype=np.int64)
        undecided[keyframe[starts]] = kept != np.minimum(counts, capacity)
    return keep, undecided
