"""RoIPool (paper, section 3.4): a 14 x 14 crop of each box, max-pooled to 7 x 7."""

import tensorflow as tf
import tf_keras


class RoiPool(tf_keras.layers.Layer):
    """Bilinear crop and resize, then max pool, as the Object Detection API's Faster R-CNN.

    `tf.image.crop_and_resize` puts coordinate 1 on the last cell's centre, as everywhere in that
    API. It knows no bfloat16, so all is done in float32 and cast back.
    """

    def __init__(self, crop_size: int, pool_size: int, pool_stride: int, **kwargs):
        super().__init__(**kwargs)
        self.crop_size = crop_size
        self.pool_size = pool_size
        self.pool_stride = pool_stride
        self.output_size = (crop_size - pool_size) // pool_stride + 1

    def call(self, features: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        """Cells [B, R, h, w, C] of the boxes.

        Args:
          features: [B, H', W', C] of one frame.
          boxes: [B, R, 4] float32, normalised. No gradient goes through them.
        """
        batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]
        cells = self.pool(features, tf.reshape(boxes, [-1, 4]), tf.repeat(tf.range(batch), count))
        shape = [batch, count, self.output_size, self.output_size, features.shape[-1]]
        return tf.reshape(cells, shape)

    def pool(self, features: tf.Tensor, boxes: tf.Tensor, frame_index: tf.Tensor) -> tf.Tensor:
        """Cells [N, h, w, C] of boxes [N, 4], box i in frame `frame_index[i]` of `features`."""
        crops = tf.image.crop_and_resize(
            tf.cast(features, tf.float32),
            tf.stop_gradient(boxes),
            frame_index,
            [self.crop_size, self.crop_size],
        )  # [N, crop, crop, C]
        cells = tf.nn.max_pool2d(crops, self.pool_size, self.pool_stride, "VALID")
        return tf.cast(cells, features.dtype)
