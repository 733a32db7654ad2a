"""RGB and optical flow, a trunk each, their features concatenated (late fusion, one head).

The paper's section 4: "adding flow as input is likely to boost performance" (it uses RGB alone).
Departure: kinetics-i3d averages the two streams' logits. Here the head must see both at one
proposal, so channels of the two feature maps are put together, RGB first, and the head's own first
linear layer weighs them. A tail likewise runs each stream's cut-off blocks on that stream's
channels, so that the blocks of both Kinetics networks fit where they are, and concatenates.
"""

import tensorflow as tf
import tf_keras

from avatx.core.cell_positions import Window
from avatx.errors import UserError
from avatx.trunks import i3d_blocks
from avatx.trunks.trunk import Trunk

RGB_CHANNELS, FLOW_CHANNELS = 3, 2


class TwoStreamTail(tf_keras.layers.Layer):
    """Each stream's tail on its own channels: [N, T, H, W, C] -> [N, T, H, W, output_depth]."""

    def __init__(self, rgb, flow, rgb_depth: int, **kwargs):
        """Takes both tails; their channels stand side by side.

        Args:
          rgb: tail of the RGB stream.
          flow: tail of the flow stream.
          rgb_depth: how many of the C channels, the first ones, are the RGB stream's.
          **kwargs: of `tf_keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.rgb = rgb
        self.flow = flow
        self.rgb_depth = rgb_depth

    @property
    def output_depth(self) -> int:
        return self.rgb.output_depth + self.flow.output_depth

    def build(self, input_shape):
        i3d_blocks.build_child(self.rgb, self.rgb_depth)
        i3d_blocks.build_child(self.flow, input_shape[-1] - self.rgb_depth)
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        rgb = self.rgb(features[..., : self.rgb_depth], training=training)
        flow = self.flow(features[..., self.rgb_depth :], training=training)
        return tf.concat([rgb, flow], axis=-1)


class TwoStream(Trunk):
    """Clips of 5 channels (RGB, flow x, flow y), all in [-1, 1]; features of both trunks.

    Args:
      rgb: takes the first 3 channels.
      flow: takes the last 2.

    Raises:
      UserError: their features do not lie on one grid, or a trunk takes other channels.
    """

    def __init__(self, rgb: Trunk, flow: Trunk, name: str = "two_stream", **kwargs):
        channels = RGB_CHANNELS + FLOW_CHANNELS
        super().__init__(input_channels=channels, name=name, **kwargs)
        if (rgb.input_channels, flow.input_channels) != (RGB_CHANNELS, FLOW_CHANNELS):
            raise UserError(
                f"two_stream: rgb takes {rgb.input_channels} channels and flow "
                f"{flow.input_channels}; expected {RGB_CHANNELS} and {FLOW_CHANNELS}"
            )
        if rgb.output_stride != flow.output_stride:
            raise UserError(
                f"two_stream: rgb has an output stride of {rgb.output_stride} and flow of "
                f"{flow.output_stride} (frames, rows, columns); expected the same of both"
            )
        self.rgb = rgb
        self.flow = flow

    @property
    def strided_windows(self) -> tuple[Window, ...]:
        return self.rgb.strided_windows  # the flow stream's, which may differ, has the same stride

    @property
    def output_depth(self) -> int:
        return self.rgb.output_depth + self.flow.output_depth

    @property
    def streams(self) -> dict[str, Trunk]:
        return {"rgb": self.rgb, "flow": self.flow}

    @tf.autograph.experimental.do_not_convert
    def call(self, clips: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if clips.shape[-1] != self.input_channels:
            raise ValueError(f"two_stream takes {self.input_channels} channels: {clips.shape}")
        rgb = self.rgb(clips[..., :RGB_CHANNELS], training=training)
        flow = self.flow(clips[..., RGB_CHANNELS:], training=training)
        return tf.concat([rgb, flow], axis=-1)

    def build_tail(self) -> TwoStreamTail:
        """Makes both streams' tails; see `TwoStreamTail`."""
        rgb, flow = self.rgb.build_tail(), self.flow.build_tail()
        for tail, stream in ((rgb, "rgb"), (flow, "flow")):
            tail._name = stream  # both are called "tail", and variables are told apart by name
        return TwoStreamTail(rgb, flow, self.rgb.output_depth, name="tail")
