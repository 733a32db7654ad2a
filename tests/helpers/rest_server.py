"""A server in this process that speaks TensorFlow Serving's REST form of Predict.

No TensorFlow Serving can be had from the package registries: this one follows its documentation
(tensorflow.org/tfx/serving/api_rest), row format alone, on the SavedModel itself.
"""

import base64
import contextlib
import http.server
import json
import threading

import numpy as np
import tensorflow as tf


class PredictError(Exception):
    pass


def predict(signatures, name, instances):
    """Rows of a signature with one input -> rows of its outputs."""
    if name not in signatures:
        raise PredictError(f'Serving signature name: "{name}" not found in signature def')
    ((argument, spec),) = signatures[name].structured_input_signature[1].items()
    values = _decoded(instances)
    array = np.array(values, dtype=object if spec.dtype == tf.string else None)
    if array.ndim != len(spec.shape):
        raise PredictError(f"input must be {len(spec.shape)}-dimensional: {array.shape}")
    outputs = signatures[name](**{argument: tf.constant(array, spec.dtype)})
    outputs = {key: value.numpy().tolist() for key, value in outputs.items()}
    return [{key: value[i] for key, value in outputs.items()} for i in range(len(values))]


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict) and [*value] == ["b64"]:
        return base64.b64decode(value["b64"], validate=True)
    return value


@contextlib.contextmanager
def rest_server(signatures, model):
    """The address of a server of `model` while the block runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != f"/v1/models/{model}:predict":
                return self.answer(404, {"error": "Servable not found for request: Latest(other)"})
            try:
                name = body.get("signature_name", "serving_default")
                return self.answer(
                    200, {"predictions": predict(signatures, name, body["instances"])}
                )
            except (PredictError, tf.errors.OpError) as error:
                return self.answer(400, {"error": str(error)})

        def answer(self, code, content):
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
