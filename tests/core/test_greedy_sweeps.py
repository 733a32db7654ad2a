"""The suppression by sweeps against TensorFlow's own, which a CPU goes on using."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.core import box_ops, greedy_sweeps
from avatx.core.non_max_suppression import NmsImplementation, non_max_suppression

# Clips, candidates, classes, boxes a candidate, IoU, most of a class, most in all, tile.
CASES = {
    "proposals, many tiles": (2, 700, 1, 1, 0.7, 60, 60, 32),
    "proposals, one tile": (2, 700, 1, 1, 0.7, 60, 60, 1024),
    "stops early": (3, 500, 1, 1, 0.9, 5, 5, 16),
    "more room than candidates": (2, 40, 1, 1, 0.5, 300, 300, 16),
    "classes, one box": (2, 90, 7, 1, 0.6, 10, 50, 1024),
    "classes, a box each": (2, 90, 7, 7, 0.6, 100, 300, 25),
    "nothing overlaps too much": (1, 64, 3, 1, 1.0, 100, 100, 10),
    "everything does": (2, 64, 3, 1, 0.0, 100, 100, 10),
}


def made_of(clips, count, classes, per_candidate, seed=0):
    """Clustered boxes, scores without ties, and which of them count; some scores are no number."""
    generator = np.random.default_rng(seed)
    centers = generator.random([clips, 12, 1, 2])
    at = centers[:, generator.integers(0, 12, count)] + generator.normal(
        0, 0.03, [clips, count, per_candidate, 2]
    )
    size = 0.1 + 0.1 * generator.random([clips, count, per_candidate, 2])
    boxes = np.clip(np.concatenate([at - size, at + size], -1), 0, 1).astype(np.float32)
    boxes[:, ::9, :, 2:] = boxes[:, ::9, :, :2]  # empty
    scores = generator.permutation(clips * count * classes).reshape(clips, count, classes)
    scores = (scores / scores.size).astype(np.float32)
    scores[:, 5::31] = np.nan
    usable = (generator.random(scores.shape) < 0.9) & ~np.isnan(scores)
    usable[-1, count // 2 :] = False  # as padding is
    return boxes, scores, usable


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("known", [True, False])
def test_equal_to_tensorflow_bit_by_bit(case, known):
    clips, count, classes, per_candidate, *limits, tile = CASES[case]
    boxes, scores, usable = made_of(clips, count, classes, per_candidate)
    size = count if known else None

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, size, per_candidate, 4]),
            tf.TensorSpec([None, size, classes]),
            tf.TensorSpec([None, size, classes], tf.bool),
        ]
    )
    def both(*candidates):
        combined = NmsImplementation.COMBINED
        theirs = non_max_suppression(*candidates, *limits, combined, with_index=True)
        return theirs, greedy_sweeps.suppress(*candidates, *limits, tile=tile)

    theirs, ours = both(boxes, scores, usable)
    assert int(tf.reduce_min(theirs.count)) > 0
    for name in ("boxes", "scores", "class_index", "count", "index"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)


def rows_of(kept, clip):
    """What is kept of a clip, in an order that does not depend on how ties were broken."""
    columns = (kept.class_index[clip], kept.scores[clip], kept.boxes[clip])
    return sorted(
        (int(c), float(s), tuple(map(float, b))) for c, s, b in zip(*columns, strict=True)
    )


def test_ties_among_boxes_apart_are_kept_alike():
    generator = np.random.default_rng(3)
    corner = np.stack(np.meshgrid(*[np.arange(8) / 8] * 2, indexing="ij"), -1).reshape(64, 1, 2)
    boxes = np.concatenate([corner, corner + 0.12], -1).astype(np.float32)[np.newaxis]
    scores = (generator.integers(1, 4, [1, 64, 3]) / 4).astype(np.float32)
    usable = np.ones_like(scores, bool)
    limits = (0.3, 64, 192)
    ours = greedy_sweeps.suppress(boxes, scores, usable, *limits, tile=10)
    theirs = non_max_suppression(boxes, scores, usable, *limits, NmsImplementation.COMBINED)
    assert rows_of(ours, 0) == rows_of(theirs, 0) and int(ours.count[0]) == 192


@pytest.mark.parametrize("tile", [7, 1024])
def test_of_equal_scores_the_first_goes_first(tile):
    """TensorFlow's takes any of them: its sort is not stable."""
    generator = np.random.default_rng(4)
    boxes, _, _ = made_of(1, 80, 1, 1)
    boxes[:, 1::9] = boxes[:, ::9][:, : boxes[:, 1::9].shape[1]]  # and equal boxes
    scores = (generator.integers(1, 4, [1, 80, 1]) / 4).astype(np.float32)
    usable = generator.random(scores.shape) < 0.9
    kept = greedy_sweeps.suppress(boxes, scores, usable, 0.3, 30, 30, tile=tile)
    overlap = box_ops.iou(boxes[0, :, 0], boxes[0, :, 0]).numpy()
    expected: list[int] = []
    for index in np.argsort(-scores[0, :, 0], kind="stable"):
        if usable[0, index, 0] and not (overlap[index, expected] > 0.3).any():
            expected.append(int(index))
    assert kept.index[0, : int(kept.count[0])].numpy().tolist() == expected[:30]


def test_a_chain_longer_than_the_sweeps_between_two_looks():
    """Each box drops the next one: every other one stays, which takes as many sweeps as boxes."""
    left = np.arange(60, dtype=np.float32)[:, np.newaxis] * 0.01
    boxes = np.concatenate([left * 0, left, left * 0 + 1, left + 0.021], -1)[np.newaxis, :, None]
    scores = np.linspace(0.9, 0.1, 60, dtype=np.float32).reshape(1, 60, 1)
    kept = greedy_sweeps.suppress(boxes, scores, np.ones_like(scores, bool), 0.3, 60, 60)
    assert kept.index[0, : int(kept.count[0])].numpy().tolist() == list(range(0, 60, 2))


@pytest.mark.parametrize("clips, count", [(0, 5), (2, 0), (2, 5)])
def test_nothing_to_keep(clips, count):
    boxes, scores = tf.zeros([clips, count, 1, 4]), tf.zeros([clips, count, 2])
    kept = greedy_sweeps.suppress(boxes, scores, tf.zeros_like(scores, tf.bool), 0.5, 3, 4)
    assert kept.boxes.shape == (clips, 4, 4) and kept.count.numpy().tolist() == [0] * clips
    assert not np.any(kept.index) and not np.any(kept.scores)


def test_compiled_by_xla_it_is_the_same():
    candidates = made_of(2, 200, 4, 1)
    limits = (0.6, 30, 60)
    plain = greedy_sweeps.suppress(*candidates, *limits, tile=64)

    def run():  # constants, so that XLA knows the sizes
        return greedy_sweeps.suppress(*map(tf.constant, candidates), *limits, tile=64)

    compiled = tf.function(run, jit_compile=True)()
    for ours, theirs in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
