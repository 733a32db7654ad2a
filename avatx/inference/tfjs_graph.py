"""A TensorFlow.js graph model as a TensorFlow function, without TensorFlow.js or its converter.

The format is a GraphDef in JSON, less the values of its constants: these lie in weight shards, one
after the other in the order of `weightsManifest`, as float32, int32, bool, or float32 squeezed into
float16. Kernels that the converter fused (convolution, bias, activation) are taken apart again, for
TensorFlow's own fused ones run on some devices only.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import graph_pb2

from avatx.errors import UserError, first_line, shown

_DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
_FUSED = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedMatMul": "MatMul",
}
_ACTIVATIONS = ("Relu", "Relu6", "Elu")
_OF_FUSED_ONLY = ("fused_ops", "num_args", "epsilon", "leakyrelu_alpha", "use_cudnn_on_gpu")


def load(path: str) -> tuple[Callable[..., list[tf.Tensor]], dict[str, Any]]:
    """The model of a `model.json`.

    Args:
      path: of the JSON file; its weight shards lie beside it.

    Returns:
      A function that takes tensors by the names of the signature's inputs and gives those of its
      outputs, in their order; and the signature, as the file has it.

    Raises:
      UserError: a file is missing or is none of the format.
    """
    try:
        with open(path, "rb") as file:
            model = json.loads(file.read())
        graph = graph_pb2.GraphDef()
        nodes = list(_unfused(model["modelTopology"]["node"]))
        weights = dict(_weights(model["weightsManifest"], os.path.dirname(path)))
        for node in nodes:
            if node["op"] == "Const":
                node["attr"]["value"] = {"tensor": _tensor(weights[node["name"]])}
        json_format.ParseDict({"node": nodes, "versions": {"producer": 808}}, graph)
        signature = model["signature"]
        inputs = {name: one["name"] for name, one in signature["inputs"].items()}
        outputs = [one["name"] for one in signature["outputs"].values()]
    except (OSError, ValueError, KeyError, TypeError, json_format.ParseError) as error:
        raise UserError(
            f"{path}: is no TensorFlow.js graph model that can be read "
            f"({type(error).__name__}: {first_line(error)}); expected model.json and its weights "
            "beside it"
        ) from error

    def run(**tensors: tf.Tensor) -> list[tf.Tensor]:
        return tf.graph_util.import_graph_def(
            graph,
            input_map={inputs[name]: tensor for name, tensor in tensors.items()},
            return_elements=outputs,
            name="",
        )

    return run, signature


def _weights(manifest: list[Mapping[str, Any]], folder: str) -> Iterator[tuple[str, np.ndarray]]:
    """(Name, values) of every constant."""
    for group in manifest:
        data = b""
        for name in group["paths"]:
            if os.path.basename(name) != name:
                raise ValueError(f"weights {shown(name)}, a path outside of the model's folder")
            with open(os.path.join(folder, name), "rb") as file:
                data += file.read()
        begin = 0
        for weight in group["weights"]:
            dtype = np.dtype(_DTYPES[weight["dtype"]])
            stored = dtype
            if "quantization" in weight:
                stored = np.dtype({"float16": np.float16}[weight["quantization"]["dtype"]])
            count = int(np.prod(weight["shape"], dtype=np.int64))
            end = begin + count * stored.itemsize
            if end > len(data):
                raise ValueError(f"the weights end within {weight['name']}")
            values = np.frombuffer(data[begin:end], stored.newbyteorder("<")).astype(dtype)
            yield weight["name"], values.reshape(weight["shape"])
            begin = end
        if begin != len(data):
            raise ValueError(f"{len(data) - begin} bytes of weights belong to no constant")


def _tensor(values: np.ndarray) -> dict[str, Any]:
    names = {"float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL"}
    return {
        "dtype": names[values.dtype.name],
        "tensorShape": {"dim": [{"size": str(size)} for size in values.shape]},
        "tensorContent": base64.b64encode(values.tobytes()).decode(),
    }


def _unfused(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The nodes, each fused one as those that it was made of; the last has its name."""
    for node in nodes:
        node = {key: value for key, value in node.items() if key != "device"}
        if node["op"] not in _FUSED:
            yield node
            continue
        attributes = dict(node["attr"])
        fused = [base64.b64decode(one).decode() for one in attributes["fused_ops"]["list"]["s"]]
        if not fused or fused[0] != "BiasAdd" or not set(fused[1:]) <= {*_ACTIVATIONS}:
            raise ValueError(f"{node['name']}: cannot take {'+'.join(fused)} apart")
        kept = {key: one for key, one in attributes.items() if key not in _OF_FUSED_ONLY}
        name, (first, second, bias, *_) = node["name"], node["input"]
        names = [f"{name}/{part}" for part in ("linear", *fused[:-1])][: len(fused)] + [name]
        yield {"name": names[0], "op": _FUSED[node["op"]], "input": [first, second], "attr": kept}
        of_type = {"T": attributes["T"]}
        for index, operation in enumerate(fused):
            others = [bias] if operation == "BiasAdd" else []
            inputs = [names[index], *others]
            yield {"name": names[index + 1], "op": operation, "input": inputs, "attr": of_type}
