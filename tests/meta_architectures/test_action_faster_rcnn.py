import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default
from small_detector import NUM_CLASSES, SmallTrunk, clip_of, random_batch, small_model

from avatx.core import box_ops
from avatx.core.cell_positions import Window
from avatx.core.structures import Groundtruth
from avatx.layers.roi_pool import RoiAlignment, RoiPool
from avatx.meta_architectures.action_faster_rcnn import CentralFrame, ProposalSource
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import ProposalStage
from avatx.trunks.i3d import I3D

LOSSES = {
    "Loss/RPNLoss/objectness_loss",
    "Loss/RPNLoss/localization_loss",
    "Loss/BoxClassifierLoss/classification_loss",
    "Loss/BoxClassifierLoss/localization_loss",
}


def losses_and_gradients(model, clips, groundtruth):
    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            predictions = model.predict(model.preprocess(clips), groundtruth, training=True)
            losses = model.loss(predictions, groundtruth)
            total = tf.add_n(list(losses.values()))
        return losses, tape.gradient(total, model.trainable_variables)

    return run()


def test_preprocess_resizes_and_scales(model):
    clips = tf.fill([2, 3, 10, 20, 3], tf.constant(255, tf.uint8))
    preprocessed = model.preprocess(clips)
    assert preprocessed.shape == (2, 3, *model.image_size, 3) and preprocessed.dtype == tf.float32
    np.testing.assert_allclose(preprocessed, 1.0)
    np.testing.assert_allclose(model.preprocess(tf.zeros([1, 1, 7, 7, 3])), -1.0)
    same_size = tf.random.uniform([1, 2, *model.image_size, 3], 0, 255)
    np.testing.assert_allclose(model.preprocess(same_size), same_size / 127.5 - 1, atol=1e-5)


def test_frames_of_the_right_size_are_not_resized(model):
    """A GPU has no kernel for resizing uint8: every training step would go through the CPU."""
    spec = tf.TensorSpec([None, 4, *model.image_size, 3], tf.uint8)
    graph = tf.function(model.preprocess).get_concrete_function(spec).graph
    assert not [op.name for op in graph.get_operations() if op.type.startswith("Resize")]
    clips = np.arange(2 * 4 * np.prod(model.image_size) * 3) % 256
    clips = clips.reshape([2, 4, *model.image_size, 3]).astype(np.uint8)
    np.testing.assert_allclose(model.preprocess(tf.constant(clips)), clips / 127.5 - 1, atol=1e-6)


def test_a_batch_equals_its_clips_one_by_one(predict):
    clips, groundtruth = random_batch()
    for training in (False, True):
        predictions, losses = predict(clips, groundtruth, training)
        alone = [predict(clips[i : i + 1], clip_of(groundtruth, i), training) for i in range(3)]
        assert set(losses) == LOSSES
        for name in LOSSES:
            mean = np.mean([clip_losses[name] for _, clip_losses in alone])
            np.testing.assert_allclose(losses[name], mean, rtol=1e-4, err_msg=name)
        for name in ("proposals", "box_predictions", "targets"):
            parts = [tf.nest.flatten(getattr(one, name)) for one, _ in alone]
            for whole, *single in zip(
                tf.nest.flatten(getattr(predictions, name)), *parts, strict=True
            ):
                whole, single = (tf.cast(t, tf.float32) for t in (whole, tf.concat(single, 0)))
                np.testing.assert_allclose(whole, single, atol=1e-4, err_msg=name)


def test_padding_of_the_groundtruth_changes_nothing(predict):
    clips, groundtruth = random_batch()
    padded = groundtruth._replace(
        boxes=tf.pad(groundtruth.boxes, [[0, 0], [0, 5], [0, 0]], constant_values=0.7),
        labels=tf.pad(groundtruth.labels, [[0, 0], [0, 5], [0, 0]], constant_values=1.0),
    )
    for training in (False, True):
        _, losses = predict(clips, groundtruth, training)
        _, padded_losses = predict(clips, padded, training)
        for name in LOSSES:
            np.testing.assert_allclose(losses[name], padded_losses[name], rtol=1e-5, err_msg=name)


def test_samples_depend_on_the_seed(predict):
    clips, groundtruth = random_batch()
    first, again = (predict(clips, groundtruth, True)[1] for _ in range(2))
    reseeded = groundtruth._replace(sampling_seed=groundtruth.sampling_seed + 1)
    other = predict(clips, reseeded, True)[1]
    name = "Loss/RPNLoss/objectness_loss"
    assert first[name] == again[name] != other[name]


