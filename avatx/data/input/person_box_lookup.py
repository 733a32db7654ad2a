"""Boxes of people from elsewhere, joined to clips inside tf.data by video and time."""

from typing import NamedTuple

import tensorflow as tf

from avatx.core.structures import Proposals
from avatx.data.annotations.person_boxes import PersonBoxes, key_of


class FoundBoxes(NamedTuple):
    """The boxes of one keyframe, none of them padding."""

    boxes: tf.Tensor  # [N, 4] float32, yxyx in the stored frame
    scores: tf.Tensor  # [N] float32, descending


class PersonBoxLookup:
    """`PersonBoxes.at` in TensorFlow; of a keyframe that the files do not know, no boxes.

    Args:
      table: what files say.
      max_number_of_boxes: R, to which `padded` fills up.
    """

    def __init__(self, table: PersonBoxes, max_number_of_boxes: int):
        self.table = table
        self.max_number_of_boxes = max_number_of_boxes
        names = table.video_names or [""]
        self._videos = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(names), tf.range(len(names), dtype=tf.int64)
            ),
            default_value=-1,
        )
        # One more moment, so that there is always one; no box is of it.
        self._moments = tf.constant([*table.moments, tf.int64.max], tf.int64)
        self._offsets = tf.constant([*table.offsets, table.offsets[-1]], tf.int64)
        self._tolerance = tf.constant([*table.tolerance, 0], tf.int64)
        self._boxes = tf.constant(table.boxes, tf.float32)
        self._scores = tf.constant(table.scores, tf.float32)

    def __call__(self, video_id: tf.Tensor, timestamp: tf.Tensor) -> FoundBoxes:
        """The boxes nearest to a time, of the time's tolerance.

        Args:
          video_id: [] string.
          timestamp: [] int64, microseconds.
        """
        video = self._videos.lookup(video_id)
        wanted = key_of(video, timestamp)
        right = tf.searchsorted(self._moments, wanted[tf.newaxis], out_type=tf.int64)[0]
        left = tf.maximum(right - 1, 0)
        to_right = tf.gather(self._moments, right) - wanted
        to_left = tf.abs(wanted - tf.gather(self._moments, left))
        nearest = tf.where(to_left <= to_right, left, right)
        near = tf.minimum(to_left, to_right) <= tf.gather(self._tolerance, tf.maximum(video, 0))
        begin = tf.gather(self._offsets, nearest)
        end = tf.where((video >= 0) & near, tf.gather(self._offsets, nearest + 1), begin)
        return FoundBoxes(self._boxes[begin:end], self._scores[begin:end])

    def padded(self, boxes: tf.Tensor, scores: tf.Tensor) -> Proposals:
        """Boxes [N, 4] and scores [N] as one clip's proposals, without the batch dimension."""
        size = self.max_number_of_boxes
        count = tf.minimum(tf.shape(boxes)[0], size)
        boxes = tf.pad(boxes[:size], [[0, size - count], [0, 0]])
        scores = tf.pad(scores[:size], [[0, size - count]])
        return Proposals(tf.ensure_shape(boxes, [size, 4]), tf.ensure_shape(scores, [size]), count)
