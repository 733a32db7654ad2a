"""The first stage on a handful of anchors: its losses, proposals and layers worked by hand."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.core import anchors, structures
from avatx.meta_architectures import proposal_stage

OPTIONS = default(
    proposal_stage.FirstStageOptions,
    box_predictor_kernel_size=1,
    box_predictor_depth=3,
    minibatch_size=16,
    positive_balance_fraction=0.5,
    matched_threshold=0.7,
    unmatched_threshold=0.3,
    nms_score_threshold=0.0,
    nms_iou_threshold=0.7,
    max_proposals=5,
    localization_loss_weight=1.0,
    objectness_loss_weight=1.0,
)
GENERATOR = default(
    anchors.GridAnchorGenerator,
    scales=(1.0, 2.0),
    aspect_ratios=(1.0,),
    base_size=(8.0, 4.0),
    stride=(8.0, 4.0),
    offset=(4.0, 2.0),
)
OBJECTNESS, LOCALIZATION = "Loss/RPNLoss/objectness_loss", "Loss/RPNLoss/localization_loss"


def make(**changed):
    return proposal_stage.ProposalStage(GENERATOR, dataclasses.replace(OPTIONS, **changed))


# One person at [0, 0, 0.5, 0.5]. Cross-entropies: as background ln 4 where the odds of a person
# are 3; the ignored anchor and the one of no area would cost 100 each.
CANDIDATES = structures.FirstStage(
    objectness_logits=tf.constant(
        [[[0, 0], [-50, 50], [0, math.log(3)], [0, math.log(3)], [0, math.log(3)], [-50, 50]]],
        tf.float32,
    ),
    box_encodings=tf.constant([[[0.5, -2.0, 0.0, 0.0]] + [[9.0] * 4] * 5]),
    anchors=tf.constant(
        [
            [0.0, 0.0, 0.5, 0.5],  # the person
            [0.0, 0.0, 0.5, 0.25],  # IoU 0.5: ignored
            [0.6, 0.6, 0.9, 0.9],
            [0.5, 0.0, 0.9, 0.4],
            [0.0, 0.6, 0.3, 0.9],
            [1.0, 0.0, 1.0, 0.5],  # outside of the frame
        ]
    ),
)
PERSON = structures.Groundtruth(
    boxes=tf.constant([[[0.0, 0.0, 0.5, 0.5]]]),
    labels=tf.ones([1, 1, 2]),
    num_boxes=tf.constant([1]),
    sampling_seed=tf.constant([[3, 4]]),
)
LN2, LN4 = math.log(2), math.log(4)
BASE = {OBJECTNESS: (LN2 + 3 * LN4) / 4, LOCALIZATION: (0.125 + 1.5) / 4}


@pytest.mark.parametrize(
    "changed, expected",
    [
        ({}, {}),
        ({"objectness_loss_weight": 2.0}, {OBJECTNESS: 2 * BASE[OBJECTNESS]}),
        ({"localization_loss_weight": 2.0}, {LOCALIZATION: 2 * BASE[LOCALIZATION]}),
        ({"minibatch_size": 2}, {OBJECTNESS: (LN2 + LN4) / 2, LOCALIZATION: 1.625 / 2}),
        ({"minibatch_size": 3}, {OBJECTNESS: (LN2 + 2 * LN4) / 3, LOCALIZATION: 1.625 / 3}),
        # No positive may be drawn: background only.
        ({"positive_balance_fraction": 0.0}, {OBJECTNESS: LN4, LOCALIZATION: 0.0}),
        # The ignored one becomes background, at 100.
        (
            {"unmatched_threshold": 0.6},
            {OBJECTNESS: (LN2 + 3 * LN4 + 100) / 5, LOCALIZATION: 1.625 / 5},
        ),
        # Or a person, rightly called so; its box is (0, 5, 0, 5 ln 2) off, and said 9 throughout.
        (
            {"matched_threshold": 0.5},
            {
                OBJECTNESS: (LN2 + 3 * LN4) / 5,
                LOCALIZATION: (1.625 + 9 + 4 + 9 + 9 - 5 * LN2 - 4 * 0.5) / 5,
            },
        ),
    ],
)
def test_loss(changed, expected):
    losses = make(**changed).loss(CANDIDATES, PERSON)
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(
        {**BASE, **expected}, rel=1e-5
    )


def test_each_clip_draws_from_its_own_seed():
    """Of many unlike anchors two are drawn: the same for the same seed, whatever lies beside."""
    count = 40
    odds = tf.stack([tf.zeros([count]), tf.range(count, dtype=tf.float32)], axis=-1)
    candidates = structures.FirstStage(
        tf.stack([odds] * 3),
        tf.zeros([3, count, 4]),
        tf.constant([[0.5, 0.5, 0.6 + i / 100, 0.9] for i in range(count)]),
    )
    nobody = structures.Groundtruth(
        tf.zeros([3, 0, 4]),
        tf.zeros([3, 0, 2]),
        tf.zeros([3], tf.int32),
        tf.constant([[1, 2], [3, 4], [1, 2]]),
    )
    stage = make(minibatch_size=2)
    whole = float(stage.loss(candidates, nobody)[OBJECTNESS])
    single = []
    for i in range(3):
        clip = tf.nest.map_structure(lambda x, i=i: x[i : i + 1], nobody)
        first = candidates._replace(
            objectness_logits=candidates.objectness_logits[i : i + 1],
            box_encodings=candidates.box_encodings[i : i + 1],
        )
        single.append(float(stage.loss(first, clip)[OBJECTNESS]))
    assert single[0] == single[2] != single[1]
    assert whole == pytest.approx(np.mean(single), rel=1e-5)


# Scores 0.75, 0.5 and 0.9; the first two boxes have an IoU of 0.8; the third, half a side further
# down than its anchor, hangs over the frame. The fourth lies outside.
PROPOSED = structures.FirstStage(
    objectness_logits=tf.constant([[[0, math.log(3)], [0, 0], [0, math.log(9)], [0, 5]]]),
    box_encodings=tf.constant([[[0.0] * 4, [0.0] * 4, [5.0, 0.0, 0.0, 0.0], [0.0, 20.0, 0, 0]]]),
    anchors=tf.constant(
        [[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.4], [0.8, 0.7, 1.0, 0.9], [0.2, 0.5, 0.4, 1.0]]
    ),
)
FIRST, SECOND, THIRD = [0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.4], [0.9, 0.7, 1.0, 0.9]


@pytest.mark.parametrize(
    "changed, boxes, scores",
    [
        ({}, [THIRD, FIRST], [0.9, 0.75]),
        ({"nms_iou_threshold": 0.81}, [THIRD, FIRST, SECOND], [0.9, 0.75, 0.5]),
        ({"max_proposals": 1}, [THIRD], [0.9]),
        ({"nms_score_threshold": 0.8}, [THIRD], [0.9]),
        # Where the score is the threshold it is enough.
        (
            {"nms_score_threshold": 0.5, "nms_iou_threshold": 0.9},
            [THIRD, FIRST, SECOND],
            [0.9, 0.75, 0.5],
        ),
        ({"nms_score_threshold": 0.95}, [], []),
    ],
)
def test_propose(changed, boxes, scores):
    proposals = make(**changed).propose(PROPOSED)
    count = int(proposals.num_proposals[0])
    assert count == len(boxes)
    assert proposals.boxes.shape[1] == proposals.scores.shape[1] == changed.get("max_proposals", 5)
    np.testing.assert_allclose(proposals.scores[0, :count], scores, rtol=1e-5)
    np.testing.assert_allclose(proposals.boxes[0, :count], np.reshape(boxes, [-1, 4]), atol=1e-6)


def test_no_gradient_reaches_logits_or_encodings_through_proposals():
    logits, encodings = PROPOSED.objectness_logits, PROPOSED.box_encodings
    with tf.GradientTape() as tape:
        tape.watch([logits, encodings])
        proposals = make().propose(
            PROPOSED._replace(objectness_logits=logits, box_encodings=encodings)
        )
        total = tf.reduce_sum(proposals.boxes) + tf.reduce_sum(proposals.scores)
    assert tape.gradient(total, [logits, encodings]) == [None, None]


def test_layers_equal_a_loop_over_cells():
    """Kernels of 1 x 1: each cell by itself, ReLU, then two linear layers; cells row by row."""
    stage = make()
    generator = np.random.default_rng(0)
    features = generator.normal(size=[2, 2, 3, 4]).astype(np.float32)
    stage(tf.constant(features), (16, 12))  # makes the variables
    for variable in stage.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    first = stage(tf.constant(features), (16, 12))
    (w, b), (wo, bo), (we, be) = (
        [v.numpy() for v in layer.weights]
        for layer in (stage.conv, stage.objectness, stage.box_encodings)
    )
    assert w.shape == (1, 1, 4, 3)
    for clip in range(2):
        cells = [features[clip, i, j] for i in range(2) for j in range(3)]
        hidden = [np.maximum(cell @ w[0, 0] + b, 0) for cell in cells]
        logits = np.concatenate([(h @ wo[0, 0] + bo).reshape(2, 2) for h in hidden])
        encodings = np.concatenate([(h @ we[0, 0] + be).reshape(2, 4) for h in hidden])
        np.testing.assert_allclose(first.objectness_logits[clip], logits, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(first.box_encodings[clip], encodings, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "changed, shape",
    [({"box_predictor_kernel_size": 3}, (3, 3, 4, 3)), ({"box_predictor_depth": 7}, (1, 1, 4, 7))],
)
def test_size_of_the_layers(changed, shape):
    stage = make(**changed)
    first = stage(tf.zeros([1, 2, 3, 4]), (16, 12))
    assert stage.conv.kernel.shape == shape
    assert first.objectness_logits.shape == (1, 12, 2) and first.box_encodings.shape == (1, 12, 4)


def test_anchors_are_clipped_to_a_frame_that_is_not_square():
    """2 x 3 cells of 8 x 4 pixels in 16 x 12; centres at (4, 2) and on; 8 x 4 and 16 x 8 pixels."""
    expected = []
    for y in (4, 12):
        for x in (2, 6, 10):
            for half_height, half_width in ((4, 2), (8, 4)):
                corners = [y - half_height, x - half_width, y + half_height, x + half_width]
                limits = [16, 12, 16, 12]
                expected.append(
                    [min(max(c, 0), m) / m for c, m in zip(corners, limits, strict=True)]
                )
    first = make()(tf.zeros([1, 2, 3, 4]), (16, 12))
    np.testing.assert_allclose(first.anchors, expected, atol=1e-6)
