"""Many small min-heaps at once: what `heapq.heappush` makes of each keyframe's rows.

The order of a heap's array decides between groundtruth boxes of equal score, so a real heap's
order is needed, and for a keyframe with two people always: Python's heaps of 33,000 keyframes took
as long as matching their detections.
"""

import numpy as np

LARGEST = 64  # entries: of larger heaps there are few, and each entry is a round for all


def order_by_heaps(columns: tuple[np.ndarray, ...], group: np.ndarray) -> np.ndarray:
    """Indices of entries, group by group, as they stand in the groups' heaps.

    As Python pushes tuples of the columns, one after the other; equal tuples are equal.

    Args:
      columns: of [n] each, without NaN, the first decides first.
      group: [n] int, ascending; no group has more than `LARGEST` entries.

    Returns:
      [n] int64, a permutation that leaves the groups where they are.
    """
    starts = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    counts = np.diff(np.append(starts, len(group)))
    heap, rank = np.arange(len(group)), _ranks(columns)
    for entry in range(1, int(counts.max(initial=0))):
        root = starts[counts > entry]
        at = np.full(len(root), entry)
        while len(root):  # the new entry rises while it is less than what is above it
            above = (at - 1) >> 1
            rises = rank[heap[root + at]] < rank[heap[root + above]]
            root, at, above = root[rises], at[rises], above[rises]
            lower, upper = root + at, root + above
            heap[lower], heap[upper] = heap[upper], heap[lower]
            root, at = root[above > 0], above[above > 0]
    return heap


def _ranks(columns: tuple[np.ndarray, ...]) -> np.ndarray:
    """[n] int64: less where the tuple of the columns is less, equal where it is equal."""
    order = np.lexsort(columns[::-1])
    differs = np.zeros(len(order), bool)
    for column in columns:
        differs[1:] |= column[order[1:]] != column[order[:-1]]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(differs)
    return rank
