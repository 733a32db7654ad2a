"""TensorFlow's operators that tf2onnx (1.17) converts to something else, by handlers of ours.

- FloorDiv and FloorMod of integers become ONNX's Div, which rounds towards zero: of -5 // 2, which
  sizes of padded layers are made of, -2 in place of -3.
- TensorListFromTensor, which a loop reads from, becomes an Identity that keeps its second input.
  No runtime loads that; its optimisers, which are left out, would drop the node.
"""

from collections.abc import Callable, Mapping
from typing import Any


def handlers() -> Mapping[str, tuple[Callable, list]]:
    """As `tf2onnx.tfonnx.process_tf_graph` takes them: operator -> (handler, no arguments)."""
    return {
        "FloorDiv": (_floor_div, []),
        "FloorMod": (_floor_mod, []),
        "TensorListFromTensor": (_list_from_tensor, []),
    }


def _floor_div(graph: Any, node: Any, name: str, arguments: list) -> None:
    if _is_float(graph, node):
        from tf2onnx.onnx_opset.math import FloorDiv

        FloorDiv.version_6(graph, node)
        return
    dtypes = [graph.get_dtype(node.input[0])]
    # Without its rest the division leaves nothing to round.
    rest = graph.make_node("Mod", node.input, dtypes=dtypes)
    whole = graph.make_node("Sub", [node.input[0], rest.output[0]], dtypes=dtypes)
    node.type = "Div"
    graph.replace_inputs(node, [whole.output[0], node.input[1]])


def _floor_mod(graph: Any, node: Any, name: str, arguments: list) -> None:
    if _is_float(graph, node):
        from tf2onnx.onnx_opset.math import FloorMod

        FloorMod.version_7(graph, node)
        return
    node.type = "Mod"  # of integers with the divisor's sign, as TensorFlow's


def _list_from_tensor(graph: Any, node: Any, name: str, arguments: list) -> None:
    from tf2onnx.onnx_opset.controlflow import TensorListFromTensor

    TensorListFromTensor.version_7(graph, node)
    if node.type == "Identity":
        graph.replace_inputs(node, node.input[:1])


def _is_float(graph: Any, node: Any) -> bool:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    return graph.get_dtype(node.input[0]) in floats
