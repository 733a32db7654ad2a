"""Floating point operations of I3D's convolutions, counted from their shapes.

An operation is a multiplication or an addition: 2 for each multiply-add. Biases, ReLU, pools and
batch norm are left out: at 64 x 400 x 400 they are under 1 %. A training step costs three times a
forward pass (the gradients by the inputs and by the kernels cost as much each), less what the first
convolution's input does not need.
"""

import math
from typing import NamedTuple

from avatx.trunks.i3d_blocks import scaled
from avatx.trunks.i3d_endpoints import ENDPOINTS, FINAL_ENDPOINT, up_to

Size = tuple[int, int, int]


class Convolution(NamedTuple):
    """One convolution of one clip, SAME padding."""

    name: str
    input_size: Size  # time, height, width
    input_depth: int
    kernel: Size
    strides: Size
    depth: int

    @property
    def output_size(self) -> Size:
        return _strided(self.input_size, self.strides)

    @property
    def flops(self) -> int:
        multiply_adds = math.prod(self.output_size) * math.prod(self.kernel)
        return 2 * multiply_adds * self.input_depth * self.depth


def trunk_convolutions(
    clip_size: Size,
    final_endpoint: str = FINAL_ENDPOINT,
    depth_multiplier: float = 1.0,
    input_channels: int = 3,
) -> list[Convolution]:
    """Every convolution of I3D up to an endpoint for one clip of (T, H, W), in order."""
    found: list[Convolution] = []
    size, depth = clip_size, input_channels

    def add(name: str, inputs: int, outputs: int, kernel: Size, strides: Size = (1, 1, 1)) -> None:
        found.append(Convolution(name, size, inputs, kernel, strides, outputs))

    for name in up_to(final_endpoint):
        kind, *options = ENDPOINTS[name]
        if kind == "pool":
            size = _strided(size, options[1])
        elif kind == "conv":
            outputs = scaled(options[0], depth_multiplier)
            add(name, depth, outputs, options[1], options[2])
            size, depth = found[-1].output_size, outputs
        else:
            a, b0, b1, c0, c1, d = (scaled(one, depth_multiplier) for one in options[0])
            add(f"{name}/Branch_0", depth, a, (1, 1, 1))
            add(f"{name}/Branch_1/1x1", depth, b0, (1, 1, 1))
            add(f"{name}/Branch_1/3x3", b0, b1, (3, 3, 3))
            add(f"{name}/Branch_2/1x1", depth, c0, (1, 1, 1))
            add(f"{name}/Branch_2/3x3", c0, c1, (3, 3, 3))
            add(f"{name}/Branch_3", depth, d, (1, 1, 1))
            depth = a + b1 + c1 + d
    return found


def trunk_flops(clip_size: Size, **options) -> int:
    """Of the forward pass of one clip; arguments as `trunk_convolutions`."""
    return sum(one.flops for one in trunk_convolutions(clip_size, **options))


def _strided(size: Size, strides: Size) -> Size:
    time, height, width = (-(-n // s) for n, s in zip(size, strides, strict=True))
    return time, height, width
