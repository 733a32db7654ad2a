"""Max pooling over time and space, in forms that give the same maxima.

A window's maximum is that of the maxima along its axes, one after the other: of 3x3x3 cells 6
comparisons in place of 26. SAME padding never wins in any form.

Where several cells of a window are equal and largest, who gets the gradient of a pool is its
kernel's affair (TensorFlow's for CPUs, pooling along axes, gives it to each of them in full);
`AXIS_MAXIMA` gives it to the first of them. In 16 bits equal cells are frequent. Cells of 0 are the
usual case, and there the ReLU before the pool stops the gradient in any form.
"""

from collections.abc import Sequence

import tensorflow as tf

WINDOW = "WINDOW"  # one pool over the window
AXIS_POOLS = "AXIS_POOLS"  # a pool along each axis
AXIS_MAXIMA = "AXIS_MAXIMA"  # where 3 cells are pooled at stride 1: maxima of shifted tensors
FORMS = (WINDOW, AXIS_POOLS, AXIS_MAXIMA)


def max_pool(
    inputs: tf.Tensor, window: Sequence[int], strides: Sequence[int], form: str = WINDOW
) -> tf.Tensor:
    """SAME max pooling of [B, T, H, W, C].

    Args:
      inputs: of any float type.
      window: cells along time, rows and columns.
      strides: likewise.
      form: one of FORMS.
    """
    if form == WINDOW:
        return _pool(inputs, window, strides)
    for axis in (2, 1, 0):  # columns first: where equals meet, the first in memory wins
        if window[axis] == 1 and strides[axis] == 1:
            continue
        if form == AXIS_MAXIMA and (window[axis], strides[axis]) == (3, 1):
            inputs = _maximum_of_three(inputs, axis + 1)
        else:
            one_axis = [[1, 1, 1], [1, 1, 1]]
            one_axis[0][axis], one_axis[1][axis] = window[axis], strides[axis]
            inputs = _pool(inputs, *one_axis)
    return inputs


def _pool(inputs, window, strides):
    if inputs.dtype == tf.float16 and not tf.config.list_physical_devices("GPU"):
        # TensorFlow has no float16 kernel for CPUs; a maximum is the same in any precision.
        outputs = tf.nn.max_pool3d(tf.cast(inputs, tf.float32), window, strides, "SAME")
        return tf.cast(outputs, tf.float16)
    return tf.nn.max_pool3d(inputs, window, strides, "SAME")


def _maximum_of_three(inputs, axis):
    """The largest of each cell and its two neighbours along `axis`; the earlier one of equals."""
    size = tf.shape(inputs)[axis]
    padding = [[0, 0]] * axis + [[1, 1]] + [[0, 0]] * (4 - axis)
    padded = tf.pad(inputs, padding, constant_values=inputs.dtype.min)
    before, here, behind = (
        padded[(slice(None),) * axis + (slice(start, start + size),)] for start in range(3)
    )
    # `tf.maximum` gives the gradient of equals to its first argument.
    outputs = tf.maximum(tf.maximum(before, here), behind)
    outputs.set_shape(inputs.shape)
    return outputs
