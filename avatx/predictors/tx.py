"""The Action Transformer head (paper, sections 3.2 and 3.4).

Layers of heads of `AttentionUnit`: the proposal's pooled cells are the first query, the clip's
cells the memory. What the paper leaves open, and the reading here:
- Each head of the first layer has a query preprocessor of its own. HIGH_RES reduces every cell
  to 384 channels by a 1 x 1 convolution (with ReLU: without it, it and the linear layer after it
  were one linear layer), concatenates the 7 x 7 cells and reduces them to D by a linear layer.
  LOW_RES averages the cells and has the linear layer only.
- "Using the concatenated feature as the next query": the heads' outputs are concatenated to
  heads * D channels, and each head of the next layer has a linear layer from these to its D
  channels, since the unit adds A (D channels) to its query.
- Beyond the paper, `temporal_pooling: MAX` has the first query see the largest value of each cell
  over time in place of the central frame.
- The concatenated output of the last layer goes to the two linear output layers.
With 80 classes that makes 19.2 M parameters (HIGH_RES) and 14.0 M (LOW_RES) with trunk and RPN;
the paper's table 1 says 19.3 M and 13.9 M.
"""

from dataclasses import dataclass
from enum import Enum

import tensorflow as tf
import tf_keras

from avatx.core.structures import BoxPredictions
from avatx.layers.attention_unit import AttentionUnit
from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiPool
from avatx.predictors.box_predictor import BoxPredictor, TemporalPooling


class Query(Enum):
    """How a proposal's cells become the first query."""

    HIGH_RES = "HIGH_RES"
    LOW_RES = "LOW_RES"


@dataclass(frozen=True)
class TxOptions:
    """Fields of TxBoxPredictor of the same name: the size of the head."""

    num_layers: int
    num_heads: int
    depth: int  # D, of each head
    dropout: float
    query: Query
    query_reduction_depth: int
    feed_forward_depth: int
    temporal_pooling: TemporalPooling


class TxBoxPredictor(BoxPredictor):
    """Attends to the clip around each proposal; see the module's docstring."""

    attends = True

    def __init__(
        self,
        num_classes: int,
        options: TxOptions,
        roi_pool: RoiPool,
        location_embedding: LocationEmbedding | None = None,
        **kwargs,
    ):
        """Makes the query layers and attention units of each layer and head.

        Args:
          num_classes: C, without background.
          options: size of the head.
          roi_pool: pools a proposal's cells from the central frame.
          location_embedding: added to the features; none if None.
          **kwargs: see `BoxPredictor`.
        """
        super().__init__(num_classes, **kwargs)
        self.options = options
        self.roi_pool = roi_pool
        self.location_embedding = location_embedding
        self.query_layers, self.units = [], []
        for layer in range(options.num_layers):
            for head in range(options.num_heads):
                suffix = f"layer{layer}_head{head}"
                self.query_layers.append(
                    QueryPreprocessor(options, name=f"query_{suffix}")
                    if layer == 0
                    else tf_keras.layers.Dense(options.depth, name=f"query_{suffix}")
                )
                self.units.append(
                    AttentionUnit(
                        options.depth,
                        options.feed_forward_depth,
                        options.dropout,
                        name=f"unit_{suffix}",
                    )
                )
        self.output_layers = self.make_output_layers()

    def call(self, features, proposal_boxes, training=False, attention=False):
        cells = self._located(features)
        batch, frames, height, width, _ = tf.unstack(tf.shape(cells))
        memory = tf.reshape(cells, [batch, frames * height * width, cells.shape[-1]])
        frame = cells[:, features.center]
        if self.options.temporal_pooling is TemporalPooling.MAX:
            frame = self._largest_over_time(features, frame)
        query = self.roi_pool(
            frame, proposal_boxes, features.positions, training=training
        )  # [B, R, 7, 7, C]

        attention_maps = []
        heads = self.options.num_heads
        for layer in range(self.options.num_layers):
            outputs = [
                unit(query_layer(query), memory, training=training)
                for query_layer, unit in zip(
                    self.query_layers[layer * heads : (layer + 1) * heads],
                    self.units[layer * heads : (layer + 1) * heads],
                    strict=True,
                )
            ]
            query = tf.concat([output for output, _ in outputs], axis=-1)  # [B, R, heads * D]
            if attention:
                maps = tf.stack([weights for _, weights in outputs], axis=2)
                shape = [batch, tf.shape(maps)[1], heads, frames, height, width]
                attention_maps.append(tf.reshape(maps, shape))
        class_logits, box_encodings = self.output_layers(query)
        return BoxPredictions(class_logits, box_encodings, tuple(attention_maps))

    def keys(self, features):
        cells = self._located(features)
        keys = [unit.keys(cells) for unit in self.units]
        heads = self.options.num_heads
        return tuple(tf.stack(keys[i : i + heads], axis=1) for i in range(0, len(keys), heads))

    def _largest_over_time(self, features, frame):
        """The largest value of each cell, and the location of those of the central `frame`."""
        largest = tf.cast(tf.reduce_max(features.cells, axis=1), self.compute_dtype)
        return tf.concat([largest, frame[..., largest.shape[-1] :]], axis=-1)

    def _located(self, features):
        cells = tf.cast(features.cells, self.compute_dtype)
        if self.location_embedding is None:
            return cells
        return self.location_embedding(cells, features.center)


class QueryPreprocessor(tf_keras.layers.Layer):
    """The paper's QPr and the linear layer after it: cells [B, R, h, w, C] -> query [B, R, D]."""

    def __init__(self, options: TxOptions, **kwargs):
        super().__init__(**kwargs)
        self.reduce = None
        if options.query is Query.HIGH_RES:
            self.reduce = tf_keras.layers.Dense(
                options.query_reduction_depth, activation="relu", name="reduce"
            )
        self.project = tf_keras.layers.Dense(options.depth, name="project")

    def call(self, cells: tf.Tensor) -> tf.Tensor:
        if self.reduce is None:
            return self.project(tf.reduce_mean(cells, axis=[2, 3]))
        cells = self.reduce(cells)
        batch, count = tf.shape(cells)[0], tf.shape(cells)[1]
        width = cells.shape[2] * cells.shape[3] * cells.shape[4]
        return self.project(tf.reshape(cells, [batch, count, width]))
