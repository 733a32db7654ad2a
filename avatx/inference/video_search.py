"""Which videos files, folders, patterns and lists name, and for each a name of its own."""

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from avatx.data.records import remote_files
from avatx.data.video.frame_source import has_frames
from avatx.data.video.video_folder import has_video_extension, holds_video
from avatx.errors import UserError, relative_to, shown
from avatx.inference.video_outputs import RESULTS, name_video

LIST_EXTENSION = ".txt"
_WILDCARDS = re.compile(r"[*?\[]")
_LONGEST_NAME = 200  # bytes; file systems take 255


class FoundVideos(NamedTuple):
    """What was found.

    Attributes:
      videos: path or address of each, absolute where it is of this machine, each once.
      num_others: files of the folders that are no videos.
    """

    videos: list[str]
    num_others: int


def find_videos(items: Sequence[str]) -> FoundVideos:
    """The videos that are meant, in the order in which they are named.

    Args:
      items: each a video; a folder of numbered frames; a folder, of which every video is meant and
        those of the folders in it; a pattern (`clips/*.mp4`, `**` for folders in folders); or a
        list, `NAME.txt`, of a video a line. What does not begin at the root is relative to the
        current folder, in a list too.

    Raises:
      UserError: there is no such thing, or a folder without a video, or a list that is none. That a
        line of a list names no video is found out when that is read.
    """
    videos: dict[str, None] = {}
    num_others = 0
    for item in items:
        for path in _named_by(item):
            if "://" in path or not os.path.isdir(path):
                videos[_absolute(path)] = None
                continue
            found = [*_in_folder(path)]
            films = [film for film in found if film is not None]
            num_others += len(found) - len(films)
            if not films:
                raise UserError(f"videos: {path} holds no video, nor does a folder in it")
            videos.update(dict.fromkeys(map(_absolute, films)))
    return FoundVideos(list(videos), num_others)


def _named_by(item: str) -> Iterable[str]:
    if "://" in item:
        return remote_files.match_files([item]) if _WILDCARDS.search(item) else [item]
    if os.path.isfile(item) and item.lower().endswith(LIST_EXTENSION):
        return _lines(item)
    if os.path.exists(item):
        return [item]
    found = sorted(glob.glob(item, recursive=True)) if _WILDCARDS.search(item) else []
    if not found:
        raise UserError(f"videos: {item}{relative_to(item)}: there is no such file or folder")
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, 1):
        if "\0" in line or len(line) > 4096:
            raise UserError(
                f"{path}, line {number}: {shown(line)} is no path; expected a list of videos, one "
                "a line"
            )
    videos = [line for line in lines if line and not line.startswith("#")]
    if not videos:
        raise UserError(f"{path}: an empty list; expected videos, one a line")
    return videos


def _in_folder(folder: str) -> Iterator[str | None]:
    """Its videos; None for each file that is none. Results of older runs are passed over."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if {"detections.json", "detections.csv"} <= {*files}:  # a result of this program
            files = [name for name in files if name not in RESULTS]
        paths = [os.path.join(where, name) for name in sorted(files) if not name.startswith(".")]
        films = [path for path in paths if has_video_extension(path) or holds_video(path)]
        if not films and has_frames(where):
            folders.clear()
            yield where
            continue
        yield from films
        yield from [None] * (len(paths) - len(films))


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)


def name_results(
    videos: Sequence[str], known: Mapping[str, str], taken: Iterable[str] = ()
) -> dict[str, str]:
    """Video -> the name of its result, which no other video has.

    It is the file's name without extension. Where several videos have that, or another one had it
    before, 8 hexadecimal digits of the path follow, so that it is the same whenever it is made.

    Args:
      videos: see `FoundVideos`.
      known: names of before, which stay.
      taken: names that no video may have.
    """
    used = {name.casefold() for name in [*known.values(), *taken]}
    plain = {video: _plain_name(video) for video in videos if video not in known}
    counts: dict[str, int] = {}
    for name in plain.values():
        counts[name.casefold()] = counts.get(name.casefold(), 0) + 1
    names = {video: known[video] for video in videos if video in known}
    for video, name in plain.items():
        if counts[name.casefold()] > 1 or name.casefold() in used:
            digest = hashlib.sha256(os.fsencode(video)).hexdigest()[:8]
            name = f"{name}-{digest}"
        names[video] = name
    return {video: names[video] for video in videos}


def _plain_name(video: str) -> str:
    name = name_video(video).encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return re.sub(r"^\.+|[\0/\\:?*]", "_", name)
