"""A convolution of stride 2 as one of stride 1 over blocks of 2x2x2 cells.

The first convolution of I3D sees 3 channels, of which matrix units, made for multiples of 8, use
little. A block's cells side by side are 24 channels, and a 7x7x7 kernel of stride 2 over cells is
a 4x4x4 kernel of stride 1 over blocks, with zeros for the eighth cell: the same sums in another
order, of 512 products where there were 343. (MLPerf's ResNet-50 and Model Garden's do likewise.)
"""

import tensorflow as tf


def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`tf.nn.conv3d` of stride 2 and SAME padding.

    Args:
      inputs: [B, T, H, W, C], of any sizes.
      kernel: [7, 7, 7, C, depth].

    Returns:
      [B, T', H', W', depth], sizes halved and rounded up.

    Raises:
      ValueError: a kernel of another size.
    """
    if tuple(kernel.shape[:3]) != (7, 7, 7):
        raise ValueError(f"kernel {kernel.shape}: blocks are for 7x7x7 kernels")
    batch, *sizes = tf.unstack(tf.shape(inputs)[:4])
    channels, depth = kernel.shape[3:]
    # SAME pads an odd size by 3 cells on both sides and an even one by 2 and 3: by one more cell in
    # front, windows begin at a block's edge in both cases.
    odd = [size % 2 for size in sizes]
    inputs = tf.pad(inputs, [[0, 0], *([one, 0] for one in odd), [0, 0]])
    frames, rows, columns = (-(-size // 2) for size in sizes)
    blocks = tf.reshape(inputs, [batch, frames, 2, rows, 2, columns, 2, channels])
    blocks = tf.transpose(blocks, [0, 1, 3, 5, 2, 4, 6, 7])
    blocks = tf.reshape(blocks, [batch, frames, rows, columns, 8 * channels])
    kernel = tf.pad(kernel, [[0, 1], [0, 1], [0, 1], [0, 0], [0, 0]])
    kernel = tf.reshape(kernel, [4, 2, 4, 2, 4, 2, channels, depth])
    kernel = tf.transpose(kernel, [0, 2, 4, 1, 3, 5, 6, 7])
    kernel = tf.reshape(kernel, [4, 4, 4, 8 * channels, depth])
    return tf.nn.conv3d(blocks, kernel, [1] * 5, "SAME")
