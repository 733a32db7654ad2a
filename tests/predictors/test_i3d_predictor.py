import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default
from feature_maps import feature_map
from small_tail import small_tail

from avatx.layers.roi_pool import RoiAlignment, RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors import i3d
from avatx.predictors.box_predictor import TemporalPooling
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.training.seed import set_random_seed

BOXES = tf.constant([[[0.1, 0.2, 0.8, 0.7], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.6, 0.9]]] * 2)


def features(batch=2, frames=4):
    values = np.random.default_rng(0).normal(size=[batch, frames, 6, 5, 10])
    return feature_map(tf.constant(values, tf.float32))


def make(batch_norm="FROZEN", **kwargs):
    set_random_seed(0)
    options = {"dropout": 0.0, "st_roi_pool": default(StRoiPool), **kwargs}
    predictor = I3DBoxPredictor(5, small_tail(batch_norm), **options)
    predictor(features(), tf.zeros([2, 1, 4]))  # makes the variables
    return predictor


def moving_statistics(predictor):
    return [v.numpy() for v in predictor.tail.non_trainable_variables]


def test_shapes_and_no_attention():
    predictions = make()(features(), BOXES, attention=True)
    assert predictions.class_logits.shape == (2, 3, 6)
    assert predictions.box_encodings.shape == (2, 3, 1, 4)
    assert predictions.attention == ()
    predictions = make(class_specific_boxes=True)(features(), BOXES)
    assert predictions.box_encodings.shape == (2, 3, 5, 4)


def test_the_mean_of_the_tail_over_all_cells_of_the_tube_is_what_is_classified():
    predictor = make()
    logits = predictor(features(), BOXES).class_logits
    for clip in range(2):
        cells = predictor.st_roi_pool(features().cells, BOXES[clip], tf.fill([3], clip))
        assert cells.shape == (3, 4, 7, 7, 10)
        pooled = predictor.tail(cells).numpy().mean(axis=(1, 2, 3))
        layer = predictor.output_layers.classify
        expected = pooled @ layer.kernel.numpy() + layer.bias.numpy()
        np.testing.assert_allclose(logits[clip], expected, atol=1e-5)


