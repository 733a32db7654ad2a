"""Trunk -> avatx.trunks."""

from avatx.builders.options import argument_names, fields_of, looked_up
from avatx.errors import UserError
from avatx.protos import trunk_pb2
from avatx.trunks.trunk import Trunk
from avatx.trunks.two_stream import FLOW_CHANNELS, RGB_CHANNELS, TwoStream

# Name in the config -> the class, made with the fields of the message as arguments.
TRUNKS = {
    "i3d": "avatx.trunks.i3d.I3D",
    "resnet_3d": "avatx.trunks.model_garden.Resnet3D",
    "movinet": "avatx.trunks.model_garden.Movinet",
}


def build(
    config: trunk_pb2.Trunk, *, name: str = "trunk", input_channels: int = RGB_CHANNELS
) -> Trunk:
    """The trunk.

    Raises:
      ValueError: an unknown one.
      UserError: a wrong endpoint or id, streams that do not fit, or a batch norm of a trunk that
        names no such argument.
    """
    kind = config.WhichOneof("trunk_oneof")
    if kind == "two_stream":
        return TwoStream(
            build(config.two_stream.rgb, name="rgb"),
            build(config.two_stream.flow, name="flow", input_channels=FLOW_CHANNELS),
            name=name,
        )
    trunk = looked_up(TRUNKS, kind, "trunk")
    arguments = fields_of(getattr(config, kind))
    for field, value in fields_of(config).items():  # batch_norm and batch_norm_momentum
        if field in argument_names(trunk):
            arguments[field] = value
        elif config.HasField(field):
            raise UserError(f"trunk.{field} is set and {kind} does not read it: leave it out")
    return trunk(**arguments, name=name, input_channels=input_channels)


def input_channels(config: trunk_pb2.Trunk) -> int:
    """Channels of the clips that the trunk of `config` takes, without building it."""
    two_streams = config.WhichOneof("trunk_oneof") == "two_stream"
    return RGB_CHANNELS + FLOW_CHANNELS if two_streams else RGB_CHANNELS
