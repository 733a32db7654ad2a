"""What I3D is made of: convolution units, Inception blocks and the pools between them.

Source: Carreira and Zisserman, "Quo Vadis, Action Recognition?", Figure 3, and the published
checkpoints' names and shapes. TensorFlow SAME padding everywhere, so a stride s maps n cells to
ceil(n / s) for any n. Layers and variables carry their Kinetics names: the object-based
checkpoint's keys are the Kinetics paths (`Mixed_3b/Branch_1/Conv3d_0b_3x3/kernel`).

Departure: kernels start from He's variance scaling, not Sonnet's truncated normal of standard
deviation 1/sqrt(fan_in), which halves the variance at every ReLU; it only matters from scratch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from avatx.layers import batch_norm as batch_norm_lib
from avatx.trunks import pooling, space_to_depth


@dataclass(frozen=True)
class Forms:
    """How the same numbers are computed; variables and checkpoints do not depend on it."""

    max_pool: str = pooling.WINDOW
    # The 1x1x1 convolutions of an Inception block that share an input, as one.
    joint_1x1: bool = False


def scaled(depth: int, depth_multiplier: float) -> int:
    """Channels of a layer of `depth` channels in a narrower or wider network, at least 8."""
    return depth if depth_multiplier == 1.0 else max(8, round(depth * depth_multiplier))


def build_child(child: tf_keras.layers.Layer, input_depth: int) -> None:
    """Makes the variables of a layer over [B, T, H, W, input_depth] under its own name, once."""
    if child.built:
        return  # by a call of its own
    with tf.name_scope(child.name):
        child.build(tf.TensorShape([None, None, None, None, input_depth]))


def named_variables(layer: tf_keras.layers.Layer) -> Iterator[tuple[str, tf.Variable]]:
    """Yields (path below `layer` in Kinetics names, variable) of a built layer, in order.

    A layer made of others lists them in `child_names`; the leaves are `ConvUnit`s.
    """
    if isinstance(layer, ConvUnit):
        yield "kernel", layer.kernel
        for name in ("beta", "moving_mean", "moving_variance"):
            yield f"batch_norm/{name}", getattr(layer.batch_norm, name)
        return
    for child in layer.child_names:
        for name, variable in named_variables(getattr(layer, child)):
            yield f"{child}/{name}", variable


class ConvUnit(tf_keras.layers.Layer):
    """Convolution without bias, batch norm without scale, ReLU: [B,T,H,W,C] -> [B,T',H',W',depth].

    Args:
      depth: output channels.
      kernel_size: (time, height, width) of the kernel.
      strides: likewise.
      batch_norm: mode, see `avatx.layers.batch_norm`.
      batch_norm_momentum: of the moving averages.
      as_blocks: computed on blocks of 2x2x2 cells, see `space_to_depth`; of stride 2 alone.
    """

    def __init__(
        self,
        depth: int,
        kernel_size: tuple[int, int, int],
        strides: tuple[int, int, int] = (1, 1, 1),
        batch_norm: str = batch_norm_lib.FROZEN,
        batch_norm_momentum: float = 0.99,
        as_blocks: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.depth = depth
        self.as_blocks = as_blocks
        self.kernel_size = kernel_size
        self.strides = strides
        self.batch_norm = batch_norm_lib.BatchNorm(
            batch_norm, batch_norm_momentum, name="batch_norm"
        )

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, input_shape[-1], self.depth),
            initializer=tf_keras.initializers.HeNormal(),
            experimental_autocast=False,  # folded in float32, then cast
        )
        build_child(self.batch_norm, self.depth)
        super().build(input_shape)

    def folded(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (kernel [t,h,w,C,depth], bias [depth]) float32 with batch norm folded in."""
        scale, offset = self.batch_norm.fold()
        return self.kernel * scale, offset

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if self.batch_norm.uses_moving_statistics(training):
            kernel, bias = self.folded()
            outputs = tf.nn.bias_add(self._convolve(inputs, kernel), tf.cast(bias, inputs.dtype))
        else:
            outputs = self.batch_norm(self._convolve(inputs, self.kernel), training=True)
        return tf.nn.relu(outputs)

    def _convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self.as_blocks:
            return space_to_depth.convolve(inputs, tf.cast(kernel, inputs.dtype))
        strides = (1, *self.strides, 1)
        return tf.nn.conv3d(inputs, tf.cast(kernel, inputs.dtype), strides, "SAME")


def call_jointly(
    units: Sequence[ConvUnit], inputs: tf.Tensor, training: bool | None
) -> list[tf.Tensor]:
    """Outputs of 1x1x1 units over the same input, by one convolution."""
    depths = [unit.depth for unit in units]
    if not units[0].batch_norm.uses_moving_statistics(training):
        kernel = tf.concat([unit.kernel for unit in units], axis=-1)
        outputs = tf.split(units[0]._convolve(inputs, kernel), depths, axis=-1)
        return [
            tf.nn.relu(unit.batch_norm(output, training=True))
            for unit, output in zip(units, outputs, strict=True)
        ]
    kernels, biases = zip(*(unit.folded() for unit in units), strict=True)
    outputs = units[0]._convolve(inputs, tf.concat(kernels, axis=-1))
    outputs = tf.nn.bias_add(outputs, tf.cast(tf.concat(biases, axis=0), inputs.dtype))
    return tf.split(tf.nn.relu(outputs), depths, axis=-1)


class SeparableUnit(tf_keras.layers.Layer):
    """A `ConvUnit` over space and then one over time, as S3D has in place of a k x k x k kernel.

    Source: Xie et al., "Rethinking Spatiotemporal Feature Learning",
    https://arxiv.org/abs/1712.04851, figure 6: 1 x k x k and then k x 1 x 1, both of the depth of
    the convolution that they replace, and batch norm and ReLU after each.
    """

    child_names = ("spatial", "temporal")

    def __init__(self, depth, kernel_size, strides=(1, 1, 1), unit_options=None, **kwargs):
        """As `ConvUnit`; unit_options: keyword arguments of both."""
        super().__init__(**kwargs)
        self.depth = depth
        time, height, width = kernel_size
        space_strides, time_strides = (1, *strides[1:]), (strides[0], 1, 1)
        options = unit_options or {}
        self.spatial = ConvUnit(depth, (1, height, width), space_strides, name="spatial", **options)
        self.temporal = ConvUnit(depth, (time, 1, 1), time_strides, name="temporal", **options)

    def build(self, input_shape):
        build_child(self.spatial, input_shape[-1])
        build_child(self.temporal, self.depth)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return self.temporal(self.spatial(inputs, training=training), training=training)


def make_unit(
    depth: int,
    kernel_size: tuple[int, int, int],
    strides: tuple[int, int, int] = (1, 1, 1),
    unit_options: dict | None = None,
    name: str | None = None,
) -> tf_keras.layers.Layer:
    """Makes a `ConvUnit`; or a `SeparableUnit` if unit_options say so and the kernel has an extent.

    unit_options: keyword arguments of `ConvUnit`, and `separable`, False if not there.
    """
    options = dict(unit_options or {})
    if options.pop("separable", False) and max(kernel_size) > 1:
        return SeparableUnit(depth, kernel_size, strides, unit_options=options, name=name)
    return ConvUnit(depth, kernel_size, strides, name=name, **options)


class Branch(tf_keras.layers.Layer):
    """Convolution units one after the other.

    Args:
      units: (Kinetics name, depth, kernel edge) of each.
      pool: whether a 3x3x3 max pool of stride 1 goes before them.
      unit_options: see `make_unit`.
      forms: how it is computed.
    """

    def __init__(self, units, pool: bool, unit_options: dict, forms=Forms(), **kwargs):
        super().__init__(**kwargs)
        self._pool = pool
        self._forms = forms
        self.child_names = tuple(name for name, _, _ in units)
        for name, depth, edge in units:
            unit = make_unit(depth, (edge,) * 3, unit_options=unit_options, name=name)
            setattr(self, name, unit)

    def build(self, input_shape):
        depth = input_shape[-1]
        for name in self.child_names:
            build_child(getattr(self, name), depth)
            depth = getattr(self, name).depth
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if self._pool:
            inputs = pooling.max_pool(inputs, (3, 3, 3), (1, 1, 1), self._forms.max_pool)
        return self.call_from(0, inputs, training)

    @property
    def first(self) -> tf_keras.layers.Layer:
        """Its first unit."""
        return getattr(self, self.child_names[0])

    def call_from(self, unit: int, outputs: tf.Tensor, training: bool | None) -> tf.Tensor:
        """What its units from number `unit` on make of the outputs of those before."""
        for name in self.child_names[unit:]:
            outputs = getattr(self, name)(outputs, training=training)
        return outputs


class InceptionBlock(tf_keras.layers.Layer):
    """Four branches over the same input, concatenated: [B,T,H,W,C] -> [B,T,H,W,sum of depths].

    Args:
      depths: of Branch_0; of Branch_1's two units; of Branch_2's two; of Branch_3.
      second_name: Kinetics name of Branch_2's second unit (`Conv3d_0a_3x3` in Mixed_5b, where
        the published network has a slip of the pen, `Conv3d_0b_3x3` elsewhere).
      unit_options: see `make_unit`.
      forms: how it is computed.
    """

    def __init__(
        self,
        depths: Sequence[int],
        second_name: str,
        unit_options: dict,
        forms: Forms = Forms(),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._forms = forms
        d0, d1a, d1b, d2a, d2b, d3 = depths
        self.depth = d0 + d1b + d2b + d3
        branches = (
            ([("Conv3d_0a_1x1", d0, 1)], False),
            ([("Conv3d_0a_1x1", d1a, 1), ("Conv3d_0b_3x3", d1b, 3)], False),
            ([("Conv3d_0a_1x1", d2a, 1), (second_name, d2b, 3)], False),
            ([("Conv3d_0b_1x1", d3, 1)], True),
        )
        self.child_names = tuple(f"Branch_{i}" for i in range(len(branches)))
        for name, (units, pool) in zip(self.child_names, branches, strict=True):
            setattr(self, name, Branch(units, pool, unit_options, forms, name=name))

    def build(self, input_shape):
        for name in self.child_names:
            build_child(getattr(self, name), input_shape[-1])
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        branches = [getattr(self, name) for name in self.child_names]
        if not self._forms.joint_1x1:
            outputs = [branch(inputs, training=training) for branch in branches]
            return tf.concat(outputs, axis=-1)
        *others, pooled = branches
        firsts = call_jointly([branch.first for branch in others], inputs, training)
        outputs = [
            branch.call_from(1, first, training)
            for branch, first in zip(others, firsts, strict=True)
        ]
        return tf.concat([*outputs, pooled(inputs, training=training)], axis=-1)
