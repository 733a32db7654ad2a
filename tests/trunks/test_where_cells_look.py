"""Every trunk's cells look where they say: tested by the gradient that reaches the clip."""

import re

import numpy as np
import pytest
import tensorflow as tf

from avatx.trunks import pooling
from avatx.trunks.i3d import I3D
from avatx.trunks.model_garden import MOVINET_IDS, RESNET_3D_IDS, Movinet, Resnet3D
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
# Long along the axis in question, so that no border cuts what the cells there see.
SIZES = {
    "frames": [(192, 16, 16), (197, 16, 16)],
    "rows": [(4, 384, 16), (4, 395, 16)],
    "columns": [(4, 16, 384), (4, 16, 401)],
}


@pytest.fixture(autouse=True)
def every_input_counts(monkeypatch):
    """The mean of a pool's window in place of its largest: which that is would be chance."""
    monkeypatch.setattr(
        pooling,
        "max_pool",
        lambda inputs, window, strides, *form: tf.nn.avg_pool3d(inputs, window, strides, "SAME"),
    )


@pytest.mark.parametrize("name", TRUNKS)
def test_the_gradient_is_centred_where_a_cell_looks(name):
    trunk = TRUNKS[name]()
    trunk(tf.zeros([1, 8, 32, 32, trunk.input_channels]))
    _make_even(trunk)
    for axis, sizes in enumerate(SIZES.values()):
        for size in sizes:
            positions, stride = trunk.cell_positions(size), trunk.output_stride[axis]
            assert float(positions.stride[axis]) == stride
            first = float(positions.first[axis])
            # Gates see all of a clip, which moves no mean that is the clip's middle.
            middle = round((size[axis] / 2 - first) / stride)
            looks = first + middle * stride
            # The middle of the stride would be off by 7.5 of 16 pixels, or 1.5 of 4 frames.
            assert abs(_centre(trunk, size, axis, middle) - looks) < 0.02 * stride, size


IDS = [
    *[(Movinet, name) for name in MOVINET_IDS if name != "a0"],
    *[(Resnet3D, depth) for depth in RESNET_3D_IDS if depth != 50],
]


@pytest.mark.long
@pytest.mark.parametrize("kind, model_id", IDS)
def test_those_of_every_size_look_there(kind, model_id):
    """Along the rows: kernels are square, and the strides in time are the smallest one's."""
    trunk = kind(model_id, name="trunk")  # as the builder names it
    size, middle = (1, 768, 16), 24
    trunk(tf.zeros([1, 1, 32, 32, 3]))
    _make_even(trunk)
    assert trunk.output_stride == {Movinet: (1, 16, 16), Resnet3D: (4, 16, 16)}[kind]
    for window in trunk.strided_windows:
        assert window.kernel[1] == window.kernel[2] and window.stride[1] == window.stride[2]
        assert window.stride[0] == 1 or kind is Resnet3D
    looks = float(trunk.cell_positions(size).first[1]) + middle * 16
    assert abs(_centre(trunk, size, 1, middle) - looks) < 0.02 * 16
    # A rate of its own, optimizer.learning_rate_multiplier, may name all that is trained of it.
    names = [variable.name for variable in trunk.trainable_variables]
    assert names and all(re.search("^trunk/", name) for name in names)
    tail = trunk.build_tail()
    tail(tf.zeros([1, 1, 2, 2, trunk.output_depth]))
    assert not [v.name for v in tail.trainable_variables if re.search("^trunk/", v.name)]


def _make_even(trunk):
    """All of a kernel's weights the same: it leans to no side."""
    for variable in trunk.variables:
        if len(variable.shape) == 5:
            even = np.full(variable.shape, 1 / np.prod(variable.shape[:4]), np.float32)
            # A ResNet's gates see all of a clip.
            variable.assign(0 * even if "gating" in variable.name else even)
        if isinstance(trunk, Movinet) and variable.name.split("/")[-1] == "scale:0":
            variable.assign(1.0)  # its blocks start as their shortcuts alone


def _centre(trunk, size, axis, index):
    """The mean place, along an axis, of the gradient of the cells of one index there.

    A 3D ResNet's strided blocks add a branch that looks at one place and a shortcut that looks at
    another, and which weighs more is learnt: the mean of where each looks alone.
    """
    if not isinstance(trunk, Resnet3D):
        return _mean_place(trunk, size, axis, index)
    found = []
    for silent in ("_norm0", "_norm3"):
        for name in trunk.blocks.child_names:
            block = getattr(trunk.blocks, name)
            if hasattr(block, "_norm0") and block._norm0.weights:  # it has a shortcut
                for norm in ("_norm0", "_norm3"):
                    scale = getattr(block, norm).weights[0]
                    scale.assign(tf.fill(scale.shape, 0.0 if norm == silent else 1.0))
        found.append(_mean_place(trunk, size, axis, index))
    return np.mean(found)


def _mean_place(trunk, size, axis, index):
    clip = tf.ones([1, *size, trunk.input_channels])
    with tf.GradientTape() as tape:
        tape.watch(clip)
        total = tf.reduce_sum(tf.gather(trunk(clip), index, axis=axis + 1))
    gradient = np.abs(tape.gradient(total, clip)[0]).sum(axis=-1)
    along = gradient.sum(axis=tuple(other for other in range(3) if other != axis))
    return (along * np.arange(size[axis])).sum() / along.sum()
