"""Where a cell is said to lie, by hand: a grid that is not square, an even and an odd number of
frames, and layers that tell y from x."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.layers import location_embedding

# Of 2 rows and 4 columns, -1 to 1: the centres of the cells.
YS, XS = [-0.5, 0.5], [-0.75, -0.25, 0.25, 0.75]
# Counted from frame T' // 2, 8 frames to a unit.
TIMES = {4: [-0.25, -0.125, 0.0, 0.125], 5: [-0.25, -0.125, 0.0, 0.125, 0.25]}


def mlp(layers, vector):
    hidden, output = (getattr(layers, f"layer_with_weights-{place}") for place in range(2))
    hidden = np.maximum(vector @ hidden.kernel.numpy() + hidden.bias.numpy(), 0)
    return hidden @ output.kernel.numpy() + output.bias.numpy()


@pytest.mark.parametrize("frames", [4, 5])
@pytest.mark.parametrize("depth", [3, 2])
def test_equal_to_numpy(frames, depth):
    layer = location_embedding.LocationEmbedding(depth)
    features = np.random.default_rng(0).normal(size=[2, frames, 2, 4, 3]).astype(np.float32)
    layer(tf.constant(features), frames // 2)
    generator = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    found = layer(tf.constant(features), frames // 2).numpy()
    assert found.shape == (2, frames, 2, 4, 3 + 2 * depth)
    for t, time in enumerate(TIMES[frames]):
        for i, y in enumerate(YS):
            for j, x in enumerate(XS):
                spatial = mlp(layer.spatial_mlp, np.array([y, x]))
                temporal = mlp(layer.temporal_mlp, np.array([time]))
                for clip in range(2):
                    expected = np.concatenate([features[clip, t, i, j], spatial, temporal])
                    np.testing.assert_allclose(found[clip, t, i, j], expected, rtol=1e-4, atol=1e-5)
