"""What a video classifier says of each person of a clip, without having been trained for it.

A box is held still over the clip (paper, section 3.3, "stretching the RP in time by replicating the
box to form a tube"); ST-RoIPool cuts the tube out of the trunk's features, at the size that the
whole frame's features have, and the classifier's own pool, tail, mean and logits follow. Of a box
that is the whole frame that is the classifier itself, exactly.
"""

import tensorflow as tf

from avatx.layers.roi_pool import RoiAlignment
from avatx.layers.st_roi_pool import StRoiPool
from avatx.meta_architectures.video_classifier import VideoClassifier


class PersonClassifier:
    """Runs a classifier on tubes.

    Args:
      classifier: trained on whole clips.
    """

    def __init__(self, classifier: VideoClassifier):
        self._classifier = classifier
        rows = -(-classifier.image_size[0] // classifier.trunk.output_stride[1])
        # One cell a crop's cell: nothing is pooled before the classifier's own pool.
        self._pool = StRoiPool(rows, 1, 1, RoiAlignment.OBJECT_DETECTION_API)
        self.logits = tf.function(
            self._logits,
            input_signature=[
                tf.TensorSpec([None, None, None, 3], tf.float32),
                tf.TensorSpec([None, 4], tf.float32),
            ],
            autograph=False,
        )

    def _logits(self, clip: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        """Logits [N, C] of the tubes of one clip.

        Args:
          clip: [T, H, W, 3] float32 in [-1, 1], of any H and W.
          boxes: [N, 4] float32, yxyx, normalised; N > 0.
        """
        model = self._classifier
        features = model.trunk(clip[tf.newaxis], training=False)
        index = tf.zeros([tf.shape(boxes)[0]], tf.int32)
        cells = self._pool(features, boxes, index)
        cells = model.tail(model.trunk.before_tail(cells), training=False)
        return model.logits(model.trunk.average(cells))
