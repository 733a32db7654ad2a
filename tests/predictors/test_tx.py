import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default
from feature_maps import feature_map

from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiAlignment, RoiPool
from avatx.predictors.box_predictor import TemporalPooling
from avatx.predictors.tx import Query, TxBoxPredictor, TxOptions
from avatx.training.seed import set_random_seed

SMALL = {
    "num_layers": 3,
    "num_heads": 2,
    "depth": 8,
    "query_reduction_depth": 6,
    "feed_forward_depth": 12,
}
BOXES = tf.constant([[[0.1, 0.2, 0.8, 0.7], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.6, 0.9]]] * 2)


FEATURES = np.random.default_rng(0).normal(size=[2, 4, 25, 5, 10]).astype(np.float32)


def make(query=Query.HIGH_RES, alignment=RoiAlignment.OBJECT_DETECTION_API, **kwargs):
    options = default(TxOptions, query=query, **SMALL)
    pool = default(RoiPool, alignment=alignment)
    return TxBoxPredictor(5, options, pool, LocationEmbedding(4), **kwargs)


@pytest.mark.parametrize("query", list(Query))
def test_shapes_and_attention_of_every_layer_and_head(query):
    features = feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    predictions = make(query)(features, BOXES, attention=True)
    assert predictions.class_logits.shape == (2, 3, 6)
    assert predictions.box_encodings.shape == (2, 3, 1, 4)
    assert [m.shape for m in predictions.attention] == [(2, 3, 2, 4, 6, 5)] * 3
    for attention in predictions.attention:
        np.testing.assert_allclose(tf.reduce_sum(attention, axis=[3, 4, 5]), 1, atol=1e-5)


def test_keys_are_what_the_attention_came_from():
    predictor, features = make(), feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    keys = predictor.keys(features)
    assert [k.shape for k in keys] == [(2, 2, 4, 6, 5, 8)] * 3
    # The first layer's queries do not depend on the keys: with both, the attention is the
    # paper's equation.
    attention = predictor(features, BOXES, attention=True).attention[0]
    cells = predictor.roi_pool(predictor.location_embedding(features.cells, 2)[:, 2], BOXES)
    for head in range(2):
        query = predictor.query_layers[head](cells)  # [B, R, D]
        logits = np.einsum("brd,bthwd->brthw", query, keys[0][:, head]) / np.sqrt(8)
        expected = np.exp(logits) / np.exp(logits).sum(axis=(2, 3, 4), keepdims=True)
        np.testing.assert_allclose(attention[:, :, head], expected, rtol=1e-3, atol=1e-6)


def test_attention_only_on_request_and_without_effect():
    predictor, features = make(), feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    plain, asked = predictor(features, BOXES), predictor(features, BOXES, attention=True)
    assert plain.attention == ()
    np.testing.assert_array_equal(plain.class_logits, asked.class_logits)


def test_a_box_for_each_class():
    predictions = make(class_specific_boxes=True)(feature_map(tf.ones([2, 2, 4, 4, 3])), BOXES)
    assert predictions.box_encodings.shape == (2, 3, 5, 4)


@pytest.mark.parametrize("chosen, score", [({}, 0.01), ({"class_prediction_bias_init": 0}, 0.5)])
def test_scores_before_training(chosen, score):
    logits = make(**chosen)(feature_map(tf.random.normal([2, 4, 6, 5, 10])), BOXES).class_logits
    scores = tf.sigmoid(logits).numpy()
    np.testing.assert_allclose(scores[..., 1:], score, rtol=0.3)
    np.testing.assert_allclose(scores[..., 0], 0.5, rtol=0.3)  # background


def test_proposals_do_not_see_each_other():
    predictor, features = make(), feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    together = predictor(features, BOXES)
    for index in range(3):
        alone = predictor(features, BOXES[:, index : index + 1])
        np.testing.assert_allclose(
            alone.class_logits[:, 0], together.class_logits[:, index], atol=1e-5
        )


def test_a_proposal_is_pooled_from_the_central_frame_and_attends_to_all():
    predictor = make()
    features = feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    queries = []
    predictor.roi_pool = Recorder(predictor.roi_pool, queries)
    predictor(features, BOXES)
    np.testing.assert_array_equal(queries[0][..., :10], features.cells[:, 2])

    with tf.GradientTape() as tape:
        tape.watch(features.cells)
        logits = tf.reduce_sum(predictor(features, BOXES).class_logits[0, 0])
    reached = np.abs(tape.gradient(logits, features.cells)).sum(axis=-1)
    assert (reached[0] > 0).all() and (reached[1] == 0).all()


class Recorder:
    def __init__(self, layer, seen):
        self.layer, self.seen = layer, seen

    def __call__(self, features, boxes, positions, training=None):
        self.seen.append(features)
        return self.layer(features, boxes, positions, training=training)


