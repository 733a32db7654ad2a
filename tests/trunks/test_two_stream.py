"""Two streams are their parts, side by side, in features, tails and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.errors import UserError
from avatx.trunks.i3d import I3D
from avatx.trunks.two_stream import TwoStream


def stream(channels, endpoint="Mixed_3b", **options):
    return I3D(endpoint, depth_multiplier=0.125, input_channels=channels, name="stream", **options)


def clips(seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, [2, 8, 32, 48, 5]), tf.float32)


def test_features_are_those_of_both_trunks_side_by_side():
    trunk = TwoStream(stream(3), stream(2, batch_norm="TRAINED"))
    features = trunk(clips(), training=False)
    rgb = trunk.rgb(clips()[..., :3], training=False)
    flow = trunk.flow(clips()[..., 3:], training=False)
    np.testing.assert_array_equal(features, np.concatenate([rgb, flow], axis=-1))
    assert trunk.output_depth == features.shape[-1] == 2 * trunk.rgb.output_depth
    assert trunk.output_stride == (2, 8, 8) and trunk.input_channels == 5
    assert trunk.flow.Conv3d_1a_7x7.kernel.shape[3] == 2


def test_variables_are_of_two_networks_with_names_of_their_own():
    trunk = TwoStream(stream(3), stream(2))
    trunk(clips())
    names = [variable.name for variable in trunk.variables]
    assert len({id(v) for v in trunk.variables}) == len(names) == 2 * len(trunk.rgb.variables)


def test_gradients_reach_every_kernel_of_both():
    trunk = TwoStream(stream(3), stream(2))
    trunk(clips())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(trunk(clips(), training=True) ** 2)
    variables = trunk.rgb.trainable_variables + trunk.flow.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None and np.any(gradient.numpy() != 0), variable.name


def test_tail_runs_each_streams_blocks_on_its_channels():
    trunk = TwoStream(stream(3, "Mixed_4f"), stream(2, "Mixed_4f"))
    tail = trunk.build_tail()
    cells = tf.random.stateless_uniform([3, 2, 7, 7, trunk.output_depth], [1, 2])
    given = tail(cells)
    depth = trunk.rgb.output_depth
    rgb, flow = tail.rgb(cells[..., :depth]), tail.flow(cells[..., depth:])
    np.testing.assert_array_equal(given, np.concatenate([rgb, flow], axis=-1))
    assert given.shape[-1] == tail.output_depth == 2 * tail.rgb.output_depth
    assert trunk.build_tail().rgb is not tail.rgb


def test_streams_that_do_not_fit_are_one_line():
    with pytest.raises(UserError, match=r"stride of \(2, 8, 8\) and flow of \(4, 16, 16\)"):
        TwoStream(stream(3), stream(2, "Mixed_4b"))
    with pytest.raises(UserError, match="rgb takes 3 channels and flow 3; expected 3 and 2"):
        TwoStream(stream(3), stream(3))
    with pytest.raises(ValueError, match="two_stream takes 5 channels"):
        TwoStream(stream(3), stream(2))(clips()[..., :3])
