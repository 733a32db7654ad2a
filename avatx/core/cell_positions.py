"""Where the cells of a feature map look.

A strided layer with TensorFlow's SAME padding pads more behind than in front, so the window of an
output cell lies off the middle of the inputs that the cell stands for: after I3D's four strides
of two, cell i looks at pixel 16 i + 15 and not at 16 i + 7.5, and after its two strides in time at
frame 4 i + 3. How much is padded depends on the size of the input, so it is known clip by clip.

"Looks at" is the middle of the receptive field. Layers of stride 1 with odd kernels do not move it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx.core.structures import CellPositions

Size = tuple[int, int, int]  # (time, height, width)


class Window(NamedTuple):
    """A layer with strides, SAME padded.

    Attributes:
      kernel: extent of what an output cell sees of the layer's input: (time, height, width).
      stride: input cells between two output cells, likewise.
      shortcut: kernel of a second branch of the same stride that is added to the first one, None
        where there is none: what is added looks halfway between the two.
    """

    kernel: Size
    stride: Size
    shortcut: Size | None = None


def cell_positions(windows: Sequence[Window], clip_size) -> CellPositions:
    """Where the cells behind `windows`, one after the other, look in a clip.

    Args:
      windows: the strided layers, from the clip on.
      clip_size: (T, H, W) of the clip, ints or scalar int tensors.
    """
    size = layer_size = tf.stack(clip_size)  # [3]
    first, step = tf.zeros([3]), np.ones([3], np.float32)
    for window in windows:
        kernel, stride = np.array(window.kernel), np.array(window.stride)
        output_size = -(-layer_size // stride)
        covered = (output_size - 1) * stride - layer_size  # but for the kernel
        shift = _shift(kernel, covered)
        if window.shortcut is not None:
            shift = (shift + _shift(np.array(window.shortcut), covered)) / 2
        first += step * shift
        step, layer_size = step * np.float32(stride), output_size
    return CellPositions(first, tf.constant(step), tf.cast(size, tf.float32))


def as_cells(boxes: tf.Tensor, positions: CellPositions) -> tf.Tensor:
    """Boxes [..., 4], normalised, as rows and columns of cells, counted from 0 and fractional.

    A place gets the number of the cell that looks there, so the frame's edges are at numbers
    between -1 and 0, and between H' - 1 and H'.
    """
    # Pixel p of n is at (p + 0.5) / n of the frame.
    first, stride, size = (part[1:] for part in positions)
    scale, offset = size / stride, (0.5 + first) / stride
    return boxes * tf.concat([scale, scale], 0) - tf.concat([offset, offset], 0)


def nearest_frame(positions: CellPositions, num_frames, frame: tf.Tensor) -> tf.Tensor:
    """Which of `num_frames` feature frames looks nearest to a frame of the clip; [] int32.

    Args:
      positions: of the clip's cells.
      num_frames: T', int or scalar tensor.
      frame: [] float32, counted from 0. The earlier feature frame on a tie.
    """
    looks = positions.first[0] + tf.cast(tf.range(num_frames), tf.float32) * positions.stride[0]
    return tf.argmin(tf.abs(looks - frame), output_type=tf.int32)


def _shift(kernel: np.ndarray, covered: tf.Tensor) -> tf.Tensor:
    """The middle of the first window, [3] float32 in cells of the layer's input."""
    padding = tf.maximum(covered + kernel, 0)
    return np.float32(kernel - 1) / 2 - tf.cast(padding // 2, tf.float32)
