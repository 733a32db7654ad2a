"""Greedy non-maximum suppression as few large operations, all of which a GPU has a kernel for.

A box is kept if no kept box of higher score overlaps it too much. Said of all boxes at once this
is an equation of which boxes are kept; starting from all of them, setting the right side into the
left settles the best box in the first sweep, and in every further one at least the best that is not
settled yet: where nothing changes any more, that is the greedy answer and not an approximation.
Boxes go by in tiles by descending score, so that of the 7,500 anchors of a clip only as many are
compared as it takes to find what is to be kept.

Places are counted in float32, exactly: TensorFlow compares and adds int32 on the host, GPU or not.

Equal to `tf.image.combined_non_max_suppression` but for boxes of equal scores: here the first of
them goes first, there any of them may.
"""

from typing import NamedTuple

import tensorflow as tf

TILE = 1024  # candidates compared with each other at a time
_SWEEPS = 4  # between two looks at whether anything changed; on a GPU a look is a wait


class Kept(NamedTuple):
    """What is kept, by descending score, over all classes; 0 past the count."""

    boxes: tf.Tensor  # [B, max_total, 4]
    scores: tf.Tensor  # [B, max_total]
    class_index: tf.Tensor  # [B, max_total] int32
    count: tf.Tensor  # [B] int32
    index: tf.Tensor  # [B, max_total] int32: which of the N candidates


def suppress(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    usable: tf.Tensor,
    iou_threshold: float,
    max_per_class: int,
    max_total: int,
    tile: int = TILE,
) -> Kept:
    """As `avatx.core.non_max_suppression.non_max_suppression`.

    Args:
      boxes: [B, N, 1, 4] or [B, N, C, 4] float32, none inverted.
      scores: [B, N, C] float32, >= 0; what is not a number is not usable.
      usable: [B, N, C] bool.
      iou_threshold: a box whose IoU with a kept one of its class is larger is dropped.
      max_per_class: how many boxes to keep of a class.
      max_total: how many boxes to keep in all.
      tile: how many candidates of a class to compare with each other at a time.
    """
    num_clips, num_boxes = tf.shape(scores)[0], tf.shape(scores)[1]
    num_classes = scores.shape[2]
    if scores.shape[1] is not None:
        tile = min(tile, max(scores.shape[1], 1))
    groups = num_clips * num_classes

    by_class = tf.transpose(tf.where(usable & (scores >= 0), scores, -1.0), [0, 2, 1])
    ordered, order = tf.math.top_k(by_class, num_boxes)  # [B, C, N]; of equals the first is first
    if boxes.shape[2] == 1:
        flat = tf.reshape(order, [num_clips, num_classes * num_boxes])
        candidates = tf.gather(boxes[:, :, 0], flat, batch_dims=1)
    else:
        candidates = tf.gather(tf.transpose(boxes, [0, 2, 1, 3]), order, batch_dims=2)
    candidates = tf.reshape(candidates, [groups, num_boxes, 4])
    ordered = tf.reshape(ordered, [groups, num_boxes])
    # The last tile is filled up with what cannot be kept.
    candidates = tf.pad(candidates, [[0, 0], [0, tile], [0, 0]])
    filled = tf.pad(ordered, [[0, 0], [0, tile]], constant_values=-1.0)

    def one_tile(start, places, kept):
        # `tf.slice`, for XLA has to know how many.
        tile_boxes = tf.slice(candidates, [0, start, 0], [groups, tile, 4])
        alive = tf.slice(filled, [0, start], [groups, tile]) >= 0
        alive &= ~tf.reduce_any(
            _overlap(tile_boxes, kept, iou_threshold) & (places >= 0)[:, tf.newaxis], axis=2
        )
        alive = _swept(tile_boxes, alive, iou_threshold)
        # What was kept before comes first, then this tile's, both by descending score.
        new = tf.where(alive, tf.cast(start + tf.range(tile), tf.float32), -1.0)
        places = tf.concat([places, new], axis=1)
        _, first = tf.math.top_k(tf.cast(places >= 0, tf.float32), max_per_class)
        kept = tf.gather(tf.concat([kept, tile_boxes], axis=1), first, batch_dims=1)
        return start + tile, tf.gather(places, first, batch_dims=1), kept

    def is_wanted(start, places, kept):
        has_room = places[:, -1] < 0
        more = tf.gather(filled, tf.minimum(start, num_boxes), axis=1) >= 0
        return (start < num_boxes) & tf.reduce_any(has_room & more)

    state = (
        tf.zeros([], tf.int32),
        tf.fill([groups, max_per_class], -1.0),  # places in `ordered`
        tf.zeros([groups, max_per_class, 4], boxes.dtype),
    )
    if scores.shape[1] is not None and scores.shape[1] <= tile:
        _, places, kept = one_tile(*state)
    else:
        _, places, kept = tf.while_loop(is_wanted, one_tile, state, parallel_iterations=1)
    return _best_of_classes(
        tf.reshape(places, [num_clips, num_classes, max_per_class]),
        tf.reshape(kept, [num_clips, num_classes * max_per_class, 4]),
        tf.reshape(filled, [num_clips, num_classes, num_boxes + tile]),
        tf.pad(order, [[0, 0], [0, 0], [0, tile]]),
        max_total,
    )


