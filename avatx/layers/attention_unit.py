"""The Action Transformer unit, "Tx" (paper, section 3.2, figure 2): one head of one layer.

    A   = softmax(Q K^T / sqrt(D)) V                 over all T' * H' * W' cells
    Q'  = LayerNorm(Q + Dropout(A))
    Q'' = LayerNorm(Q' + Dropout(FFN(Q')))

The paper leaves open the feed-forward network's hidden width: 512 (4 D) here, with ReLU, as in
"Attention is all you need". LayerNorm's epsilon is 1e-6.
"""

import tensorflow as tf
import tf_keras

from avatx.layers.dropout import Dropout


class AttentionUnit(tf_keras.layers.Layer):
    """Updates queries by what they find in a memory."""

    def __init__(
        self, depth: int = 128, feed_forward_depth: int = 512, dropout: float = 0.3, **kwargs
    ):
        super().__init__(**kwargs)
        self.depth = depth
        # Keys and values in one product over the memory, which is where the work is.
        self.key_value = tf_keras.layers.Dense(2 * depth, name="key_value")
        self.attention_dropout = Dropout(dropout)
        self.attention_norm = tf_keras.layers.LayerNormalization(epsilon=1e-6, name="query_norm")
        self.feed_forward_hidden = tf_keras.layers.Dense(
            feed_forward_depth, activation="relu", name="feed_forward_hidden"
        )
        self.feed_forward_output = tf_keras.layers.Dense(depth, name="feed_forward_output")
        self.feed_forward_dropout = Dropout(dropout)
        self.output_norm = tf_keras.layers.LayerNormalization(epsilon=1e-6, name="output_norm")

    def call(
        self, query: tf.Tensor, memory: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Updated queries [B, R, D], and attention [B, R, N] float32 that sums to 1 over N.

        Args:
          query: [B, R, D].
          memory: [B, N, C], the cells of the clip's features.
          training: whether dropout is applied.
        """
        key, value = tf.split(self.key_value(memory), 2, axis=-1)  # [B, N, D] each
        # Scaled before the product, so that float16 does not overflow.
        scaled_query = query * tf.cast(self.depth**-0.5, query.dtype)
        logits = tf.matmul(scaled_query, key, transpose_b=True)  # [B, R, N]
        attention = tf.nn.softmax(tf.cast(logits, tf.float32))
        attended = tf.matmul(tf.cast(attention, value.dtype), value)  # [B, R, D]

        query = self.attention_norm(query + self.attention_dropout(attended, training=training))
        update = self.feed_forward_output(self.feed_forward_hidden(query))
        query = self.output_norm(query + self.feed_forward_dropout(update, training=training))
        return query, attention

    def keys(self, memory: tf.Tensor) -> tf.Tensor:
        """What the queries are compared with: memory [..., C] -> [..., D]."""
        return self.key_value(memory)[..., : self.depth]
