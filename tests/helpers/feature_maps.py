"""A `FeatureMap` around cells of one's own."""

import tensorflow as tf

from avatx.core.cell_positions import Window, cell_positions
from avatx.core.structures import FeatureMap

STRIDE = 16  # pixels, and frames


def feature_map(cells, center=None) -> FeatureMap:
    """cells: [B, T', H', W', C] of clips of `STRIDE` times as many frames, rows and columns, as
    one layer of such a stride makes them; center: T' // 2 if None."""
    size = tf.shape(cells)[1:4]
    window = Window((STRIDE,) * 3, (STRIDE,) * 3)
    positions = cell_positions([window], tf.unstack(size * STRIDE))
    return FeatureMap(
        tf.convert_to_tensor(cells), size[0] // 2 if center is None else center, positions
    )
