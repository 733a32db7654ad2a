"""Which part of its frames a clip of a labelled video shows.

The window has the size of the clip, in pixels of the stored frames: a random one in training,
left (or top), centre and right (or bottom) in testing; the centre is that of
`avatx.inference.video_classification.center_crop`. Where the frames are smaller than it, the
window is the largest that fits in its aspect ratio, and is enlarged.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from avatx.data.input import augmentation
from avatx.data.input.augmentation import View


def window_size(stored: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """[2] int32: `size`, or the largest of its ratio where the stored frames are smaller.

    Args:
      stored: [2] int32, height and width of the stored frames.
      size: height and width of the clip.
    """
    stored, wanted = tf.cast(stored, tf.float32), np.array(size, np.float32)
    scale = tf.minimum(tf.reduce_min(stored / wanted), 1.0)
    return tf.cast(tf.clip_by_value(tf.round(scale * wanted), 1.0, stored), tf.int32)


def random_corner(margin: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """[2] int32, from 0 to `margin`, each equally likely where `place` is uniform in [0, 1)."""
    corner = tf.floor(place * tf.cast(margin + 1, tf.float32))
    return tf.minimum(tf.cast(corner, tf.int32), margin)


def spread_corner(margin: tf.Tensor, stored: tf.Tensor, crop: tf.Tensor, count: int) -> tf.Tensor:
    """[2] int32: the centre across, and evenly along the longer side.

    Args:
      margin: [2] int32, by how much the stored frames are larger than the window.
      stored: [2] int32, height and width of the stored frames.
      crop: [] int32, which of the windows, from 0 on.
      count: how many there are; one is the centre.
    """
    centre = margin // 2
    if count == 1:
        return centre
    spread = margin * crop // (count - 1)
    tall = stored[0] > stored[1]
    return tf.where([tall, ~tall], spread, centre)


def crop(stored: tf.Tensor, window: tf.Tensor, corner: tf.Tensor) -> View:
    """The view of `window` pixels from `corner` of frames of `stored` pixels, all [2] int32."""
    edges = tf.concat([corner, corner + window], axis=0) / tf.tile(stored, [2])
    return augmentation.identity_view()._replace(window=tf.cast(edges, tf.float32))
