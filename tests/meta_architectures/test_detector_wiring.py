"""What the detector hands from one part to the next, seen on a trunk that computes nothing."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.core import anchors, cell_positions, structures
from avatx.core.cell_positions import Window
from avatx.layers.roi_pool import RoiPool
from avatx.meta_architectures import (
    action_faster_rcnn,
    clip_preprocessing,
    post_processing,
    proposal_stage,
    second_stage,
)
from avatx.predictors import tx

CLASSES = 3
HEIGHT, WIDTH = 32, 48


class Every(tf_keras.Model):
    """Every second frame, every 16th row and column of a clip, as it is."""

    input_channels = 3

    def __init__(self):
        super().__init__()
        self.modes = []

    def call(self, clips, training=False):
        self.modes.append(training)
        return tf.repeat(clips[:, ::2, ::16, ::16], 2, axis=-1)

    def cell_positions(self, clip_size):
        return cell_positions.cell_positions([Window((1, 1, 1), (2, 16, 16))], clip_size)


def make(class_specific_boxes=False, **options):
    generator = default(
        anchors.GridAnchorGenerator, (0.5, 1.0), (1.0,), (32.0, 32.0), (16.0, 16.0), (8.0, 8.0)
    )
    options.setdefault("post_processing", default(post_processing.PostProcessing))
    model = action_faster_rcnn.ActionFasterRCNN(
        image_size=(HEIGHT, WIDTH),
        trunk=Every(),
        proposal_stage=proposal_stage.ProposalStage(
            generator,
            default(proposal_stage.FirstStageOptions, box_predictor_depth=4, max_proposals=5),
        ),
        box_predictor=tx.TxBoxPredictor(
            CLASSES,
            default(
                tx.TxOptions,
                num_layers=3,
                num_heads=2,
                depth=4,
                dropout=0.0,
                query=tx.Query.HIGH_RES,
                query_reduction_depth=3,
                feed_forward_depth=4,
            ),
            roi_pool=default(RoiPool, name="roi_pool"),
            class_specific_boxes=class_specific_boxes,
        ),
        second_stage=second_stage.SecondStage(
            default(second_stage.SecondStageOptions, batch_size=4)
        ),
        **options,
    )
    model.create_variables()
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(scale=0.5, size=variable.shape))
    return model


def clips(frames):
    values = np.random.default_rng(1).normal(size=[1, frames, HEIGHT, WIDTH, 3])
    return tf.constant(values, tf.float32)


def frames_that_reach(tape, target, source):
    """Which frames of a clip a number depends on."""
    gradient = np.abs(tape.gradient(target, source)).sum(axis=(0, 2, 3, 4))
    return np.flatnonzero(gradient).tolist()


# Clips of 8 frames give feature frames 0, 2, 4, 6, of 10 one more: the middle one is frame 4.
@pytest.mark.parametrize("frames", [8, 10])
def test_people_are_found_and_asked_about_in_the_same_frame(frames):
    model, clip = make(), clips(frames)
    for unit in model.box_predictor.units:
        unit.key_value.kernel.assign(tf.zeros_like(unit.key_value.kernel))  # the memory is mute
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(clip)
        predictions = model.predict(clip)
        objectness = tf.reduce_sum(predictions.first_stage.objectness_logits[..., 1])
        boxes = tf.reduce_sum(predictions.first_stage.box_encodings)
        classes = tf.reduce_sum(predictions.box_predictions.class_logits[..., 1])
    assert frames_that_reach(tape, objectness, clip) == [4]
    assert frames_that_reach(tape, boxes, clip) == [4]
    assert frames_that_reach(tape, classes, clip) == [4]


def test_anchors_are_those_of_a_frame_that_is_not_square():
    first = make().predict(clips(4)).first_stage
    # 2 x 3 cells; the first has its centre at (8, 8) and sides of 16, then of 32, pixels.
    assert first.anchors.shape == (12, 4)
    np.testing.assert_allclose(first.anchors[0], [0, 0, 16 / 32, 16 / 48], atol=1e-6)
    np.testing.assert_allclose(first.anchors[1], [0, 0, 24 / 32, 24 / 48], atol=1e-6)
    np.testing.assert_allclose(first.anchors[4], [0, 32 / 48, 16 / 32, 1], atol=1e-6)


def predictions_of(class_logits, box_encodings, boxes, count):
    return structures.Predictions(
        features=None,
        first_stage=None,
        proposals=structures.Proposals(
            tf.constant([boxes]), tf.zeros([1, len(boxes)]), tf.constant([count])
        ),
        box_predictions=structures.BoxPredictions(
            tf.constant([class_logits]), tf.constant([box_encodings])
        ),
    )


L3 = float(np.log(3))
BOXES = [[0.2, 0.2, 0.4, 0.6], [0.6, 0.5, 0.9, 0.9], [0.0, 0.0, 1.0, 1.0]]


def test_detections_of_two_proposals():
    """Background is no class; a score is the sigmoid of its logit; half a side down is 5."""
    model = make(post_processing=default(post_processing.PostProcessing, 0.3, 0.5, 4, 4))
    logits = [[50.0, L3, -9.0, -9.0], [50.0, -9.0, -9.0, 0.0], [50.0] * 4]
    encodings = [[[5.0, 0.0, 0.0, 0.0]], [[0.0, 5.0, 0.0, 0.0]], [[0.0] * 4]]
    found = model.postprocess(predictions_of(logits, encodings, BOXES, 2))
    assert found.num_detections.numpy().tolist() == [2]
    assert found.classes.numpy().tolist() == [[1, 3, 0, 0]]
    np.testing.assert_allclose(found.scores[0], [0.75, 0.5, 0, 0], rtol=1e-5)
    # The second is moved by 0.2 to the right, and cut off at the frame.
    expected = [[0.3, 0.2, 0.5, 0.6], [0.6, 0.7, 0.9, 1.0]]
    np.testing.assert_allclose(found.boxes[0, :2], expected, atol=1e-6)
    assert found.proposal_index.numpy().tolist() == [[0, 1, 0, 0]]


def test_a_class_has_its_own_box():
    model = make(True, post_processing=default(post_processing.PostProcessing, 0.3, 0.5, 4, 4))
    logits = [[50.0, L3, -9.0, 0.0]]
    encodings = [[[5.0, 0.0, 0.0, 0.0], [9.0] * 4, [0.0, 5.0, 0.0, 0.0]]]
    found = model.postprocess(predictions_of(logits, encodings, BOXES[:1], 1))
    assert found.classes.numpy().tolist() == [[1, 3, 0, 0]]
    expected = [[0.3, 0.2, 0.5, 0.6], [0.2, 0.4, 0.4, 0.8]]
    np.testing.assert_allclose(found.boxes[0, :2], expected, atol=1e-6)


GROUNDTRUTH = structures.Groundtruth(
    boxes=tf.constant([[[0.1, 0.1, 0.6, 0.5], [0.2, 0.2, 0.9, 0.9]]]),
    labels=tf.constant([[[1.0, 0, 1], [0, 1, 0]]]),
    num_boxes=tf.constant([2]),
    sampling_seed=tf.constant([[1, 2]]),
)


def test_trunk_and_head_are_told_whether_they_train():
    model = make()
    model.trunk.modes.clear()
    seen = []
    head = model.box_predictor
    call = head.call
    head.call = lambda *args, training=False, **kwargs: (
        seen.append(training) or call(*args, training=training, **kwargs)
    )
    model.predict(clips(4), GROUNDTRUTH, training=True)
    model.predict(clips(4), GROUNDTRUTH)
    assert [bool(mode) for mode in model.trunk.modes] == [True, False]
    assert [bool(mode) for mode in seen] == [True, False]


def test_predictions_hold_attention_when_asked_and_targets_when_training():
    model = make()
    assert model.predict(clips(4)).box_predictions.attention == ()
    asked = model.predict(clips(4), attention=True).box_predictions.attention
    assert [maps.shape for maps in asked] == [(1, 5, 2, 2, 2, 3)] * 3
    assert model.predict(clips(4)).targets == ()
    (targets,) = model.predict(clips(4), GROUNDTRUTH, training=True).targets
    assert targets.sampled.shape == (1, 4)


def test_annotated_boxes_as_proposals_have_their_classes_and_no_boxes_to_learn():
    model = make(proposal_source=action_faster_rcnn.ProposalSource.GROUNDTRUTH)
    for training in (True, False):
        predictions = model.predict(clips(4), GROUNDTRUTH, training=training)
        np.testing.assert_allclose(predictions.proposals.boxes, GROUNDTRUTH.boxes)
        losses = model.loss(predictions, GROUNDTRUTH)
        logits = predictions.box_predictions.class_logits[0].numpy()
        targets = np.array([[0, 1, 0, 1], [0, 0, 1, 0]])
        expected = (np.log1p(np.exp(logits)) - targets * logits).sum() / 2
        name = "Loss/BoxClassifierLoss/classification_loss"
        assert float(losses[name]) == pytest.approx(expected, rel=1e-4)
        assert float(losses["Loss/BoxClassifierLoss/localization_loss"]) == 0


def test_annotated_people_are_not_suppressed_and_not_refined():
    model = make(
        proposal_source=action_faster_rcnn.ProposalSource.GROUNDTRUTH,
        post_processing=default(post_processing.PostProcessing, 0.3, 0.5, 4, 4),
    )
    boxes = [[0.2, 0.2, 0.4, 0.6], [0.2, 0.2, 0.4, 0.6], [0.0, 0.0, 1.0, 1.0]]
    logits = [[0.0, L3, -9.0, -9.0], [0.0, 0.0, -9.0, -9.0], [9.0] * 4]
    found = model.postprocess(predictions_of(logits, [[[9.0] * 4]] * 3, boxes, 2))
    assert found.num_detections.numpy().tolist() == [2]
    np.testing.assert_allclose(found.scores[0, :2], [0.75, 0.5], rtol=1e-5)
    np.testing.assert_allclose(found.boxes[0, :2], boxes[:2])


def test_a_clip_of_another_size_is_resized_and_scaled():
    model = make()
    black_above = np.zeros([1, 1, 2 * HEIGHT, 2 * WIDTH, 3], np.uint8)
    black_above[:, :, HEIGHT:] = 255
    prepared = model.preprocess(tf.constant(black_above)).numpy()
    assert prepared.shape == (1, 1, HEIGHT, WIDTH, 3) and prepared.dtype == np.float32
    np.testing.assert_allclose(prepared[0, 0, : HEIGHT // 2], -1.0)
    np.testing.assert_allclose(prepared[0, 0, HEIGHT // 2 :], 1.0)


def test_resizing_interpolates_between_the_centres_of_pixels():
    """Rows 0 and 200 to four rows: 0, 50, 150, 200."""
    clip = np.zeros([1, 1, 2, 1, 3], np.float32)
    clip[:, :, 1] = 200.0
    resized = clip_preprocessing.normalized_clips(tf.constant(clip), (4, 1))
    expected = np.array([0, 50, 150, 200]) / 127.5 - 1
    np.testing.assert_allclose(resized[0, 0, :, 0, 0], expected, atol=1e-6)
