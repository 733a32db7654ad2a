"""Clips as they come, to clips as trunks take them."""

import tensorflow as tf

from avatx.core.by_device import by_device


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

        def resize_float() -> tf.Tensor:
            return resize(tf.cast(frame_list, tf.float32))

        # The same values; on a CPU without a copy four times as large. There is no GPU kernel for
        # uint8, and in ONNX resizing keeps the type.
        frame_list = by_device(
            on_cpu=lambda: resize(frame_list), elsewhere=resize_float, portable=resize_float
        )
        clips = tf.reshape(frame_list, [batch, frames, *image_size, channels])
    clips = tf.cast(clips, tf.float32)
    return clips / 127.5 - 1.0
