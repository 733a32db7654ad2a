"""What MoViNet is made of: convolution blocks, squeeze and excitation, inverted bottlenecks.

Source: Kondratyuk et al., "MoViNets: Mobile Video Networks for Efficient Video Recognition",
https://arxiv.org/abs/2103.11511, in the base (not streaming) form of Model Garden's
`official.projects.movinet.modeling.movinet_layers`: the tests compare block by block.

Departures from Model Garden's layers, which compute the same: every convolution there is compiled
by XLA for itself and anew for every size of clip, since TensorFlow has no grouped 3D convolution
on CPUs (A0 takes 40 s to trace a training step, and 1 s for a step where this takes a fifth). Here
a depthwise 3D convolution is the sum of depthwise 2D convolutions, one a frame of its kernel. The
batch norm of the shortcut follows the others' momentum and mode; there it keeps the defaults.
"""

import tensorflow as tf
import tf_keras

EPSILON = 1e-3  # of batch norm, Model Garden's default


class DepthwiseConv3D(tf_keras.layers.Layer):
    """A kernel a channel, SAME, stride in space only: [B,T,H,W,C] -> [B,T,ceil(H/s),ceil(W/s),C].

    Args:
      kernel_size: (time, height, width); the kernel is [time, height, width, 1, C].
      stride: s.
    """

    def __init__(self, kernel_size: tuple[int, int, int], stride: int, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        self.stride = stride

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, 1, input_shape[-1]),
            initializer=tf_keras.initializers.HeNormal(),
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        _, frames, height, width, depth = tf.unstack(tf.shape(inputs))
        taps = self.kernel_size[0]
        before = (taps - 1) // 2
        padded = tf.pad(inputs, [[0, 0], [before, taps - 1 - before], [0, 0], [0, 0], [0, 0]])
        total = None
        for tap in range(taps):
            images = tf.reshape(padded[:, tap : tap + frames], [-1, height, width, depth])
            images = tf.ensure_shape(images, [None, None, None, inputs.shape[-1]])
            kernel = tf.transpose(self.kernel[tap], [0, 1, 3, 2])  # [h, w, C, 1]
            strides = [1, self.stride, self.stride, 1]
            outputs = tf.nn.depthwise_conv2d(images, kernel, strides, "SAME")
            total = outputs if total is None else total + outputs
        shape = tf.shape(total)
        return tf.reshape(total, [-1, frames, shape[1], shape[2], inputs.shape[-1]])


class ConvBlock(tf_keras.layers.Layer):
    """Convolution without bias, batch norm, swish: [B, T, H, W, C] -> [B, T, H', W', depth].

    Args:
      depth: output channels; None makes the convolution depthwise.
      kernel_size: (time, height, width).
      stride: in height and width.
      activate: whether swish comes last.
      batch_norm_options: keyword arguments of `tf_keras.layers.BatchNormalization`.
    """

    def __init__(
        self,
        depth: int | None,
        kernel_size: tuple[int, int, int] = (1, 1, 1),
        stride: int = 1,
        activate: bool = True,
        batch_norm_options: dict | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if depth is None:
            self.conv3d = DepthwiseConv3D(kernel_size, stride, name="conv3d")
        else:
            self.conv3d = tf_keras.layers.Conv3D(
                depth,
                kernel_size,
                strides=(1, stride, stride),
                padding="same",
                use_bias=False,
                kernel_initializer="HeNormal",
                name="conv3d",
            )
        self.bn = tf_keras.layers.BatchNormalization(
            epsilon=EPSILON, name="bn", **(batch_norm_options or {})
        )
        self.activate = activate

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        outputs = self.bn(self.conv3d(inputs), training=training)
        return tf.nn.silu(outputs) if self.activate else outputs


class SqueezeExcitation(tf_keras.layers.Layer):
    """Scales every channel by a gate computed from the means over T, H and W of all channels."""

    def __init__(self, hidden_depth: int, **kwargs):
        super().__init__(**kwargs)
        self.se_reduce = tf_keras.layers.Dense(
            hidden_depth, tf.nn.silu, kernel_initializer="HeNormal", name="se_reduce"
        )

    def build(self, input_shape):
        self.se_expand = tf_keras.layers.Dense(
            input_shape[-1], tf.sigmoid, kernel_initializer="HeNormal", name="se_expand"
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # In float32: a sum over a clip overflows float16.
        means = tf.reduce_mean(tf.cast(inputs, tf.float32), axis=[1, 2, 3], keepdims=True)
        return inputs * self.se_expand(self.se_reduce(tf.cast(means, inputs.dtype)))


class Bottleneck(tf_keras.layers.Layer):
    """Expand, depthwise convolution, gate, project, add to the input: [B,T,H,W,C] -> [...,depth].

    Args:
      depth: output channels.
      expanded_depth: channels of the depthwise convolution.
      hidden_depth: of the gate.
      kernel_size: (time, height, width) of the depthwise convolution.
      stride: in height and width.
      batch_norm_options: as of `ConvBlock`.
    """

    def __init__(
        self,
        depth: int,
        expanded_depth: int,
        hidden_depth: int,
        kernel_size: tuple[int, int, int],
        stride: int = 1,
        batch_norm_options: dict | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.batch_norm_options = batch_norm_options
        self.depth, self.stride = depth, stride
        self.expansion = ConvBlock(
            expanded_depth, name="expansion", batch_norm_options=batch_norm_options
        )
        self.feature = ConvBlock(
            None, kernel_size, stride, name="feature", batch_norm_options=batch_norm_options
        )
        self.se = SqueezeExcitation(hidden_depth, name="se")
        self.projection = ConvBlock(
            depth, activate=False, name="projection", batch_norm_options=batch_norm_options
        )

    def build(self, input_shape):
        self.skip = None
        if self.stride > 1 or input_shape[-1] != self.depth:
            self.skip = ConvBlock(
                self.depth,
                activate=False,
                name="skip_project",
                batch_norm_options=self.batch_norm_options,
            )
        # "ReZero": a block starts as its shortcut alone.
        self.scale = self.add_weight(name="scale", shape=[], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        outputs = self.feature(self.expansion(inputs, training=training), training=training)
        outputs = self.projection(self.se(outputs), training=training)
        shortcut = _average_pool(inputs, self.stride) if self.stride > 1 else inputs
        if self.skip is not None:
            shortcut = self.skip(shortcut, training=training)
        return tf.cast(self.scale, inputs.dtype) * outputs + shortcut


def _average_pool(inputs: tf.Tensor, stride: int) -> tf.Tensor:
    """SAME 1x3x3 average pooling, [B,T,H,W,C], padding not counted."""
    _, frames, height, width, depth = tf.unstack(tf.shape(inputs))
    images = tf.reshape(inputs, [-1, height, width, depth])
    images = tf.nn.avg_pool2d(images, 3, stride, "SAME")
    shape = tf.shape(images)
    return tf.reshape(images, [-1, frames, shape[1], shape[2], inputs.shape[-1]])
