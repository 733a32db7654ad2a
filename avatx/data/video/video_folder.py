"""Which file or folder of frames is the video of an id.

One definition for whatever looks a video up: the tools that write records, the check of a csv, the
pictures. `<id>.<extension>`, `<id>` itself, or a folder `<id>` of frames; an id may hold slashes.
"""

import os
import unicodedata
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from avatx.data.video.frame_source import has_frames
from avatx.errors import UserError, shown

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
# Lists of films: no film of their own where nobody names them.
_LISTS = frozenset(["concat", "lavfi", "hls"])


class VideoFolder:
    """Looks video ids up in folders.

    A file with an extension that videos usually have is known by its name. Where an id has none,
    files of other extensions, or without one, are opened: what FFmpeg finds a video in is one.
    Names that begin with a dot are never videos.

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
        """Name without extension, and whole unless that is one of a video -> names in `folder`."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
            for name in sorted(name.rstrip("/") for name in names):
                if name.startswith("."):
                    continue
                keys = {os.path.splitext(name)[0]}
                for key in keys if has_video_extension(name) else keys | {name}:
                    listing.setdefault(key, []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]

    def paths(self, name: str) -> list[str]:
        """Where a name from a file, such as a csv, may lie: in each folder that it does not leave.

        Raises:
          UserError: it leads out of all of them.
        """
        inside = [
            os.path.join(folder, name) for folder in self.folders if not leads_out(folder, name)
        ]
        if not inside:
            raise UserError(
                f"{name[:200]!r} leads out of {', '.join(self.folders)}; expected a name in there"
            )
        return inside

    def find(self, video_id: str) -> str | None:
        """The path of the video, or None.

        Raises:
          UserError: there are several, or the id leads out of the folders.
        """
        found: list[str] = []
        for path in self.paths(video_id):
            folder, name = os.path.split(path)
            for match in self._listing(folder).get(name, []):
                found.append(os.path.join(folder, match))
        films = [path for path in found if _is_known(path, video_id)]
        films = films or [path for path in found if holds_video(path)]
        films = films or [path for path in found if _is_folder(path, video_id)]
        if len(films) > 1:
            raise UserError(
                f"video {video_id!r} is there {len(films)} times: "
                f"{', '.join(films)}; keep one of them"
            )
        return films[0] if films else None

    def names(self) -> set[str]:
        """Ids of what is a video by its name, or may be a folder of frames."""
        return {
            key
            for folder in self.folders
            for key, found in self._listing(folder).items()
            if any(
                has_video_extension(name) or _is_folder(f"{folder}/{name}", key) for name in found
            )
        }

    def hint(self, video_id: str) -> str:
        """What to add to a message about a video that is not there: what there is instead."""
        names = self.names()
        alike = sorted(name for name in names if _plain(name) == _plain(video_id))
        if alike:
            return f"; did you mean {shown(alike[0])}?"
        there = ", ".join(map(shown, sorted(names)[:3])) or "no video"
        return f"; there is {there}{', ...' if len(names) > 3 else ''} in {', '.join(self.folders)}"


def _plain(name: str) -> str:
    """What is left of an id when case, spaces, folders, accents' spelling and extension are not."""
    name = unicodedata.normalize("NFC", name).strip().rpartition("/")[2].rpartition("\\")[2]
    return (os.path.splitext(name)[0] if has_video_extension(name) else name).casefold()


def leads_out(folder: str, name: str) -> bool:
    """Whether `name`, which comes from a file, is no path below `folder`: `../x`, `/x`, ``."""
    plain = os.path.normpath if "://" in folder else os.path.abspath
    root = plain(folder).rstrip(os.sep) + os.sep
    return "\0" in name or not plain(os.path.join(folder, name)).startswith(root)


def has_video_extension(path: str) -> bool:
    """Whether the name says that it is a video."""
    return os.path.splitext(path)[1][1:].lower() in VIDEO_EXTENSIONS


def holds_video(path: str) -> bool:
    """Whether FFmpeg finds a video in a file of this machine, whatever it is called."""
    from avatx.data.video.packet_source import PacketSource, is_regular_file

    if not is_regular_file(path):
        return False
    try:
        source = PacketSource(path, num_threads=1)
    except UserError:
        return False
    try:
        is_list = not _LISTS.isdisjoint(source.container.format.name.split(","))
        return not is_list and source.stream.codec_context.width > 0
    finally:
        source.close()


def _is_folder(path: str, video_id: str) -> bool:
    return os.path.isdir(path) and os.path.basename(path) == os.path.basename(video_id)


def _is_known(path: str, video_id: str) -> bool:
    """Whether it is a video by its name, or a folder of frames."""
    if _is_folder(path, video_id):
        return has_frames(path)
    return has_video_extension(path) and not os.path.isdir(path)


def identity(path: str) -> dict[str, Any]:
    """What tells a changed video from an unchanged one without reading it.

    Of what is not there, as behind a broken link, it says so: reading it tells why.
    """
    try:
        return _folder_identity(path) if os.path.isdir(path) else _file_identity(path)
    except (OSError, tf.errors.OpError):
        return {"bytes": None, "modified": None}


def _folder_identity(path: str) -> dict[str, Any]:
    with os.scandir(path) as entries:
        # A broken link is no frame, but it is there.
        stats = [entry.stat(follow_symlinks=os.path.exists(entry.path)) for entry in entries]
    return {
        "files": len(stats),
        "bytes": sum(stat.st_size for stat in stats),
        "modified": max((stat.st_mtime_ns for stat in stats), default=0),
    }


def _file_identity(path: str) -> dict[str, Any]:
    try:
        path.encode()
    except UnicodeEncodeError:  # a name in another encoding, which TensorFlow does not take
        found = os.stat(path)
        return {"bytes": found.st_size, "modified": found.st_mtime_ns}
    stat = tf.io.gfile.stat(path)
    return {"bytes": stat.length, "modified": stat.mtime_nsec}
