"""Writes a DetectionModel as an ONNX file, which ONNX Runtime runs without TensorFlow.

It is the signature serving_default (see `avatx.export.saved_model`): its inputs by their names,
`clips` uint8 [B, T, H, W, 3 (5 with flow)], of any B above 0, T, H and W, and of a model with
proposal_source EXTERNAL `person_boxes`; the same five outputs. There is none of
serving_jpeg, for ONNX decodes no JPEG, nor of serving_attention. What the signature metadata gives
is in the file's metadata, as text: num_frames, frame_rate, class_names and class_groups (JSON, by
class id), and how frames were taken.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from avatx import stderr_noise
from avatx.atomic_file import atomic_binary_file
from avatx.core.by_device import portable_graph
from avatx.errors import UserError, first_line
from avatx.export import onnx_operators, saved_model
from avatx.progress import Progress

OPERATOR_SET = 17  # ONNX Runtime 1.12 and newer run it
_INSTALL = 'pip install "avatx[onnx]"'
# Files of Protocol Buffers are smaller.
_LARGEST = 2**31 - 1


def check_installed() -> None:
    """Raises UserError where the converter is missing; cheap, so call it before loading a model."""
    try:
        import onnx  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"onnx: the package {error.name} is not installed, which this format needs: {_INSTALL}"
        ) from error


def export(
    model,
    clip_num_frames: int,
    clip_frame_rate: float,
    class_names: Mapping[int, str],
    path: str,
    frame_settings: Mapping[str, Any] | None = None,
    class_groups: Mapping[int, str] | None = None,
) -> None:
    """Writes `model` to the file `path`; arguments as of `saved_model.export`.

    Raises:
      UserError: tf2onnx is not installed, or the model has an operation that ONNX has not.
    """
    check_installed()
    progress = Progress("exporting", "steps", 2)
    serve = saved_model.serving_function(model)
    with portable_graph():
        function = serve.get_concrete_function()
    progress.add(1)
    try:
        proto = _converted(function)
    except Exception as error:  # tf2onnx raises several kinds for what it cannot convert
        raise UserError(_no_operation(error)) from error
    _check(proto)
    _name_axes(proto)
    progress.add(1)
    progress.end()
    known = {name: value for name, value in (frame_settings or {}).items() if value is not None}
    facts = {
        "num_frames": clip_num_frames,
        "frame_rate": clip_frame_rate,
        "class_names": _by_class(class_names),
        **known,
    }
    if class_groups:
        facts["class_groups"] = _by_class(class_groups)
    for name, value in facts.items():
        proto.metadata_props.add(key=name, value=str(value))
    if proto.ByteSize() > _LARGEST:
        raise UserError(f"onnx: the model has {proto.ByteSize():,} bytes; a file takes 2 GB")
    with atomic_binary_file(path) as file:
        file.write(proto.SerializeToString())


def _check(proto: Any) -> None:
    """Raises UserError for what no runtime would load: tf2onnx writes what it cannot convert."""
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UserError(_no_operation(error)) from error


def _name_axes(proto: Any) -> None:
    """Gives axes of any size their names, as runtimes show them, in place of tf2onnx's numbers."""
    for tensor in (*proto.graph.input, *proto.graph.output):
        names = saved_model.FREE_AXES.get(tensor.name, "BD")  # of outputs: clips, detections
        for name, size in zip(names, tensor.type.tensor_type.shape.dim, strict=False):
            if not size.HasField("dim_value"):
                size.dim_param = name


def _no_operation(error: Exception) -> str:
    return (
        f"onnx: the model has an operation that cannot be converted ({first_line(error)}); "
        "export it as saved_model"
    )


def _by_class(names: Mapping[int, str]) -> str:
    return json.dumps({str(number): names[number] for number in sorted(names)}, ensure_ascii=False)


def _converted(serve) -> Any:
    """The concrete function as an ONNX ModelProto."""
    from tf2onnx import optimizer, tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    with _quiet(), stderr_noise.dropped():
        inputs = [tensor.name for tensor in serve.inputs if tensor.dtype != tf.resource]
        outputs = [tensor.name for tensor in serve.outputs]
        # A dictionary's values are in the order of its sorted keys.
        names = dict(zip(outputs, sorted(serve.structured_outputs), strict=True))
        frozen = tf_loader.from_function(serve, inputs, outputs)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = process_tf_graph(
                graph,
                opset=OPERATOR_SET,
                custom_op_handlers=onnx_operators.handlers(),
                input_names=inputs,
                output_names=outputs,
                tensors_to_rename={**{name: name.split(":")[0] for name in inputs}, **names},
            )
            # Not tf2onnx's own optimisers: reshape_optimizer (1.16, 1.17) takes a box encoding's
            # shape for another one, and ONNX Runtime optimises what it loads.
            converted = optimizer.optimize_graph(converted, optimizers={})
    return converted.make_model("avatx: Video Action Transformer Network, serving_default")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without tf2onnx's notes on what it has tried."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # what it cannot convert, too: see _check
    try:
        yield
    finally:
        logger.setLevel(before)
