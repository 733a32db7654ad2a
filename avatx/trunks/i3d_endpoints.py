"""Where I3D can be cut: its endpoints, and what a cut leaves in front and behind.

Without TensorFlow, so that a pipeline.config is checked against it at once.
"""

import math
from typing import Any

# Every endpoint in order. ("conv", depth, kernel, strides), ("pool", window, strides) or
# ("mixed", depths of the six units). Sizes are (time, height, width).
ENDPOINTS: dict[str, tuple[Any, ...]] = {
    "Conv3d_1a_7x7": ("conv", 64, (7, 7, 7), (2, 2, 2)),
    "MaxPool3d_2a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Conv3d_2b_1x1": ("conv", 64, (1, 1, 1), (1, 1, 1)),
    "Conv3d_2c_3x3": ("conv", 192, (3, 3, 3), (1, 1, 1)),
    "MaxPool3d_3a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ("mixed", (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": ("mixed", (128, 128, 192, 32, 96, 64)),
    "MaxPool3d_4a_3x3": ("pool", (3, 3, 3), (2, 2, 2)),
    "Mixed_4b": ("mixed", (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": ("mixed", (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": ("mixed", (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": ("mixed", (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": ("mixed", (256, 160, 320, 32, 128, 128)),
    "MaxPool3d_5a_2x2": ("pool", (2, 2, 2), (2, 2, 2)),
    "Mixed_5b": ("mixed", (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": ("mixed", (384, 192, 384, 48, 128, 128)),
}
FINAL_ENDPOINT = "Mixed_4f"
Size = tuple[int, int, int]


def up_to(final_endpoint: str) -> tuple[str, ...]:
    """Endpoints from the first to `final_endpoint`."""
    names = tuple(ENDPOINTS)
    return names[: names.index(final_endpoint) + 1]


def behind(final_endpoint: str) -> tuple[str, ...]:
    """Endpoints that a cut at `final_endpoint` leaves out."""
    return tuple(ENDPOINTS)[len(up_to(final_endpoint)) :]


def output_stride(final_endpoint: str) -> tuple[int, int, int]:
    """Input cells to one cell of `final_endpoint`: (time, height, width)."""
    strides = zip(*(stride for _, stride in strided(final_endpoint)), strict=True)
    return tuple(math.prod(axis) for axis in strides)


def strided(final_endpoint: str) -> tuple[tuple[Size, Size], ...]:
    """(kernel, strides) of the endpoints up to `final_endpoint` that are no Inception blocks."""
    return tuple(
        ENDPOINTS[name][-2:] for name in up_to(final_endpoint) if ENDPOINTS[name][0] != "mixed"
    )


def tail_blocks(final_endpoint: str) -> tuple[str, ...]:
    """The Inception blocks left out; none where they are not all that is left out but pools."""
    kinds = {name: ENDPOINTS[name][0] for name in behind(final_endpoint)}
    if "conv" in kinds.values():
        return ()
    return tuple(name for name, kind in kinds.items() if kind == "mixed")
