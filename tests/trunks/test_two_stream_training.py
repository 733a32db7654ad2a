"""Both streams are told whether they train, in the trunk and in the tail."""

import numpy as np
import tensorflow as tf

from avatx.trunks import i3d, two_stream


def stream(channels, endpoint):
    return i3d.I3D(
        endpoint,
        batch_norm="TRAINED",
        batch_norm_momentum=0.5,
        depth_multiplier=0.05,
        input_channels=channels,
        name="stream",
    )


def moved(layer, before):
    """Whether each stream's moving means changed."""
    after = [v.numpy() for v in layer.non_trainable_variables]
    return all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))


def check(layer, inputs):
    layer(inputs)
    streams = (layer.rgb, layer.flow)
    before = [[v.numpy() for v in one.non_trainable_variables] for one in streams]
    layer(inputs, training=False)
    assert not any(moved(one, values) for one, values in zip(streams, before, strict=True))
    layer(inputs, training=True)
    assert all(moved(one, values) for one, values in zip(streams, before, strict=True))


def test_trunk_and_tail():
    trunk = two_stream.TwoStream(stream(3, "Conv3d_2c_3x3"), stream(2, "Conv3d_2c_3x3"))
    check(trunk, tf.random.stateless_uniform([1, 4, 16, 16, 5], [1, 2]))
    cut = two_stream.TwoStream(stream(3, "Mixed_5b"), stream(2, "Mixed_5b"))
    check(cut.build_tail(), tf.random.stateless_uniform([1, 1, 2, 2, cut.output_depth], [1, 2]))
