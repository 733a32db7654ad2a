"""proposal_source EXTERNAL: the boxes are given with the clips."""

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_detector import NUM_CLASSES, clip_of, random_batch, small_model

from avatx.core.structures import Proposals
from avatx.meta_architectures.action_faster_rcnn import ProposalSource
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions, given_proposals

# Overlapping people are all kept: suppression is off with these sources.
SUPPRESSING = default(PostProcessing, iou_threshold=0.0)


def make(source, add_groundtruth_boxes=False):
    model = small_model(proposal_source=source, post_processing=SUPPRESSING)
    options = default(SecondStageOptions, batch_size=2, add_groundtruth_boxes=add_groundtruth_boxes)
    model.second_stage = SecondStage(options)
    return model


def as_given(groundtruth):
    return Proposals(
        groundtruth.boxes, tf.ones_like(groundtruth.boxes[..., 0]), groundtruth.num_boxes
    )


def run(model, clips, groundtruth, given=None, training=False):
    options = {} if given is None else {"person_boxes": given}
    predictions = model.predict(
        model.preprocess(clips), groundtruth, training, attention=True, **options
    )
    return predictions, model.loss(predictions, groundtruth), model.postprocess(predictions)


@pytest.mark.parametrize("training", [False, True])
def test_the_annotated_boxes_give_what_the_groundtruth_source_gives(training):
    clips, groundtruth = random_batch()
    expected = run(make(ProposalSource.GROUNDTRUTH), clips, groundtruth, None, training)
    found = run(make(ProposalSource.EXTERNAL), clips, groundtruth, as_given(groundtruth), training)
    assert found[0].proposals.num_proposals.numpy().tolist() == [3, 2, 1]
    assert found[2].num_detections.numpy().tolist() == [n * NUM_CLASSES for n in (3, 2, 1)]
    for one, other in zip(tf.nest.flatten(expected), tf.nest.flatten(found), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_boxes_come_out_as_they_went_in_and_nothing_is_refined():
    clips, groundtruth = random_batch()
    boxes = tf.constant([[[0.1, 0.2, 0.5, 0.6], [0.1, 0.2, 0.5, 0.61]]] * 3)
    given = Proposals(boxes, tf.constant([[0.9, 0.3]] * 3), tf.constant([2, 1, 0]))
    _, losses, detections = run(make(ProposalSource.EXTERNAL), clips, groundtruth, given)
    assert detections.num_detections.numpy().tolist() == [2 * NUM_CLASSES, NUM_CLASSES, 0]
    found = {tuple(box) for box in detections.boxes[0, : 2 * NUM_CLASSES].numpy()}
    assert found == {tuple(box) for box in boxes[0].numpy()}
    assert losses["Loss/BoxClassifierLoss/localization_loss"] == 0


@pytest.mark.parametrize("in_graph", [False, True])
def test_no_box_at_all_is_nobody(in_graph):
    clips, _ = random_batch()
    model = make(ProposalSource.EXTERNAL)

    def detect(boxes):
        given = Proposals(boxes, boxes[..., 0], tf.zeros([3], tf.int32))
        predictions = model.predict(model.preprocess(clips), attention=True, person_boxes=given)
        return model.postprocess(predictions)

    if in_graph:  # where nothing is known of R
        detect = tf.function(detect, [tf.TensorSpec([None, None, 4])], autograph=False)
    assert detect(tf.zeros([3, 0, 4])).num_detections.numpy().tolist() == [0, 0, 0]


def test_a_batch_equals_its_clips_one_by_one():
    clips, groundtruth = random_batch()
    given = as_given(random_batch(seed=1)[1])
    model = make(ProposalSource.EXTERNAL, add_groundtruth_boxes=True)
    for training in (False, True):
        predictions, losses, _ = run(model, clips, groundtruth, given, training)
        alone = [
            run(model, clips[i : i + 1], clip_of(groundtruth, i), clip_of(given, i), training)
            for i in range(3)
        ]
        for name in losses:
            mean = np.mean([one[1][name] for one in alone])
            np.testing.assert_allclose(losses[name], mean, rtol=1e-4, atol=1e-6, err_msg=name)
        for clip in range(3):
            count = int(predictions.proposals.num_proposals[clip])
            assert count == int(alone[clip][0].proposals.num_proposals[0])
            whole = predictions.box_predictions.class_logits[clip, :count]
            single = alone[clip][0].box_predictions.class_logits[0, :count]
            np.testing.assert_allclose(whole, single, atol=1e-4)


def test_padding_and_empty_boxes_change_nothing():
    clips, groundtruth = random_batch()
    given = as_given(random_batch(seed=1)[1])
    empty = tf.constant([[[0.4, 0.4, 0.4, 0.9]]] * 3)  # in front, and counted
    padded = Proposals(
        tf.pad(
            tf.concat([empty, given.boxes], axis=1), [[0, 0], [0, 4], [0, 0]], constant_values=0.7
        ),
        tf.pad(given.scores, [[0, 0], [1, 4]], constant_values=1.0),
        given.num_proposals + 1,
    )
    model = make(ProposalSource.EXTERNAL, add_groundtruth_boxes=True)
    for training in (False, True):
        _, expected, detections = run(model, clips, groundtruth, given, training)
        _, losses, found = run(model, clips, groundtruth, padded, training)
        for name in expected:
            np.testing.assert_allclose(losses[name], expected[name], rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(found.num_detections, detections.num_detections)
        np.testing.assert_allclose(found.scores, detections.scores, atol=1e-5)


def test_training_mixes_them_with_the_groundtruth_as_configured():
    clips, groundtruth = random_batch()  # of 3, 2 and 1 people
    given = Proposals(
        tf.constant([[[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.5, 0.6]]] * 3),  # of nobody; empty
        tf.constant([[0.5, 0.4]] * 3),
        tf.constant([2, 2, 2]),
    )
    for mixed, counts in ((False, [1, 1, 1]), (True, [4, 3, 2])):
        model = make(ProposalSource.EXTERNAL, add_groundtruth_boxes=mixed)
        predictions, losses, _ = run(model, clips, groundtruth, given, training=True)
        (targets,) = predictions.targets
        assert predictions.proposals.num_proposals.numpy().tolist() == counts
        assert targets.sampled.numpy().sum(axis=1).tolist() == counts  # all, whatever batch_size
        assert targets.positive.numpy().sum(axis=1).tolist() == [c - 1 for c in counts]
        assert losses["Loss/BoxClassifierLoss/classification_loss"] > 0
        assert losses["Loss/BoxClassifierLoss/localization_loss"] == 0
        # After training the groundtruth is never looked at.
        predictions, _, _ = run(model, clips, groundtruth, given)
        assert predictions.proposals.num_proposals.numpy().tolist() == [1, 1, 1]


def test_valid_boxes_come_first_in_their_order():
    boxes = tf.constant([[[0.0, 0, 0, 0], [0, 0, 0.2, 0.2], [0, 0, 0.1, 0], [0, 0, 0.3, 0.3]]])
    found = given_proposals(Proposals(boxes, tf.constant([[0.9, 0.8, 0.7, 0.6]]), tf.constant([3])))
    assert found.num_proposals.numpy().tolist() == [1]
    np.testing.assert_allclose(found.boxes[0], [[0, 0, 0.2, 0.2], [0] * 4, [0] * 4, [0] * 4])
    np.testing.assert_allclose(found.scores[0], [0.8, 0, 0, 0])


def test_without_boxes_it_says_what_is_missing():
    clips, groundtruth = random_batch()
    with pytest.raises(ValueError, match="EXTERNAL needs person_boxes"):
        run(make(ProposalSource.EXTERNAL), clips, groundtruth)
