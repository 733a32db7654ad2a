"""Trunk -> avatx.trunks."""

from avatx.protos import trunk_pb2
from avatx.trunks.i3d import I3D
from avatx.trunks.trunk import Trunk


def build(config: trunk_pb2.Trunk) -> Trunk:
    """The trunk. Raises ValueError for an unknown one, UserError for a wrong endpoint."""
    kind = config.WhichOneof("trunk_oneof")
    if kind == "i3d":
        return I3D(
            final_endpoint=config.i3d.final_endpoint,
            batch_norm=trunk_pb2.BatchNorm.Name(config.batch_norm),
            batch_norm_momentum=config.batch_norm_momentum,
            depth_multiplier=config.i3d.depth_multiplier,
            name="trunk",
        )
    raise ValueError(f"unknown trunk: {kind}")
