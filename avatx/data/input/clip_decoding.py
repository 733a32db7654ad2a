"""From the encoded frames of a clip to its pixels."""

import tensorflow as tf

from avatx.data.input.augmentation import View
from avatx.data.input.clip_shape import ClipShape


def decode_clip(
    frames: tf.Tensor,
    frame_index: tf.Tensor,
    clip_shape: ClipShape,
    view: View,
    pixels: tf.Tensor | None = None,
    flow: tf.Tensor | None = None,
) -> tf.Tensor:
    """The pixels of a clip: each JPEG is decoded once, cropped in decoding, resized bilinearly.

    Optical flow is cropped, resized and mirrored as its frame is, a mirrored x changing its sign;
    like kinetics-i3d's, it stays what it was in pixels of the stored frame.

    Args:
      frames: [F] string, JPEG, all of one size.
      frame_index: [T] int32 into `frames`.
      clip_shape: the size to resize to, and whether there is flow.
      view: gives flip and colours.
      pixels: [4] int32 (top, left, height, width) of the view's window, None for all.
      flow: [F] string, see `optical_flow.encode`; read where the clip shape has flow.

    Returns:
      [T, H, W, 3] uint8 RGB, or [T, H, W, 5] with flow x and y.
    """
    size = (clip_shape.height, clip_shape.width)

    def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
        if pixels is None:
            frame = tf.io.decode_jpeg(encoded, channels=3)
        else:
            frame = tf.io.decode_and_crop_jpeg(encoded, pixels, channels=3)
        frame = tf.image.resize(frame, size, method="bilinear")
        if view.color is not None:
            frame = tf.tensordot(frame, view.color[:, :3], [[2], [1]]) + 255.0 * view.color[:, 3]
        return tf.cast(tf.clip_by_value(tf.round(frame), 0.0, 255.0), tf.uint8)

    def decode_flow(encoded: tf.Tensor) -> tf.Tensor:
        both = tf.io.decode_jpeg(encoded, channels=1)  # [2 H, W, 1]: x over y
        # As two pictures of one channel, which is twice as fast as one of two.
        both = tf.reshape(both, [2, tf.shape(both)[0] // 2, -1, 1])
        if pixels is not None:
            top, left, height, width = tf.unstack(pixels)
            both = both[:, top : top + height, left : left + width]
        both = tf.cast(tf.round(tf.image.resize(both, size, method="bilinear")), tf.uint8)[..., 0]
        x = tf.cond(view.flip, lambda: 255 - both[0], lambda: both[0])
        return tf.stack([x, both[1]], axis=-1)

    def decode(encoded: tuple[tf.Tensor, ...]) -> tf.Tensor:
        parts = [decode_rgb(encoded[0]), *map(decode_flow, encoded[1:])]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)

    clip = tf.map_fn(
        decode,
        (frames, flow) if clip_shape.has_flow else (frames,),
        fn_output_signature=tf.TensorSpec([*size, clip_shape.channels], tf.uint8),
    )
    repeats = tf.shape(frames)[0] != clip_shape.num_frames
    clip = tf.cond(repeats, lambda: tf.gather(clip, frame_index), lambda: clip)
    clip = tf.cond(view.flip, lambda: tf.reverse(clip, [2]), lambda: clip)
    return tf.ensure_shape(clip, [clip_shape.num_frames, *size, clip_shape.channels])