@pytest.mark.parametrize(
    "boxes, num_boxes",
    [
        (np.zeros([2, 0, 4]), 0),
        (np.zeros([2, 3, 4]), 0),
        (np.full([2, 3, 4], 0.4), 3),  # empty boxes
        (np.tile([0.8, 0.8, 0.2, 0.2], [2, 3, 1]), 3),  # inverted boxes
    ],
)
def test_clips_without_a_person_train(model, boxes, num_boxes):
    clips, _ = random_batch(2)
    groundtruth = Groundtruth(
        tf.constant(boxes, tf.float32),
        tf.ones([2, boxes.shape[1], NUM_CLASSES]),
        tf.constant([num_boxes] * 2),
        tf.constant([[1, 2], [3, 4]]),
    )
    losses, gradients = losses_and_gradients(model, clips, groundtruth)
    assert losses["Loss/RPNLoss/localization_loss"] == 0
    assert losses["Loss/BoxClassifierLoss/localization_loss"] == 0
    assert losses["Loss/RPNLoss/objectness_loss"] > 0
    assert losses["Loss/BoxClassifierLoss/classification_loss"] > 0
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("class_specific_boxes", [False, True])
def test_gradients_reach_every_weight(class_specific_boxes):
    model = small_model(dropout=0.1, class_specific_boxes=class_specific_boxes)
    _, gradients = losses_and_gradients(model, *random_batch())
    still = [
        variable.name
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert not still


def test_no_gradient_goes_through_the_proposals(model):
    clips, groundtruth = random_batch(1)
    with tf.GradientTape() as tape:
        predictions = model.predict(model.preprocess(clips), groundtruth, training=True)
        loss = tf.reduce_sum(predictions.box_predictions.class_logits)
    rpn = model.proposal_stage.trainable_variables
    assert all(gradient is None for gradient in tape.gradient(loss, rpn))


def test_sampled_proposals_keep_their_fraction_and_their_persons(predict, model):
    clips, groundtruth = random_batch()
    predictions, _ = predict(clips, groundtruth, True)
    (targets,), proposals = predictions.targets, predictions.proposals
    assert proposals.boxes.shape[1] == 15  # 12 proposals and 3 groundtruth boxes, under 16
    for clip, people in enumerate([3, 2, 1]):
        positive = targets.positive[clip].numpy()
        assert people <= positive.sum() <= 16 * model.second_stage.options.balance_fraction
        for index in np.flatnonzero(positive):
            overlap = box_ops.iou(proposals.boxes[clip], groundtruth.boxes[clip, :people])[index]
            best = int(np.argmax(overlap))
            assert overlap[best] >= 0.5
            np.testing.assert_array_equal(
                targets.class_targets[clip, index, 1:], groundtruth.labels[clip, best]
            )
        count = proposals.num_proposals[clip]
        np.testing.assert_array_equal(targets.sampled[clip], np.arange(15) < count)


def test_longer_clips_and_other_sizes_in_one_function(model):
    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, None, 3], tf.uint8)], autograph=False
    )
    def detect(clips):
        predictions = model.predict(model.preprocess(clips), attention=True)
        return predictions, model.postprocess(predictions)

    for batch, frames, height, width in ((1, 64, 64, 80), (1, 96, 64, 80), (2, 9, 30, 31)):
        predictions, detections = detect(tf.zeros([batch, frames, height, width, 3], tf.uint8))
        assert predictions.features.cells.shape[:4] == (batch, -(-frames // 4), 4, 5)
        for attention in predictions.box_predictions.attention:
            np.testing.assert_allclose(tf.reduce_sum(attention, [3, 4, 5]), 1, atol=1e-4)
        assert detections.boxes.shape == (batch, 100, 4)
        assert all(np.isfinite(t).all() for t in tf.nest.flatten(detections))


class LateTrunk(SmallTrunk):
    """Its feature frame i looks at frame 4 i + 3 of a clip of a multiple of 4 frames, as I3D's."""

    strided_windows = (Window((3, 4, 4), (2, 4, 4)),) * 2

    def __init__(self):
        super().__init__()
        for name, depth in (("first", 16), ("second", 48)):
            conv = tf_keras.layers.Conv3D(depth, (3, 4, 4), (2, 4, 4), "same", activation="relu")
            setattr(self, name, conv)


@pytest.mark.parametrize(
    "central_frame, centers", [("MIDDLE", (8, 12, 1, 1)), ("NEAREST_TO_KEYFRAME", (7, 11, 1, 0))]
)
def test_people_are_found_and_queried_in_the_central_frame(central_frame, centers, monkeypatch):
    model = small_model(trunk=LateTrunk(), central_frame=CentralFrame[central_frame])
    seen, find = [], ProposalStage.call
    monkeypatch.setattr(
        ProposalStage,
        "call",
        lambda self, features, image_size, positions=None: (
            seen.append(features),
            find(self, features, image_size),
        )[1],
    )
    for frames, center in zip((64, 96, 9, 8), centers, strict=True):
        clips = model.preprocess(random_batch(1, frames=frames)[0])
        features = model.predict(clips).features
        assert int(features.center) == center, frames
        np.testing.assert_array_equal(seen[-1], features.cells[:, center])


def test_a_person_is_cropped_where_the_cells_look():
    """Cells that see where they look: of an aligned crop the values are the box's own."""
    size = (8, 128, 160)
    positions = I3D(depth_multiplier=0.0625).cell_positions(size)
    rows, columns = (
        tf.range(n, dtype=tf.float32) * positions.stride[axis] + positions.first[axis] + 0.5
        for axis, n in ((1, 8), (2, 10))
    )
    looks = tf.stack(tf.meshgrid(rows / 128, columns / 160, indexing="ij"), axis=-1)  # [8, 10, 2]
    box = np.float32([0.3, 0.4, 0.7, 0.6])
    crops = {
        alignment: default(RoiPool, alignment=alignment)(
            looks[tf.newaxis], box[None, None], positions
        )
        for alignment in RoiAlignment
    }
    middle = (box[:2] + box[2:]) / 2
    off = {
        alignment: np.abs(crop[0, 0].numpy().mean(axis=(0, 1)) - middle).max()
        for alignment, crop in crops.items()
    }
    # The pool takes the larger of two samples of 14, half a fourteenth of the box further on.
    assert off[RoiAlignment.ALIGNED] < 0.4 / 14
    assert off[RoiAlignment.OBJECT_DETECTION_API] > 0.03  # and is none in the middle of the frame


def test_detections_come_from_their_proposals(model, predict):
    clips, groundtruth = random_batch()
    predictions, _ = predict(clips, groundtruth, False)
    detections = model.postprocess(predictions)
    scores = tf.sigmoid(predictions.box_predictions.class_logits)[..., 1:].numpy()
    encodings = predictions.box_predictions.box_encodings[:, :, 0]
    refined = box_ops.clip(box_ops.decode(encodings, predictions.proposals.boxes)).numpy()
    assert (detections.num_detections.numpy() > 0).all()
    for clip in range(3):
        for i in range(int(detections.num_detections[clip])):
            proposal = int(detections.proposal_index[clip, i])
            assert proposal < predictions.proposals.num_proposals[clip]
            box, of_all = detections.boxes[clip, i], detections.multiclass_scores[clip, i]
            np.testing.assert_allclose(box, refined[clip, proposal], atol=1e-6)
            np.testing.assert_allclose(of_all, scores[clip, proposal])
            class_score = scores[clip, proposal, int(detections.classes[clip, i]) - 1]
            np.testing.assert_allclose(detections.scores[clip, i], class_score)


def test_groundtruth_as_proposals():
    model = small_model(
        proposal_source=ProposalSource.GROUNDTRUTH,
        # Overlapping people are all kept: suppression is off with this source.
        post_processing=default(PostProcessing, iou_threshold=0.0),
    )
    clips, groundtruth = random_batch()
    with pytest.raises(ValueError, match="groundtruth"):
        model.predict(model.preprocess(clips))
    predictions = model.predict(model.preprocess(clips), groundtruth)
    detections = model.postprocess(predictions)
    assert detections.num_detections.numpy().tolist() == [n * NUM_CLASSES for n in (3, 2, 1)]
    for clip, people in enumerate([3, 2, 1]):
        found = {tuple(box) for box in detections.boxes[clip, : people * NUM_CLASSES].numpy()}
        assert found == {tuple(box) for box in groundtruth.boxes[clip, :people].numpy()}
    losses, gradients = losses_and_gradients(model, clips, groundtruth)
    assert losses["Loss/BoxClassifierLoss/localization_loss"] == 0
    assert losses["Loss/BoxClassifierLoss/classification_loss"] > 0
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy, predict):
    clips, groundtruth = random_batch()
    expected, exact = predict(clips, groundtruth, True)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        model = small_model()
        losses, gradients = losses_and_gradients(model, clips, groundtruth)
        predictions = model.predict(model.preprocess(clips), attention=True)
        on_the_same_boxes = model.box_predictor(predictions.features, expected.proposals.boxes)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert predictions.features.cells.dtype == tf.as_dtype(policy.replace("mixed_", ""))
    boxes = predictions.proposals.boxes
    results = (losses, predictions.first_stage, boxes, predictions.box_predictions)
    assert {t.dtype for t in tf.nest.flatten(results)} == {tf.float32}
    assert {v.dtype for v in model.trainable_variables} == {tf.float32}
    assert all(np.isfinite(t).all() for t in tf.nest.flatten((losses, gradients)))

    # Rounding decides between proposals that are nearly as good, and one more or less that matches
    # moves the second stage's losses: so they are compared on the same boxes.
    losses |= model.second_stage.loss(on_the_same_boxes, *expected.targets)
    for name in LOSSES:
        np.testing.assert_allclose(losses[name], exact[name], rtol=0.05, atol=0.02, err_msg=name)


def test_missing_groundtruth_is_said(model):
    with pytest.raises(ValueError, match="groundtruth"):
        model.predict(tf.zeros([1, 8, 32, 32, 3]), training=True)
