"""Where cells look: numbers worked by hand, and a plain count of what each cell sees."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.core import cell_positions
from avatx.core.cell_positions import Window
from avatx.trunks import i3d_endpoints


def i3d(clip_size):
    windows = [Window(*window) for window in i3d_endpoints.strided("Mixed_4f")]
    return cell_positions.cell_positions(windows, clip_size)


def test_i3d_looks_behind_the_middle_of_its_strides():
    positions = i3d((64, 400, 160))
    assert positions.first.numpy().tolist() == [3, 15, 15]
    assert positions.stride.numpy().tolist() == [4, 16, 16]
    assert positions.size.numpy().tolist() == [64, 400, 160]


def seen(kernel, stride, size):
    """[cells, size] bool: which inputs a cell of one SAME padded layer sees."""
    image = np.eye(size, dtype=np.float32)[:, :, np.newaxis]  # an input each
    filters = np.ones([kernel, 1, 1], np.float32)
    return tf.nn.conv1d(image, filters, stride, "SAME").numpy()[..., 0].T > 0


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 30, 31, 32, 33])
@pytest.mark.parametrize("kernel, stride", [(7, 2), (3, 2), (2, 2), (1, 2), (5, 4), (3, 1), (4, 3)])
def test_of_one_layer_the_middle_of_what_it_sees(kernel, stride, size):
    window = Window((kernel,) * 3, (stride,) * 3)
    positions = cell_positions.cell_positions([window], (size, size, size))
    for cell, inputs in enumerate(seen(kernel, stride, size)):
        first, last = np.flatnonzero(inputs)[[0, -1]]
        looks = float(positions.first[0] + cell * positions.stride[0])
        if last - first == kernel - 1:  # nothing of the window lies in the padding
            assert looks == (first + last) / 2
        assert first - kernel / 2 <= looks <= last + kernel / 2


def test_sizes_that_are_odd_at_some_layer_are_padded_otherwise():
    # 9: of 5 cells the first sees pixels -1 to 1, so cell i looks at 2 i; 5 cells likewise.
    two = [Window((1, 3, 3), (1, 2, 2))] * 2
    positions = cell_positions.cell_positions(two, (8, 9, 10))
    assert positions.first.numpy().tolist() == [0, 0, 1 + 2 * 0]
    assert positions.stride.numpy().tolist() == [1, 4, 4]


def test_a_shortcut_counts_for_half():
    window = Window((1, 3, 3), (1, 2, 2), shortcut=(1, 1, 1))
    positions = cell_positions.cell_positions([window], (4, 8, 9))
    assert positions.first.numpy().tolist() == [0, 0.5, 0]


def test_sizes_may_be_unknown_while_the_graph_is_built():
    run = tf.function(lambda size: i3d(tf.unstack(size)), autograph=False)
    for size in ([64, 400, 400], [9, 31, 48]):
        for found, expected in zip(run(tf.constant(size)), i3d(size), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_place_gets_the_number_of_the_cell_that_looks_there():
    positions = i3d((64, 160, 320))
    # Cell 3 looks at row 63, whose middle is at 63.5 of 160; cell 5 at column 95.
    box = tf.constant([63.5 / 160, 95.5 / 320, 1.0, 1.0])
    found = cell_positions.as_cells(box, positions).numpy()
    np.testing.assert_allclose(found, [3, 5, (160 - 15.5) / 16, (320 - 15.5) / 16], rtol=1e-6)
    corner = cell_positions.as_cells(tf.zeros([2, 4]), positions).numpy()
    np.testing.assert_allclose(corner, np.full([2, 4], -15.5 / 16), rtol=1e-6)


@pytest.mark.parametrize(
    "frames, nearest",
    # Feature frame i looks at 4 i + 3: of 64 frames 7 at 31 and 8 at 35.
    [(64, 7), (96, 11), (32, 3), (8, 0), (4, 0)],
)
def test_the_feature_frame_nearest_to_the_keyframe(frames, nearest):
    positions = i3d((frames, 32, 32))
    found = cell_positions.nearest_frame(positions, -(-frames // 4), tf.constant(frames / 2))
    assert found.dtype == tf.int32 and int(found) == nearest


def test_they_are_few_operations():
    """Every graph of a model has them."""
    run = tf.function(lambda size: i3d(tf.unstack(size)), autograph=False)
    graph = run.get_concrete_function(tf.TensorSpec([3], tf.int32)).graph
    assert len(graph.get_operations()) < 150
