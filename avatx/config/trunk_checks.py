"""Whether the trunk of a pipeline.config fits what stands behind it and beside it.

The trunks check the same when they are built, but know of no file and line then. A kind of trunk
that is not named here is left to that.
"""

from collections.abc import Iterator

from avatx.config import schema
from avatx.trunks import i3d_endpoints
from avatx.trunks.strides import OUTPUT_STRIDES

_HEADS_WITH_A_TAIL = ("i3d_box_predictor", "tx_i3d_box_predictor")


def contradictions(config) -> Iterator[tuple[str, str]]:
    """Pairs of fields that do not go together: (where to look, what is wrong)."""
    kind = config.model.WhichOneof("model")
    model = getattr(config.model, kind)
    name = f"model.{kind}.trunk"
    yield from _streams_of_different_strides(model.trunk, name)
    for path, message in schema.set_messages(model.trunk, name):
        if message.DESCRIPTOR.name == "I3d" and message.separable and message.stem_as_blocks:
            yield (
                f"{path}.stem_as_blocks",
                f"{path}.stem_as_blocks and separable are both true: the first convolution of a "
                "separable trunk is 1x7x7 and then 7x1x1; expected one of both only",
            )
    reader = kind
    if kind == "action_faster_rcnn":
        reader = model.second_stage_box_predictor.WhichOneof("box_predictor_oneof")
    if reader in (*_HEADS_WITH_A_TAIL, "video_classifier"):
        yield from _trunks_without_a_tail(model.trunk, name, reader)


def _streams_of_different_strides(trunk, name: str) -> Iterator[tuple[str, str]]:
    if trunk.WhichOneof("trunk_oneof") != "two_stream":
        return
    rgb, flow = (_output_stride(stream) for stream in (trunk.two_stream.rgb, trunk.two_stream.flow))
    if rgb and flow and rgb != flow:
        yield (
            f"{name}.two_stream.flow",
            f"{name}.two_stream.rgb has an output stride of {rgb} and flow of {flow} (frames, "
            "rows, columns): expected the same of both",
        )


def _output_stride(trunk) -> tuple[int, int, int] | None:
    kind = trunk.WhichOneof("trunk_oneof")
    if kind == "i3d":
        return i3d_endpoints.output_stride(trunk.i3d.final_endpoint)
    return OUTPUT_STRIDES.get(kind)


def _trunks_without_a_tail(trunk, name: str, reader: str) -> Iterator[tuple[str, str]]:
    kind = trunk.WhichOneof("trunk_oneof")
    if kind == "two_stream":
        for stream in ("rgb", "flow"):
            inner = getattr(trunk.two_stream, stream)
            yield from _trunks_without_a_tail(inner, f"{name}.two_stream.{stream}", reader)
    elif kind == "i3d" and not i3d_endpoints.tail_blocks(trunk.i3d.final_endpoint):
        yield (
            f"{name}.i3d.final_endpoint",
            f"{name}.i3d.final_endpoint is '{trunk.i3d.final_endpoint}' and {reader} runs the "
            "Inception blocks behind it: expected one from Conv3d_2c_3x3 to Mixed_5b (the paper: "
            "Mixed_4f)",
        )
