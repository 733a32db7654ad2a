"""Trunk -> avatx.trunks."""

from avatx.protos import trunk_pb2
from avatx.trunks import model_garden
from avatx.trunks.i3d import I3D
from avatx.trunks.trunk import Trunk
from avatx.trunks.two_stream import FLOW_CHANNELS, RGB_CHANNELS, TwoStream


def build(config: trunk_pb2.Trunk, *, name: str = "trunk", input_channels: int = 3) -> Trunk:
    """The trunk. Raises ValueError for an unknown one, UserError for a wrong endpoint or id, or
    two streams that do not fit."""
    kind = config.WhichOneof("trunk_oneof")
    common = {
        "batch_norm": trunk_pb2.BatchNorm.Name(config.batch_norm),
        "batch_norm_momentum": config.batch_norm_momentum,
        "name": name,
        "input_channels": input_channels,
    }
    if kind == "i3d":
        return I3D(
            final_endpoint=config.i3d.final_endpoint,
            depth_multiplier=config.i3d.depth_multiplier,
            separable=config.i3d.separable,
            **common,
        )
    if kind == "resnet_3d":
        return model_garden.Resnet3D(config.resnet_3d.model_id, **common)
    if kind == "movinet":
        return model_garden.Movinet(config.movinet.model_id, **common)
    if kind == "two_stream":
        return TwoStream(
            build(config.two_stream.rgb, name="rgb"),
            build(config.two_stream.flow, name="flow", input_channels=FLOW_CHANNELS),
            name=name,
        )
    raise ValueError(f"unknown trunk: {kind}")


def input_channels(config: trunk_pb2.Trunk) -> int:
    """Channels of the clips that the trunk of `config` takes, without building it."""
    two_streams = config.WhichOneof("trunk_oneof") == "two_stream"
    return RGB_CHANNELS + FLOW_CHANNELS if two_streams else RGB_CHANNELS
