import numpy as np
import tensorflow as tf

from avatx.layers.attention_unit import AttentionUnit

DEPTH = 6


def unit_with_random_weights(dropout=0.3):
    unit = AttentionUnit(DEPTH, feed_forward_depth=10, dropout=dropout)
    unit(tf.zeros([1, 1, DEPTH]), tf.zeros([1, 1, 9]))
    generator = np.random.default_rng(0)
    for variable in unit.trainable_variables:  # LayerNorm's gain and offset and biases too
        variable.assign(generator.normal(size=variable.shape))
    return unit


def plain_layer_norm(vector, layer):
    gain, offset = layer.gamma.numpy(), layer.beta.numpy()
    return (vector - vector.mean()) / np.sqrt(vector.var() + 1e-6) * gain + offset


def plain_unit(unit, query, memory):
    """The paper's two equations for one query vector [D] and memory [N, C], in loops."""
    weights, bias = (w.numpy().astype(np.float64) for w in unit.key_value.weights)
    keys = [cell @ weights[:, :DEPTH] + bias[:DEPTH] for cell in memory]
    values = [cell @ weights[:, DEPTH:] + bias[DEPTH:] for cell in memory]
    a = np.array([query @ key / np.sqrt(DEPTH) for key in keys])
    softmax = np.exp(a - a.max()) / np.exp(a - a.max()).sum()
    attended = sum(weight * value for weight, value in zip(softmax, values, strict=True))
    query = plain_layer_norm(query + attended, unit.attention_norm)
    hidden = np.maximum(
        query @ unit.feed_forward_hidden.kernel.numpy() + unit.feed_forward_hidden.bias.numpy(), 0
    )
    output = unit.feed_forward_output
    update = hidden @ output.kernel.numpy() + output.bias.numpy()
    return plain_layer_norm(query + update, unit.output_norm), softmax


def test_equal_to_the_papers_equations():
    unit = unit_with_random_weights()
    generator = np.random.default_rng(1)
    query, memory = generator.normal(size=[2, 3, DEPTH]), generator.normal(size=[2, 20, 9])
    output, attention = unit(tf.constant(query, tf.float32), tf.constant(memory, tf.float32))
    for clip in range(2):
        for proposal in range(3):
            expected, weights = plain_unit(unit, query[clip, proposal], memory[clip])
            np.testing.assert_allclose(output[clip, proposal], expected, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(attention[clip, proposal], weights, rtol=1e-3, atol=1e-5)


def test_attention_sums_to_one():
    unit = unit_with_random_weights()
    _, attention = unit(tf.random.normal([2, 3, DEPTH]), tf.random.normal([2, 500, 9]))
    np.testing.assert_allclose(tf.reduce_sum(attention, axis=-1), 1, atol=1e-5)


def test_dropout_only_in_training_and_never_on_the_residual():
    unit = unit_with_random_weights(dropout=0.5)
    query, memory = tf.random.normal([1, 4, DEPTH]), tf.random.normal([1, 30, 9])
    calm, _ = unit(query, memory, training=False)
    np.testing.assert_array_equal(calm, unit(query, memory, training=False)[0])
    assert np.abs(unit(query, memory, training=True)[0] - calm).max() > 1e-3

    # With everything dropped, both equations are LayerNorms of their residual alone.
    nothing_left = unit_with_random_weights(dropout=0.999999)
    output, _ = nothing_left(query, memory, training=True)
    first = plain_layer_norm(query[0, 0].numpy(), nothing_left.attention_norm)
    expected = plain_layer_norm(first, nothing_left.output_norm)
    np.testing.assert_allclose(output[0, 0], expected, rtol=1e-3, atol=1e-3)
