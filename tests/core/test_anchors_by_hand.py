"""Every field of the anchor generator changes the anchors as worked by hand."""

import dataclasses

import numpy as np
import pytest
from default_options import default

from avatx.core import anchors

# One cell; the centre at (3, 5), 8 high and 4 wide, in a frame of 10 x 20.
ONE = default(
    anchors.GridAnchorGenerator,
    scales=(1.0,),
    aspect_ratios=(1.0,),
    base_size=(8.0, 4.0),
    stride=(6.0, 7.0),
    offset=(3.0, 5.0),
)


def boxes(*centres_and_sides):
    """(y, x, height, width) in pixels -> normalised corners."""
    corners = [[y - h / 2, x - w / 2, y + h / 2, x + w / 2] for y, x, h, w in centres_and_sides]
    return np.array(corners) / [10, 20, 10, 20]


@pytest.mark.parametrize(
    "changed, grid, expected",
    [
        ({}, (1, 1), [(3, 5, 8, 4)]),
        ({"scales": (2.0, 0.5)}, (1, 1), [(3, 5, 16, 8), (3, 5, 4, 2)]),
        # Width over height, the area kept: a ratio of 4 halves the height and doubles the width.
        ({"aspect_ratios": (4.0, 0.25)}, (1, 1), [(3, 5, 4, 8), (3, 5, 16, 2)]),
        # Scales change fastest.
        (
            {"scales": (1.0, 2.0), "aspect_ratios": (1.0, 4.0)},
            (1, 1),
            [(3, 5, 8, 4), (3, 5, 16, 8), (3, 5, 4, 8), (3, 5, 8, 16)],
        ),
        ({"base_size": (2.0, 6.0)}, (1, 1), [(3, 5, 2, 6)]),
        ({"offset": (1.0, 2.0)}, (1, 1), [(1, 2, 8, 4)]),
        ({}, (2, 2), [(3, 5, 8, 4), (3, 12, 8, 4), (9, 5, 8, 4), (9, 12, 8, 4)]),
        ({"stride": (1.0, 2.0)}, (1, 3), [(3, 5, 8, 4), (3, 7, 8, 4), (3, 9, 8, 4)]),
    ],
)
def test_anchors(changed, grid, expected):
    generator = dataclasses.replace(ONE, **changed)
    np.testing.assert_allclose(generator(grid, (10, 20)), boxes(*expected), atol=1e-6)
    assert generator.anchors_per_cell == len(expected) // (grid[0] * grid[1])
