"""What every head must do inside the detector, the real network made small."""

import numpy as np
import pytest
import tensorflow as tf
from small_detector import clip_of, random_batch
from small_heads import HEADS, NUM_CLASSES, TX, head_model

from avatx.core.structures import Groundtruth


@pytest.fixture(scope="module", params=list(HEADS), name="model")
def fixture_model(request):
    return head_model(HEADS[request.param])


def losses_and_gradients(model, clips, groundtruth):
    with tf.GradientTape() as tape:
        predictions = model.predict(model.preprocess(clips), groundtruth, training=True)
        losses = model.loss(predictions, groundtruth)
        total = tf.add_n(list(losses.values()))
    return losses, tape.gradient(total, model.trainable_variables)


# The output layers of LowRes are those of HighRes.
@pytest.mark.parametrize(
    "head",
    [pytest.param(head, marks=pytest.mark.long) if "LowRes" in head else head for head in HEADS],
)
def test_gradients_reach_every_weight_of_class_specific_boxes(head):
    model = head_model(HEADS[head], "second_stage_class_specific_boxes=true")
    assert model.box_predictor.boxes_per_proposal == NUM_CLASSES
    check_gradients_reach_every_weight(model)


def test_gradients_reach_every_weight(model):
    assert model.box_predictor.boxes_per_proposal == 1
    check_gradients_reach_every_weight(model)


def check_gradients_reach_every_weight(model):
    clips, groundtruth = random_batch()
    groundtruth = groundtruth._replace(labels=tf.ones_like(groundtruth.labels))
    _, gradients = losses_and_gradients(model, clips, groundtruth)
    still = [
        variable.name
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert not still


def test_a_batch_equals_its_clips_one_by_one(model):
    clips, groundtruth = random_batch()
    # Given boxes: which of two near-equal proposals survives must not decide this test.
    boxes = groundtruth.boxes
    whole = model.predict_boxes(model.predict(model.preprocess(clips), groundtruth).features, boxes)
    for i in range(3):
        one = model.predict(model.preprocess(clips[i : i + 1]), clip_of(groundtruth, i))
        alone = model.predict_boxes(one.features, boxes[i : i + 1])
        for expected, actual in zip(whole[:2], alone[:2], strict=True):
            np.testing.assert_allclose(actual[0], expected[i], atol=1e-4)


def test_padding_of_the_groundtruth_changes_nothing(model):
    clips, groundtruth = random_batch(2)
    padded = groundtruth._replace(
        boxes=tf.pad(groundtruth.boxes, [[0, 0], [0, 5], [0, 0]], constant_values=0.7),
        labels=tf.pad(groundtruth.labels, [[0, 0], [0, 5], [0, 0]], constant_values=1.0),
    )
    losses, again = (
        model.loss(model.predict(model.preprocess(clips), given), given)
        for given in (groundtruth, padded)
    )
    for name in losses:
        np.testing.assert_allclose(losses[name], again[name], rtol=1e-5, err_msg=name)


def test_clips_without_a_person(model):
    clips, _ = random_batch(2)
    nobody = Groundtruth(
        tf.zeros([2, 0, 4]),
        tf.zeros([2, 0, NUM_CLASSES]),
        tf.zeros([2], tf.int32),
        tf.constant([[1, 2], [3, 4]]),
    )
    losses, gradients = losses_and_gradients(model, clips, nobody)
    assert losses["Loss/BoxClassifierLoss/localization_loss"] == 0
    assert all(np.isfinite(t).all() for t in tf.nest.flatten((losses, gradients)))


def test_half_as_many_frames_again_at_test_time(model):
    for frames in (8, 12):
        predictions = model.predict(model.preprocess(random_batch(1, frames=frames)[0]))
        detections = model.postprocess(predictions)
        assert predictions.features.cells.shape[1] == frames // 4
        assert detections.num_detections[0] > 0
        assert all(np.isfinite(t).all() for t in tf.nest.flatten(detections))
    tx = getattr(model.box_predictor, "tx", model.box_predictor)
    embedding = getattr(tx, "location_embedding", None)
    if embedding is not None:
        # 64 and 96 frames at stride 4: the 16 shared ones are embedded alike.
        short, long = (embedding(tf.zeros([1, t, 3, 4, 1]), t // 2)[0, ..., 1:] for t in (16, 24))
        np.testing.assert_array_equal(long[4:20], short)


@pytest.mark.parametrize("head", ["Tx HighRes", "Tx + I3D"])
def test_one_checkpoint_for_any_number_of_proposals(head, tmp_path):
    few = head_model(HEADS[head], "first_stage_max_proposals=4")
    many = head_model(HEADS[head], "first_stage_max_proposals=12", seed=1)
    path = tf.train.Checkpoint(model=few).write(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(model=many).read(path).assert_consumed()
    clips, _ = random_batch(1)
    of_few, of_many = (m.predict(m.preprocess(clips)) for m in (few, many))
    assert of_few.proposals.boxes.shape[1] == 4 and of_many.proposals.boxes.shape[1] == 12
    assert of_many.proposals.num_proposals[0] > 4
    np.testing.assert_allclose(of_many.proposals.boxes[:, :4], of_few.proposals.boxes, atol=1e-6)
    for one, other in zip(of_few.box_predictions[:2], of_many.box_predictions[:2], strict=True):
        np.testing.assert_allclose(other[:, :4], one, atol=1e-5)


@pytest.mark.parametrize(
    "layers, heads", [(1, 1), (2, 6), pytest.param(6, 2, marks=pytest.mark.long)]
)
def test_other_layers_and_heads(layers, heads):
    size = f"num_layers: {layers} num_heads: {heads}"
    model = head_model(
        "tx_box_predictor {{ {} }}".format(TX.replace("num_layers: 2 num_heads: 2", size))
    )
    clips, groundtruth = random_batch(1)
    predictions = model.predict(model.preprocess(clips), attention=True)
    maps = predictions.box_predictions.attention
    assert [m.shape[2] for m in maps] == [heads] * layers
    losses, _ = losses_and_gradients(model, clips, groundtruth)
    assert all(np.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("head", ["I3D", "Tx + I3D"])
def test_annotated_boxes_as_proposals(head):
    model = head_model(HEADS[head], "proposal_source=GROUNDTRUTH", "trunk.batch_norm=TRAINED")
    clips, groundtruth = random_batch()
    predictions = model.predict(model.preprocess(clips), groundtruth)
    detections = model.postprocess(predictions)
    for clip in range(3):
        people = int(groundtruth.num_boxes[clip])
        kept = {tuple(box) for box in groundtruth.boxes[clip, :people].numpy()}
        found = detections.boxes[clip, : int(detections.num_detections[clip])].numpy()
        assert {tuple(box) for box in found} == kept
    losses, gradients = losses_and_gradients(model, clips, groundtruth)
    assert all(np.isfinite(loss) for loss in losses.values())
    assert all(g is None or np.isfinite(g).all() for g in gradients)
    alone = clip_of(groundtruth, 0)
    losses, _ = losses_and_gradients(model, clips[:1], alone)
    assert all(np.isfinite(loss) for loss in losses.values())
