"""The second stage on a handful of proposals: what is sampled, and its losses, by hand."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.core import sampling, structures
from avatx.meta_architectures import second_stage

OPTIONS = default(
    second_stage.SecondStageOptions,
    batch_size=4,
    balance_fraction=0.5,
    matched_threshold=0.5,
    localization_loss_weight=1.0,
    classification_loss_weight=1.0,
)
CLASSIFICATION = "Loss/BoxClassifierLoss/classification_loss"
LOCALIZATION = "Loss/BoxClassifierLoss/localization_loss"

PERSON = [0.0, 0.0, 0.5, 0.5]
NEARLY = [0.0, 0.0, 0.5, 0.25]  # IoU 0.5
ELSEWHERE = [[0.6, 0.6, 0.9, 0.9], [0.6, 0.0, 0.9, 0.4], [0.0, 0.6, 0.4, 0.9], [0.6, 0.5, 0.8, 0.8]]
GROUNDTRUTH = structures.Groundtruth(
    boxes=tf.constant([[PERSON]]),
    labels=tf.constant([[[1.0, 0.0, 1.0]]]),
    num_boxes=tf.constant([1]),
    sampling_seed=tf.constant([[1, 2]]),
)
# Five and one of padding, which lies on the person.
PROPOSALS = structures.Proposals(
    boxes=tf.constant([[*ELSEWHERE, NEARLY, PERSON]]),
    scores=tf.constant([[0.8, 0.7, 0.6, 0.5, 0.9, 0.4]]),
    num_proposals=tf.constant([5]),
)


def make(**changed):
    return second_stage.SecondStage(dataclasses.replace(OPTIONS, **changed))


@pytest.mark.parametrize(
    "changed, entries, positives, negatives",
    [
        ({}, 4, [PERSON, NEARLY], 2),
        ({"balance_fraction": 0.0}, 4, [], 4),
        ({"matched_threshold": 0.51}, 4, [PERSON], 3),
        ({"batch_size": 3, "balance_fraction": 0.7}, 3, [PERSON, NEARLY], 1),
        ({"batch_size": 20}, 7, [PERSON, NEARLY], 4),
        # Positives that are not drawn come back where there is room, as nothing.
        ({"batch_size": 20, "balance_fraction": 0.0}, 7, [], 4),
    ],
)
def test_sample(changed, entries, positives, negatives):
    proposals, targets = make(**changed).sample(PROPOSALS, GROUNDTRUTH)
    count = len(positives) + negatives
    assert proposals.boxes.shape[1] == entries
    assert proposals.num_proposals.numpy().tolist() == [count]
    assert targets.sampled.numpy().tolist() == [[True] * count + [False] * (entries - count)]
    expected = [True] * len(positives) + [False] * (entries - len(positives))
    assert targets.positive.numpy().tolist() == [expected]
    boxes = proposals.boxes[0].numpy()
    assert sorted(boxes[: len(positives)].tolist()) == sorted(positives)
    np.testing.assert_array_equal(boxes[count:], 0)
    others = ELSEWHERE + ([NEARLY] if changed.get("matched_threshold") else [])
    others = {tuple(np.float32(box)) for box in others}
    assert {tuple(box) for box in boxes[len(positives) : count]} <= others
    scores = {tuple(np.float32(PERSON)): 1.0}
    scores |= {
        tuple(np.float32(b)): s
        for b, s in zip([NEARLY, *ELSEWHERE], [0.9, 0.8, 0.7, 0.6, 0.5], strict=False)
    }
    for box, score in zip(boxes[:count], proposals.scores[0, :count].numpy(), strict=False):
        assert score == pytest.approx(scores[tuple(box)])
    for target, positive in zip(
        targets.class_targets[0].numpy().tolist()[:count], expected, strict=False
    ):
        assert target == ([0, 1, 0, 1] if positive else [1, 0, 0, 0])


def test_sample_of_proposals_alone():
    alone = make(add_groundtruth_boxes=False)
    proposals, targets = alone.sample(PROPOSALS, GROUNDTRUTH)
    assert targets.positive.numpy().tolist() == [[True, False, False, False]]
    assert proposals.boxes[0, 0].numpy().tolist() == NEARLY  # and not PERSON
    assert {tuple(box) for box in proposals.boxes[0, 1:].numpy()} < {
        tuple(np.float32(box)) for box in ELSEWHERE
    }
    # Nobody is found well enough: a clip with a person and no positive.
    proposals, targets = make(add_groundtruth_boxes=False, matched_threshold=0.51).sample(
        PROPOSALS, GROUNDTRUTH
    )
    assert not targets.positive.numpy().any() and targets.sampled.numpy().all()
    np.testing.assert_array_equal(targets.class_targets[0], [[1, 0, 0, 0]] * 4)


def test_the_draw_among_proposals_does_not_depend_on_the_groundtruth_boxes():
    drawn = [
        make(add_groundtruth_boxes=added, batch_size=2, balance_fraction=0.0)
        .sample(PROPOSALS, GROUNDTRUTH)[0]
        .boxes.numpy()
        for added in (False, True)
    ]
    np.testing.assert_array_equal(*drawn)


def test_one_positive_by_the_fraction():
    _, targets = make(balance_fraction=0.25).sample(PROPOSALS, GROUNDTRUTH)
    assert targets.positive.numpy().tolist() == [[True, False, False, False]]
    assert targets.sampled.numpy().tolist() == [[True] * 4]


def test_the_stages_draw_from_seeds_of_their_own():
    """Which 4 of 40 people, and which 4 of 40 proposals, are not those of one row of numbers."""
    count = 40
    boxes = tf.constant([[[i / 50, 0.0, i / 50 + 0.01, 0.2] for i in range(count)]])
    people = structures.Groundtruth(
        boxes, tf.ones([1, count, 3]), tf.constant([count]), tf.constant([[5, 6]])
    )
    others = structures.Proposals(
        boxes + [0, 0.5, 0, 0.5], tf.ones([1, count]), tf.constant([count])
    )
    proposals, _ = make(batch_size=8).sample(others, people)
    drawn = proposals.boxes[0, :, 0].numpy() * 50
    of_people, of_others = (set(np.round(part).astype(int)) for part in (drawn[:4], drawn[4:]))
    priorities = sampling.random_priorities(people.sampling_seed, count)[0].numpy()
    of_first_stage = set(np.argsort(-priorities)[:4])
    assert len(of_people) == len(of_others) == 4
    assert of_people != of_others and of_first_stage not in (of_people, of_others)


def test_assign_takes_all_but_padding():
    targets = make().assign(PROPOSALS, GROUNDTRUTH)
    assert targets.sampled.numpy().tolist() == [[True] * 5 + [False]]
    assert targets.positive.numpy().tolist() == [[False] * 4 + [True, False]]
    targets = make(matched_threshold=0.51).assign(PROPOSALS, GROUNDTRUTH)
    assert not targets.positive.numpy().any()


def test_groundtruth_as_proposals_leaves_empty_boxes_out_and_keeps_the_order():
    truth = structures.Groundtruth(
        tf.constant([[[0.1] * 4, PERSON, [0.5, 0.5, 0.2, 0.2], NEARLY, ELSEWHERE[0]]]),
        tf.zeros([1, 5, 3]),
        tf.constant([4]),
        tf.zeros([1, 2], tf.int32),
    )
    proposals = second_stage.groundtruth_proposals(truth)
    assert proposals.num_proposals.numpy().tolist() == [2]
    np.testing.assert_allclose(proposals.boxes[0, :2], [PERSON, NEARLY])
    np.testing.assert_allclose(proposals.boxes[0, 2:], 0)
    assert proposals.scores.numpy().tolist() == [[1, 1, 0, 0, 0]]


# A person of classes 1 and 3, twice background, and one that is positive but was not drawn.
TARGETS = structures.SecondStageTargets(
    class_targets=tf.constant([[[0.0, 1, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1]]]),
    box_targets=tf.constant([[[1.0, 0, 0, 0], [0] * 4, [0] * 4, [7] * 4]]),
    positive=tf.constant([[True, False, False, True]]),
    sampled=tf.constant([[True, True, True, False]]),
)
L2, L3 = math.log(2), math.log(3)
LOGITS = tf.constant([[[0.0, L3, 0, -L3], [L3, 0, 0, 0], [0] * 4, [50] * 4]])
# sigmoid(ln 3) = 3/4: the person costs ln 2 + ln 4/3 + ln 2 + ln 4, the background ln 4/3 + 3 ln 2
# and 4 ln 2; by three samples.
CLASSES = (2 * L2 + math.log(4 / 3) + 2 * L2 + math.log(4 / 3) + 3 * L2 + 4 * L2) / 3
FOR_ALL = tf.constant([[[[0.5, 0, 0, 3.0]], [[9.0] * 4], [[9.0] * 4], [[9.0] * 4]]])
# Errors of class 1: 0.5; of class 2: many; of class 3: 1 and 2. Of the two that the person does the
# first one's box is trained.
BY_CLASS = tf.constant([[[[0.5, 0, 0, 0], [9.0] * 4, [0, 0, 0, 2.0]]] + [[[9.0] * 4] * 3] * 3])


@pytest.mark.parametrize(
    "encodings, boxes",
    [(FOR_ALL, (0.125 + 2.5) / 3), (BY_CLASS, 0.125 / 3)],
)
@pytest.mark.parametrize("weight", ["classification_loss_weight", "localization_loss_weight", None])
def test_loss(encodings, boxes, weight):
    losses = make(**({weight: 2.0} if weight else {})).loss(
        structures.BoxPredictions(LOGITS, encodings), TARGETS
    )
    expected = {
        CLASSIFICATION: CLASSES * (2 if weight == "classification_loss_weight" else 1),
        LOCALIZATION: boxes * (2 if weight == "localization_loss_weight" else 1),
    }
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(expected, rel=1e-5)


def test_class_specific_loss_does_not_depend_on_the_number_of_labels():
    """A person who does one thing more weighs no more; one without a label has no box to train."""
    predictions = structures.BoxPredictions(LOGITS, BY_CLASS)
    found = []
    for person in ([0.0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]):
        classes = tf.concat([[[person]], TARGETS.class_targets[:, 1:]], axis=1)
        losses = make().loss(predictions, TARGETS._replace(class_targets=classes))
        found.append(float(losses[LOCALIZATION]))
    assert found == pytest.approx([0.125 / 3] * 3 + [(0.5 + 1.5) / 3, 0], rel=1e-5)


def test_focal_loss_in_place_of_the_logistic():
    """sigmoid(ln 3) = 3/4; gamma 1, alpha 1/4, by three samples."""
    focal = make(
        classification_loss=second_stage.ClassificationLoss.SIGMOID_FOCAL,
        focal_loss_gamma=1.0,
        focal_loss_alpha=0.25,
    )
    losses = focal.loss(structures.BoxPredictions(LOGITS, FOR_ALL), TARGETS)
    right, half = math.log(4 / 3) / 4, L2 / 2  # of 3/4, and of 1/2
    person = 0.75 * half + 0.25 * right + 0.75 * half + 0.25 * (math.log(4) * 3 / 4)
    first = 0.25 * right + 3 * 0.75 * half
    second = 0.25 * half + 3 * 0.75 * half
    expected = (person + first + second) / 3
    assert float(losses[CLASSIFICATION]) == pytest.approx(expected, rel=1e-5)
    plain = make().loss(structures.BoxPredictions(LOGITS, FOR_ALL), TARGETS)
    assert losses[LOCALIZATION] == plain[LOCALIZATION]
