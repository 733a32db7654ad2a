"""Location embedding (paper, section 3.4): where a feature cell lies, as channels.

The vectors [h, w] and [t] of each cell, relative to the centre, go through a 2-layer MLP each;
the outputs are concatenated to the features. The paper leaves open the MLPs' widths and the
units. Widths here: 32 hidden and 32 output channels each, which together with the Tx head meets
the paper's parameter counts. Units here:
- h and w run from -1 to 1 over the cells, at any resolution (a cell looks somewhat behind its
  place, `core.cell_positions`, by one shift everywhere in a clip: to an MLP an offset);
- t counts feature frames from the central one, 8 to a unit: -1 to 7/8 over 64 frames at stride
  4 with the MIDDLE one. The unit is fixed, so a model trained on 64 frames sees the same moment
  under the same number when it runs on 96, and only the added frames lie outside what it has seen.
"""

import tensorflow as tf
import tf_keras

_FRAMES_PER_UNIT = 8.0


class LocationEmbedding(tf_keras.layers.Layer):
    """Concatenates 2 * `depth` channels of location to a feature map."""

    def __init__(self, depth: int, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.spatial_mlp = _Mlp(depth, name="spatial")
        self.temporal_mlp = _Mlp(depth, name="temporal")

    def call(self, features: tf.Tensor, center: tf.Tensor) -> tf.Tensor:
        """Adds the channels.

        Args:
          features: [B, T', H', W', C].
          center: [] int32, the temporally central feature frame: its t is 0.

        Returns:
          [B, T', H', W', C + 2 * depth].
        """
        batch, frames, height, width, _ = tf.unstack(tf.shape(features))
        y, x = (
            (tf.cast(tf.range(cells), tf.float32) + 0.5) / tf.cast(cells, tf.float32) * 2 - 1
            for cells in (height, width)
        )
        spatial = tf.stack(tf.meshgrid(y, x, indexing="ij"), axis=-1)  # [H', W', 2]
        temporal = tf.cast(tf.range(frames) - center, tf.float32) / _FRAMES_PER_UNIT

        spatial = self.spatial_mlp(spatial)[tf.newaxis, tf.newaxis]  # [1, 1, H', W', D]
        temporal = self.temporal_mlp(temporal[:, tf.newaxis])  # [T', D]
        temporal = temporal[tf.newaxis, :, tf.newaxis, tf.newaxis]
        shape = [batch, frames, height, width, self.depth]
        return tf.concat(
            [features]
            + [
                tf.cast(tf.broadcast_to(part, shape), features.dtype)
                for part in (spatial, temporal)
            ],
            axis=-1,
        )


class _Mlp(tf_keras.layers.Layer):
    """Two layers. Not a `Sequential`: its variables' names would not tell where they belong.

    In checkpoints they have the names that a `Sequential` gives them, as they always had.
    """

    def __init__(self, depth: int, **kwargs):
        super().__init__(**kwargs)
        hidden = tf_keras.layers.Dense(depth, activation="relu", name="hidden")
        output = tf_keras.layers.Dense(depth, name="output")
        for place, layer in enumerate((hidden, output)):
            setattr(self, f"layer_with_weights-{place}", layer)
        self.run = lambda inputs: output(hidden(inputs))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[..., depth] of inputs [..., n]."""
        return self.run(inputs)
