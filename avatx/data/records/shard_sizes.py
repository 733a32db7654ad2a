"""Are the files of records as long as their manifest says? A copy that broke off is not."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from avatx.data.records import remote_files
from avatx.data.records.manifest import NAME, read_manifest
from avatx.errors import UserError

_REMEDY = "copy it again, or delete it and write the records again"


def check_sizes(files: Sequence[str]) -> None:
    """Raises UserError, naming the file, for one that is not as long as its manifest says.

    A file that no manifest knows may have any length; one of zero bytes is said on stderr, since
    more shards than segments are no mistake.
    """
    manifests: dict[str, dict[str, dict[str, Any]]] = {}
    for path in files:
        if remote_files.scheme(path) in ("http", "https"):
            continue
        folder, name = os.path.split(path)
        if folder not in manifests:
            manifests[folder] = _shards(folder)
        shard = manifests[folder].get(os.path.splitext(name)[0], manifests[folder].get(name))
        size = tf.io.gfile.stat(path).length
        if shard is None:
            if not size:
                print(f"note: {path} has zero bytes, so no record", file=sys.stderr)
        elif size != shard["bytes"]:
            manifest = os.path.join(folder, NAME)
            raise UserError(f"{path}: {size} bytes; {manifest} says {shard['bytes']}; {_REMEDY}")


def _shards(folder: str) -> dict[str, dict[str, Any]]:
    """The shards of a folder's manifest, by name; none where it has no manifest of ours."""
    try:
        entries = read_manifest(folder)["records"].values()
        return {
            shard["shard"]: shard
            for entry in entries
            for shard in entry["shards"]
            if isinstance(shard["bytes"], int)
        }
    except (UserError, KeyError, TypeError, AttributeError, tf.errors.OpError):
        return {}  # nobody is obliged to have a manifest