def test_the_largest_over_time_of_the_means_over_space():
    predictor = make(temporal_pooling=TemporalPooling.MAX)
    logits = predictor(features(), BOXES).class_logits
    cells = predictor.tail(predictor.st_roi_pool(features().cells, BOXES[1], tf.fill([3], 1)))
    pooled = cells.numpy().mean(axis=(2, 3)).max(axis=1)
    layer = predictor.output_layers.classify
    expected = pooled @ layer.kernel.numpy() + layer.bias.numpy()
    np.testing.assert_allclose(logits[1], expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("at_a_time", [1, 64])
def test_aligned(policy, at_a_time, monkeypatch):
    """Each frame's crop is that of `RoiPool`, of the cells that look where the box is."""
    monkeypatch.setattr(i3d, "_REGIONS_AT_A_TIME", at_a_time)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        predictor = make(st_roi_pool=default(StRoiPool, alignment=RoiAlignment.ALIGNED))
        whole = features()
        logits = predictor(whole, BOXES).class_logits
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    pool = default(RoiPool, alignment=RoiAlignment.ALIGNED)
    for clip in range(2):
        cells = tf.stack(
            [pool(whole.cells[:, t], BOXES, whole.positions)[clip] for t in range(4)], axis=1
        )
        pooled = tf.cast(predictor.tail(cells), tf.float32).numpy().mean(axis=(1, 2, 3))
        layer = predictor.output_layers.classify
        expected = pooled @ layer.kernel.numpy() + layer.bias.numpy()
        tolerance = 1e-5 if policy == "float32" else 0.02 * np.abs(expected).max()
        np.testing.assert_allclose(logits[clip], expected, atol=tolerance)


def test_proposals_do_not_see_each_other():
    predictor = make()
    together = predictor(features(), BOXES)
    for index in range(3):
        alone = predictor(features(), BOXES[:, index : index + 1])
        for one, all_of_them in zip(alone[:2], together[:2], strict=True):
            np.testing.assert_allclose(one[:, 0], all_of_them[:, index], atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_every_frame_of_its_own_clip_and_of_its_own_box_counts(training):
    predictor, cells = make(), features()
    with tf.GradientTape() as tape:
        tape.watch(cells.cells)
        predictions = predictor(cells, BOXES, training=training)
        total = tf.reduce_sum(predictions.class_logits[0, 2])  # right of the middle
    reached = np.abs(tape.gradient(total, cells.cells)).sum(axis=-1)
    assert (reached[0].max(axis=(1, 2)) > 0).all()
    assert (reached[0, :, :, :2] == 0).all() and (reached[1] == 0).all()


@pytest.mark.parametrize("batch_norm", ["FROZEN", "TRAINED"])
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing(batch_norm, training):
    """Nor the statistics of batch norm: most of a batch of annotated boxes is padding."""
    predictor, padded = make(batch_norm), make(batch_norm)
    few = predictor(features(), BOXES, training=training)
    boxes = tf.concat([tf.zeros([2, 4, 4]), BOXES, tf.fill([2, 5, 4], 0.5)], axis=1)
    many = padded(features(), boxes, training=training)
    np.testing.assert_allclose(many.class_logits[:, 4:7], few.class_logits, atol=1e-5)
    np.testing.assert_allclose(many.box_encodings[:, 4:7], few.box_encodings, atol=1e-5)
    assert all(np.isfinite(t).all() for t in tf.nest.flatten(many))
    for expected, actual in zip(
        moving_statistics(predictor), moving_statistics(padded), strict=True
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("count", [0, 3])
def test_nobody_anywhere(count, training):
    predictor = make("TRAINED")
    with tf.GradientTape() as tape:
        predictions = predictor(features(), tf.zeros([2, count, 4]), training=training)
        total = tf.add_n([tf.reduce_sum(t) for t in tf.nest.flatten(predictions)])
    assert predictions.class_logits.shape == (2, count, 6)
    assert predictions.box_encodings.shape == (2, count, 1, 4)
    gradients = tape.gradient(total, predictor.trainable_variables)
    assert all(np.isfinite(t).all() for t in tf.nest.flatten((predictions, gradients)))
    assert all(np.isfinite(t).all() for t in moving_statistics(predictor))


def test_many_regions_in_parts_as_few_at_once(monkeypatch):
    predictor = make()
    signature = [tf.TensorSpec([None, None, None, None, 10]), tf.TensorSpec([None, None, 4])]
    boxes = tf.repeat(BOXES, 4, axis=1) * tf.linspace(0.5, 1.0, 12)[:, tf.newaxis]
    whole = predictor(features(), boxes)
    for at_a_time in (1, 5, 7):
        monkeypatch.setattr(i3d, "_REGIONS_AT_A_TIME", at_a_time)
        parts = tf.function(
            lambda cells, boxes: predictor(feature_map(cells), boxes),
            input_signature=signature,
            autograph=False,
        )
        for expected, actual in zip(whole[:2], parts(features().cells, boxes)[:2], strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-5)
        assert np.isfinite(parts(features(1).cells, tf.zeros([1, 0, 4])).class_logits).all()


def test_dropout_in_training_only():
    predictor = make(dropout=0.5)
    calm = predictor(features(), BOXES).class_logits
    np.testing.assert_array_equal(calm, predictor(features(), BOXES).class_logits)
    assert np.abs(predictor(features(), BOXES, training=True).class_logits - calm).max() > 1e-4


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_outputs_are_float32_under_mixed_precision(policy):
    exact = make()(features(), BOXES)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        rounded = make()(features(), BOXES)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert {t.dtype for t in tf.nest.flatten(rounded)} == {tf.float32}
    scale = np.abs(exact.class_logits).max()
    np.testing.assert_allclose(rounded.class_logits, exact.class_logits, atol=0.05 * scale)
