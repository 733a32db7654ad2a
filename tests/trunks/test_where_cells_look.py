"""Every trunk's cells look where they say: tested by the gradient that reaches the clip."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.training.seed import set_random_seed
from avatx.trunks.i3d import I3D
from avatx.trunks.model_garden import Movinet, Resnet3D
from avatx.trunks.two_stream import TwoStream

NARROW = {"depth_multiplier": 0.125}
TRUNKS = {
    "i3d": lambda: I3D(**NARROW),
    "i3d to Mixed_3c": lambda: I3D("Mixed_3c", **NARROW),
    "i3d to MaxPool3d_2a_3x3": lambda: I3D("MaxPool3d_2a_3x3", **NARROW),
    "separable": lambda: I3D(separable=True, **NARROW),
    "two_stream": lambda: TwoStream(I3D(**NARROW), I3D(input_channels=2, name="flow", **NARROW)),
    "resnet_3d": lambda: Resnet3D(50),
    "movinet": lambda: Movinet("a0"),
}


@pytest.mark.parametrize("size", [(32, 128, 96), (27, 101, 120)], ids=str)
@pytest.mark.parametrize("name", TRUNKS)
def test_the_gradient_is_centred_where_a_cell_looks(name, size):
    set_random_seed(0)
    trunk = TRUNKS[name]()
    cells = trunk(tf.zeros([1, *size, trunk.input_channels])).shape[1:4]
    assert list(cells) == [-(-n // s) for n, s in zip(size, trunk.output_stride, strict=True)]
    if name == "movinet":  # its blocks start as their shortcuts alone
        for variable in trunk.trainable_variables:
            if variable.name.split("/")[-1] == "scale:0":
                variable.assign(1.0)
    middle = [n // 2 for n in cells]
    energy = sum(_energy(trunk, size, middle, seed) for seed in range(4))
    positions = trunk.cell_positions(size)
    for axis in range(3):
        along = energy.sum(axis=tuple(other for other in range(3) if other != axis))
        centre = (along * np.arange(size[axis])).sum() / along.sum()
        looks = float(positions.first[axis] + middle[axis] * positions.stride[axis])
        # The middle of the strides would be off by 7.5 of 16 pixels and 1.5 of 4 frames.
        assert abs(centre - looks) < 0.125 * float(positions.stride[axis]) + 0.25, (axis, centre)


def _energy(trunk, size, cell, seed):
    """[T, H, W]: squared gradient of a random direction of one cell's channels."""
    generator = np.random.default_rng(seed)
    clip = tf.constant(generator.normal(size=[1, *size, trunk.input_channels]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(clip)
        features = trunk(clip)[0, cell[0], cell[1], cell[2]]
        total = tf.reduce_sum(features * generator.normal(size=features.shape).astype(np.float32))
    return np.square(tape.gradient(total, clip)[0]).sum(axis=-1)
