"""Keys as colours."""

import numpy as np
import pytest

from avatx.core.cell_view import evenly
from avatx.pictures.embedding import fit_projection, paint, unit_colours


def plain_components(vectors):
    """Principal axes by the eigenvectors of the covariance, their largest entry positive."""
    values, axes = np.linalg.eigh(np.cov(vectors.T))
    axes = axes[:, np.argsort(-values)[:3]].T
    for axis in axes:
        if axis[np.argmax(np.abs(axis))] < 0:
            axis *= -1
    return axes, np.sort(values)[::-1][:3].sum() / values.sum()


def test_the_projection_is_a_plain_pca():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=[200, 8]) * np.arange(8, 0, -1) @ generator.normal(size=[8, 8])
    projection = fit_projection(vectors.reshape(2, 10, 10, 8))
    axes, explained = plain_components(vectors)
    np.testing.assert_allclose(projection.axes, axes, atol=1e-8)
    assert projection.explained == pytest.approx(explained)
    expected = (vectors - vectors.mean(axis=0)) @ axes.T
    np.testing.assert_allclose(projection.coordinates(vectors), expected, atol=1e-8)
    low, high = np.percentile(expected, [2, 98], axis=0)
    middle = 255 * np.clip((expected - low) / (high - low), 0, 1)
    np.testing.assert_allclose(projection.colours(vectors), middle, atol=0.51)


def test_a_key_has_one_colour_in_every_frame_and_every_run():
    generator = np.random.default_rng(1)
    person, wall = generator.normal(size=[2, 16])
    keys = np.broadcast_to(wall, [4, 5, 6, 16]) + 0.01 * generator.normal(size=[4, 5, 6, 16])
    for frame in range(4):  # a person walks to the right
        keys[frame, 2, frame] = person
    colours, explained = unit_colours([keys[np.newaxis]])
    assert colours.shape == (1, 1, 4, 5, 6, 3) and colours.dtype == np.uint8
    walking = {tuple(colours[0, 0, frame, 2, frame]) for frame in range(4)}
    assert len(walking) == 1
    assert 0.9 < explained[0, 0] <= 1
    # Cells in another order, or mirrored frames, take the same colours.
    again, _ = unit_colours([keys[np.newaxis, ::-1, :, ::-1]])
    np.testing.assert_array_equal(again[0, 0, ::-1, :, ::-1], colours[0, 0])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_few_dimensions_and_keys_that_do_not_differ(depth):
    keys = np.random.default_rng(2).normal(size=[3, 4, 4, depth])
    assert fit_projection(keys).colours(keys).shape == (3, 4, 4, 3)
    alike = fit_projection(np.ones([3, 4, 4, depth]))
    assert len(np.unique(alike.colours(np.ones([3, 4, 4, depth])))) == 1


def test_paint_puts_a_cells_colour_where_the_cell_is():
    frame = np.full([80, 100, 3], 255, np.uint8)
    colours = np.zeros([4, 5, 3], np.uint8)
    colours[1, 3] = (255, 0, 0)
    painted = paint(frame, colours, evenly((1, 4, 5), 1))
    assert painted.shape == frame.shape and painted.dtype == np.uint8
    row, column = np.unravel_index(painted[..., 0].argmax(), painted.shape[:2])
    assert (row // 20, column // 20) == (1, 3)
    dark = paint(np.zeros_like(frame), colours, evenly((1, 4, 5), 1))
    assert 0 < dark[..., 0].max() < painted[..., 0].max()