def test_low_res_is_blind_to_the_layout_of_the_person_and_high_res_is_not():
    # A pool of the whole frame without overlap: mirroring the cells permutes the pooled ones.
    features = np.random.default_rng(0).normal(size=[1, 1, 4, 4, 10]).astype(np.float32)
    box = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])
    for query, blind in ((Query.LOW_RES, True), (Query.HIGH_RES, False)):
        predictor = TxBoxPredictor(5, default(TxOptions, query=query, **SMALL), RoiPool(4, 2, 2))
        mirrored = features[:, :, ::-1]
        logits = [
            predictor(feature_map(tf.constant(f)), box).class_logits for f in (features, mirrored)
        ]
        assert np.allclose(*logits, atol=1e-5) == blind


@pytest.mark.parametrize("center", [0, 1, 3])
def test_another_central_frame(center):
    """The query is pooled there, and time is counted from there, in keys, too."""
    predictor, queries = make(), []
    predictor.roi_pool = Recorder(predictor.roi_pool, queries)
    cells = tf.random.normal([2, 4, 6, 5, 10])
    features = feature_map(cells, center=tf.constant(center))
    predictor(features, BOXES)
    located = predictor.location_embedding(cells, center)
    np.testing.assert_array_equal(queries[0], located[:, center])
    key = predictor.units[0].keys(located)
    np.testing.assert_allclose(predictor.keys(features)[0][:, 0], key, atol=1e-6)
    other = predictor.keys(feature_map(cells, center=(center + 1) % 4))[0][:, 0]
    assert np.abs(other - key).max() > 1e-3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_aligned_in_16_bits(policy):
    """Where cells look stays in float32."""
    set_random_seed(0)
    exact = make(alignment=RoiAlignment.ALIGNED)(feature_map(FEATURES), BOXES)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        set_random_seed(0)
        predictor = make(alignment=RoiAlignment.ALIGNED)
        rounded = predictor(feature_map(tf.cast(FEATURES, predictor.compute_dtype)), BOXES)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    scale = np.abs(exact.class_logits).max()
    np.testing.assert_allclose(rounded.class_logits, exact.class_logits, atol=0.05 * scale)


def test_the_largest_over_time_in_place_of_the_central_frame():
    options = default(TxOptions, temporal_pooling=TemporalPooling.MAX, **SMALL)
    predictor = TxBoxPredictor(5, options, default(RoiPool), LocationEmbedding(4))
    features, seen = feature_map(tf.random.normal([2, 4, 6, 5, 10])), []
    predictor.roi_pool = Recorder(predictor.roi_pool, seen)
    predictor(features, BOXES)
    np.testing.assert_array_equal(seen[0][..., :10], tf.reduce_max(features.cells, axis=1))


def test_a_hidden_layer_before_the_class_logits_alone():
    predictor = make(hidden_depth=7)
    predictions = predictor(feature_map(tf.random.normal([2, 4, 6, 5, 10])), BOXES)
    assert predictions.class_logits.shape == (2, 3, 6)
    layers = predictor.output_layers
    assert layers.hide.kernel.shape == (16, 7) and layers.classify.kernel.shape == (7, 6)
    assert layers.refine.kernel.shape == (16, 4)
    inputs = tf.random.normal([1, 2, 16])
    hidden = np.maximum(inputs.numpy() @ layers.hide.kernel.numpy() + layers.hide.bias.numpy(), 0)
    expected = hidden @ layers.classify.kernel.numpy() + layers.classify.bias.numpy()
    np.testing.assert_allclose(layers(inputs)[0], expected, atol=1e-5)


def test_more_frames_than_trained_on():
    predictor = make()
    run = tf.function(
        lambda cells: predictor(feature_map(cells), BOXES, attention=True),
        input_signature=[tf.TensorSpec([None, None, None, None, 10])],
        autograph=False,
    )
    for frames in (16, 24):
        predictions = run(tf.random.normal([2, frames, 3, 3, 10]))
        assert predictions.attention[0].shape == (2, 3, 2, frames, 3, 3)
        assert np.isfinite(predictions.class_logits).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_outputs_are_float32_under_mixed_precision(policy):
    features = feature_map(tf.random.normal([2, 4, 6, 5, 10]))
    set_random_seed(0)
    exact = make()(features, BOXES)
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        set_random_seed(0)
        predictor = make()
        rounded = predictor(features, BOXES, attention=True)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert predictor.units[0].key_value.compute_dtype == policy.replace("mixed_", "")
    assert {t.dtype for t in tf.nest.flatten(rounded)} == {tf.float32}
    assert {v.dtype for v in predictor.variables} == {tf.float32}
    scale = np.abs(exact.class_logits).max()
    np.testing.assert_allclose(rounded.class_logits, exact.class_logits, atol=0.05 * scale)
