"""The whole Tx head against loops in numpy, 3 layers of 2 heads, no two weights alike."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from feature_maps import feature_map

from avatx.layers import location_embedding
from avatx.layers import roi_pool as roi_pool_lib
from avatx.predictors import tx

OPTIONS = default(
    tx.TxOptions,
    num_layers=3,
    num_heads=2,
    depth=4,
    dropout=0.0,
    query=tx.Query.HIGH_RES,
    query_reduction_depth=5,
    feed_forward_depth=7,
)
CLASSES, CHANNELS = 3, 6
BOXES = np.float32([[[0.1, 0.2, 0.8, 0.7], [0.0, 0.0, 1.0, 1.0], [0.5, 0.1, 0.6, 0.9]]] * 2)
FEATURES = np.random.default_rng(0).normal(size=[2, 5, 3, 4, CHANNELS]).astype(np.float32)


def make(**changed):
    """The head with weights that tell every layer, head and column from every other."""
    head = tx.TxBoxPredictor(
        CLASSES,
        dataclasses.replace(OPTIONS, **changed),
        roi_pool=roi_pool_lib.RoiPool(6, 2, 2),  # 3 x 3 cells
        location_embedding=location_embedding.LocationEmbedding(2),
    )
    head(feature_map(FEATURES), tf.constant(BOXES))
    generator = np.random.default_rng(1)
    for variable in head.trainable_variables:
        variable.assign(generator.normal(scale=0.7, size=variable.shape))
    return head


def dense(layer, vector):
    return vector @ layer.kernel.numpy().astype(np.float64) + layer.bias.numpy()


def layer_norm(layer, vector):
    normed = (vector - vector.mean()) / np.sqrt(vector.var() + 1e-6)
    return normed * layer.gamma.numpy() + layer.beta.numpy()


def attend(unit, query, memory, depth):
    key_value = dense(unit.key_value, memory)
    keys, values = key_value[:, :depth], key_value[:, depth:]
    logits = keys @ query / np.sqrt(depth)
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    query = layer_norm(unit.attention_norm, query + weights @ values)
    hidden = np.maximum(dense(unit.feed_forward_hidden, query), 0)
    return layer_norm(unit.output_norm, query + dense(unit.feed_forward_output, hidden)), weights


def plain(head, clip, proposal):
    """Class logits, box encodings and attention [layers, heads, cells] of one proposal."""
    options = head.options
    located = head.location_embedding(tf.constant(FEATURES), 2).numpy()
    memory = located[clip].reshape(-1, located.shape[-1]).astype(np.float64)
    middle = located[:, 2]  # of 5 frames
    cells = head.roi_pool(tf.constant(middle), tf.constant(BOXES)).numpy()[clip, proposal]
    attention = []
    query = None
    for layer in range(options.num_layers):
        outputs = []
        for number in range(options.num_heads):
            index = layer * options.num_heads + number
            preprocess = head.query_layers[index]
            if layer:
                start = dense(preprocess, query)
            elif options.query is tx.Query.HIGH_RES:
                reduced = [np.maximum(dense(preprocess.reduce, c), 0) for c in cells.reshape(9, -1)]
                start = dense(preprocess.project, np.concatenate(reduced))
            else:
                start = dense(preprocess.project, cells.reshape(9, -1).sum(axis=0) / 9)
            output, weights = attend(head.units[index], start, memory, options.depth)
            outputs.append(output)
            attention.append(weights)
        query = np.concatenate(outputs)
    outputs = head.output_layers
    return dense(outputs.classify, query), dense(outputs.refine, query), attention


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"query": tx.Query.LOW_RES},
        {"num_layers": 1, "num_heads": 3, "depth": 5, "feed_forward_depth": 3},
    ],
)
def test_equal_to_numpy(changed):
    head = make(**changed)
    predictions = head(feature_map(FEATURES), tf.constant(BOXES), attention=True)
    layers, heads = head.options.num_layers, head.options.num_heads
    assert [maps.shape for maps in predictions.attention] == [(2, 3, heads, 5, 3, 4)] * layers
    for clip in range(2):
        for proposal in range(3):
            logits, encodings, attention = plain(head, clip, proposal)
            np.testing.assert_allclose(
                predictions.class_logits[clip, proposal], logits, rtol=1e-3, atol=1e-3
            )
            np.testing.assert_allclose(
                predictions.box_encodings[clip, proposal, 0], encodings, rtol=1e-3, atol=1e-3
            )
            for index, weights in enumerate(attention):
                maps = predictions.attention[index // heads][clip, proposal, index % heads]
                np.testing.assert_allclose(maps, weights.reshape(5, 3, 4), rtol=1e-3, atol=1e-5)


def test_keys_of_every_layer_and_head_stand_in_their_place():
    head = make()
    keys = head.keys(feature_map(FEATURES))
    located = head.location_embedding(tf.constant(FEATURES), 2).numpy()
    assert [layer.shape for layer in keys] == [(2, 2, 5, 3, 4, 4)] * 3
    for layer in range(3):
        for number in range(2):
            expected = dense(head.units[2 * layer + number].key_value, located)[..., :4]
            np.testing.assert_allclose(keys[layer][:, number], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changed, counts",
    [
        # Of a first layer's head: reduce 10 x 5 + 5, project 45 x 4 + 4, the unit 10 x 8 + 8,
        # two norms of 8, 4 x 7 + 7 and 7 x 4 + 4: 55 + 184 + 88 + 16 + 35 + 32 = 410. Of a later
        # one: 8 x 4 + 4 in place of 55 + 184: 207. Output: 8 x 4 + 4 and 8 x 4 + 4. Location:
        # 2 x 2 + 2, 2 x 2 + 2 and 1 x 2 + 2, 2 x 2 + 2.
        ({}, 2 * 410 + 4 * 207 + 72 + 22),
        ({"num_layers": 2}, 2 * 410 + 2 * 207 + 72 + 22),
        ({"num_heads": 1}, 410 + 2 * (207 - 16) + 2 * 20 + 22),
        ({"feed_forward_depth": 8}, 2 * 410 + 4 * 207 + 72 + 22 + 6 * 9),
        ({"query_reduction_depth": 6}, 2 * (410 + 11 + 36) + 4 * 207 + 72 + 22),
        # Without the reduction, and with one cell in place of nine.
        ({"query": tx.Query.LOW_RES}, 2 * (410 - 55 - 35 * 4) + 4 * 207 + 72 + 22),
    ],
)
def test_number_of_weights(changed, counts):
    head = make(**changed)
    assert sum(int(np.prod(v.shape)) for v in head.trainable_variables) == counts


def test_dropout_acts_in_training_on_both_residuals_alone():
    head = make(dropout=0.5)
    calm = head(feature_map(FEATURES), tf.constant(BOXES)).class_logits
    np.testing.assert_allclose(
        calm, make()(feature_map(FEATURES), tf.constant(BOXES)).class_logits, rtol=1e-5
    )
    moved = head(feature_map(FEATURES), tf.constant(BOXES), training=True).class_logits
    assert np.abs(moved - calm).max() > 1e-3
    for unit in head.units:
        assert (unit.attention_dropout.rate, unit.feed_forward_dropout.rate) == (0.5, 0.5)
