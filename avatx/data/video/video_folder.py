"""Which file or folder of frames is the video of an id."""

import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from avatx.errors import UserError

VIDEO_EXTENSIONS = frozenset(
    [
        "3gp",
        "asf",
        "avi",
        "flv",
        "m2ts",
        "m4v",
        "mkv",
        "mov",
        "mp4",
        "mpeg",
        "mpg",
        "mts",
        "ogv",
        "ts",
        "webm",
        "wmv",
        "y4m",
    ]
)


class VideoFolder:
    """Looks video ids up in folders: `<id>.<extension>`, or a folder `<id>` of frames.

    An id may hold slashes: it is then looked for in the sub-folder.

    Raises:
      UserError: a folder does not exist.
    """

    def __init__(self, folders: Sequence[str]):
        for folder in folders:
            if not tf.io.gfile.isdir(folder):
                raise UserError(f"{folder}: no such folder of videos")
        self.folders = list(folders)
        self._listings: dict[str, dict[str, list[str]]] = {}

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Name without video extension -> names in `folder`."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
            for name in sorted(name.rstrip("/") for name in names):
                stem, extension = os.path.splitext(name)
                if extension[1:].lower() in VIDEO_EXTENSIONS:
                    listing.setdefault(stem, []).append(name)
                elif os.path.isdir(os.path.join(folder, name)):
                    listing.setdefault(name, []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]

    def find(self, video_id: str) -> str | None:
        """The path of the video, or None.

        Raises:
          UserError: there are several.
        """
        found = []
        for root in self.folders:
            folder, name = os.path.split(os.path.join(root, video_id))
            found += [os.path.join(folder, match) for match in self._listing(folder).get(name, [])]
        if len(found) > 1:
            raise UserError(
                f"video {video_id!r} is there {len(found)} times: "
                f"{', '.join(found)}; keep one of them"
            )
        return found[0] if found else None


def identity(path: str) -> dict[str, Any]:
    """What tells a changed video from an unchanged one without reading it."""
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            stats = [entry.stat() for entry in entries]
        return {
            "files": len(stats),
            "bytes": sum(stat.st_size for stat in stats),
            "modified": max((stat.st_mtime_ns for stat in stats), default=0),
        }
    stat = tf.io.gfile.stat(path)
    return {"bytes": stat.length, "modified": stat.mtime_nsec}
