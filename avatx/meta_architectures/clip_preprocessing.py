"""Clips as they come, to clips as trunks take them."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_switch_case


def normalized_clips(clips: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Resizes frames and maps their values to [-1, 1].

    Args:
      clips: [B, T, H, W, channels] in [0, 255], uint8 or float, any H and W.
      image_size: (H, W) wanted, pixels.

    Returns:
      [B, T, *image_size, channels] float32.
    """
    # `tf.image.resize` sees only what the graph knows of the size: it would copy frames of
    # the right size pixel by pixel.
    if tuple(clips.shape[2:4]) != tuple(image_size):
        batch, frames, height, width, channels = tf.unstack(tf.shape(clips))
        channels = clips.shape[-1] or channels
        frame_list = tf.reshape(clips, [batch * frames, height, width, channels])

        def resize(frames) -> tf.Tensor:
            return tf.image.resize(frames, image_size)  # bilinear, float32

        # The same values; on a CPU without a copy four times as large.
        frame_list = control_flow_switch_case.execute_fn_for_device(
            {"CPU": lambda: resize(frame_list)},
            lambda: resize(tf.cast(frame_list, tf.float32)),
        )
        clips = tf.reshape(frame_list, [batch, frames, *image_size, channels])
    clips = tf.cast(clips, tf.float32)
    return clips / 127.5 - 1.0
