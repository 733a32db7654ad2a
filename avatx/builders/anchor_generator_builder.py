"""AnchorGenerator -> avatx.core.anchors."""

from avatx.builders.options import options_from
from avatx.core.anchors import GridAnchorGenerator
from avatx.protos import anchor_generator_pb2


def build(
    config: anchor_generator_pb2.AnchorGenerator, output_stride: tuple[int, int]
) -> GridAnchorGenerator:
    """The anchor generator; strides that are not given are the trunk's `output_stride` (pixels).

    Raises:
      ValueError: an unknown anchor generator.
    """
    kind = config.WhichOneof("anchor_generator_oneof")
    if kind == "grid_anchor_generator":
        grid = config.grid_anchor_generator
        return options_from(
            grid,
            GridAnchorGenerator,
            base_size=(grid.height, grid.width),
            stride=(grid.height_stride or output_stride[0], grid.width_stride or output_stride[1]),
            offset=(grid.height_offset, grid.width_offset),
        )
    raise ValueError(f"unknown anchor_generator: {kind}")