def _overlap(boxes, others, iou_threshold) -> tf.Tensor:
    """[G, N, M] bool: whether the IoU of boxes [G, N, 4] and others [G, M, 4] is over it.

    In coordinates, not in boxes: a box's four numbers as an axis of their own cost four times as
    much memory as what is asked.
    """
    top, left, bottom, right = tf.unstack(boxes[:, :, tf.newaxis], axis=-1)  # [G, N, 1]
    other_top, other_left, other_bottom, other_right = tf.unstack(others[:, tf.newaxis], axis=-1)
    height = tf.maximum(tf.minimum(bottom, other_bottom) - tf.maximum(top, other_top), 0.0)
    width = tf.maximum(tf.minimum(right, other_right) - tf.maximum(left, other_left), 0.0)
    intersection = height * width
    areas = (bottom - top) * (right - left), (other_bottom - other_top) * (other_right - other_left)
    return tf.math.divide_no_nan(intersection, areas[0] + areas[1] - intersection) > iou_threshold


def _swept(boxes, usable, iou_threshold) -> tf.Tensor:
    """[G, N] bool: which of boxes [G, N, 4], by descending score, are kept."""
    place = tf.cast(tf.range(tf.shape(boxes)[1]), tf.float32)
    # [G, N, N]: whether the second would drop the first.
    drops = _overlap(boxes, boxes, iou_threshold) & (place < place[:, tf.newaxis])

    def sweep(before, kept):
        del before
        for _ in range(_SWEEPS):
            before, kept = kept, usable & ~tf.reduce_any(drops & kept[:, tf.newaxis], axis=2)
        return before, kept

    _, kept = tf.while_loop(
        lambda before, kept: tf.reduce_any(before != kept),
        sweep,
        (tf.zeros_like(usable), usable),
        parallel_iterations=1,
    )
    return kept


def _best_of_classes(places, boxes, ordered, order, max_total) -> Kept:
    """The best of all classes, of what each class kept.

    Args:
      places: [B, C, M] float32, places of the kept in the class's order; -1 for none.
      boxes: [B, C * M, 4].
      ordered: [B, C, N'], the class's scores by descending score, and what it is filled up with.
      order: [B, C, N'] int32, which candidates these are of.
      max_total: how many.
    """
    num_clips, per_class = tf.shape(places)[0], places.shape[2]
    total = places.shape[1] * per_class
    found = places >= 0
    at = tf.cast(tf.maximum(places, 0.0), tf.int32)

    def of_kept(values, otherwise):
        return tf.reshape(tf.where(found, values, otherwise), [num_clips, total])

    scores = of_kept(tf.gather(ordered, at, batch_dims=2), -1.0)
    index = of_kept(tf.gather(order, at, batch_dims=2), 0)
    scores, best = tf.math.top_k(scores, min(max_total, total))
    is_kept = scores >= 0
    missing = max(max_total - total, 0)

    def filled_up(values):
        mask = tf.reshape(is_kept, [num_clips, -1, *[1] * (values.shape.rank - 2)])
        values = tf.where(mask, values, tf.zeros([], values.dtype))
        return tf.pad(values, [[0, 0], [0, missing], *[[0, 0]] * (values.shape.rank - 2)])

    return Kept(
        filled_up(tf.gather(boxes, best, batch_dims=1)),
        filled_up(scores),
        filled_up(tf.cast(tf.floor((tf.cast(best, tf.float32) + 0.5) / per_class), tf.int32)),
        tf.cast(tf.reduce_sum(tf.cast(is_kept, tf.float32), axis=1), tf.int32),
        filled_up(tf.gather(index, best, batch_dims=1)),
    )
