"""Pictures of a folder of numbered frames, as other projects dump AVA.

`<video_id>/<video_id>_000001.jpg`, `img_00001.png` and the like: the last digits of the name are
the frame's number. Frame 1 is shown at time 0 (frame 0, where there is one), frame n at
(n - 1) / frame_rate seconds; a number that is absent is a gap in time, not a shift.
"""

import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video import reading_event
from avatx.data.video.frame_encoding import shrunk
from avatx.data.video.reading_event import ReadingEvent
from avatx.errors import UserError

_NAME = re.compile(r"(\d+)\.(jpe?g|png)$", re.IGNORECASE)
_MAX_NUMBER = 999_999_999  # a year at 30 frames a second
_NO_PICTURES = ("flow",)  # x and y of optical flow, which other projects keep beside the frames
_USUAL = ("img_", "image_", "frame_", "rgb_", "")


def frame_files(folder: str) -> list[tuple[int, str]]:
    """(number, file name) of the frames in `folder`, ascending. Empty if there is none.

    Names that begin with a dot are no frames (archives and file servers of macOS leave such
    beside them), nor is anything that is no file.
    """
    with os.scandir(folder) as entries:
        matches = [_NAME.search(entry.name) for entry in entries if _is_frame(entry)]
    return sorted((int(match[1]), match.string) for match in matches if match)


def numbers_of(folder: str) -> tuple[int, int] | None:
    """The numbers of the folder's first and last frame; None where it has none."""
    files = frame_files(folder)
    if not files:
        return None
    taken, _ = of_one_kind(folder, files)
    return taken[0][0], taken[-1][0]


def shift_of(first: int) -> int:
    """What a frame's number is above its place, counted from 0, if `first` is the first number."""
    return min(1, first)


def has_frames(folder: str) -> bool:
    """Whether the folder holds a numbered frame."""
    with os.scandir(folder) as entries:
        return any(_is_frame(entry) for entry in entries)


def _is_frame(entry: os.DirEntry) -> bool:
    is_named = not entry.name.startswith(".") and bool(_NAME.search(entry.name))
    # `entry.is_file()` raises where a link leads to itself.
    return is_named and os.path.isfile(entry.path)


def of_one_kind(folder: str, files: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], str]:
    """The frames among files of several kinds, as `img_00001.jpg` beside `flow_x_00001.jpg`.

    Only where a number is there twice, or flow is there, are they of several kinds: of these the
    one is taken whose names begin with the folder's, else the usual one (`img_`, ...).

    Args:
      folder: where they lie.
      files: see `frame_files`.

    Returns:
      Those to take, and a phrase that says what was left; "" where nothing was.

    Raises:
      UserError: it is not clear which to take.
    """
    kinds: dict[str, list[tuple[int, str]]] = {}
    for number, name in files:
        kinds.setdefault(_NAME.sub("", name), []).append((number, name))
    pictures = [kind for kind in kinds if not kind.lower().startswith(_NO_PICTURES)] or [*kinds]
    numbers = [number for kind in pictures for number, _ in kinds[kind]]
    if len(pictures) > 1 and len(set(numbers)) < len(numbers):
        own = os.path.basename(os.path.normpath(folder))
        chosen = [kind for kind in pictures if kind.rstrip("_-. ") == own] or [
            kind for kind in pictures if kind.lower() in _USUAL
        ]
        if len(chosen) != 1:
            raise UserError(
                f"{folder}: {_counted(kinds, pictures)} have the same numbers; expected frames of "
                f"one kind in a folder, or names that begin with {own}_ or img_"
            )
        pictures = chosen
    left = [kind for kind in kinds if kind not in pictures]
    taken = sorted(file for kind in pictures for file in kinds[kind])
    if not left:
        return taken, ""
    return taken, f"frames {_counted(kinds, pictures)} are taken, {_counted(kinds, left)} are not"


def _counted(kinds: dict[str, list], chosen: list[str]) -> str:
    some = [f"{kind}*.{kinds[kind][0][1].rsplit('.')[-1]} ({len(kinds[kind])})" for kind in chosen]
    return ", ".join(some[:5]) + (", ..." if len(some) > 5 else "")


class FrameFolder:
    """See `VideoReader`, whose back end for folders this is."""

    def __init__(self, path: str, frame_rate: float):
        if not frame_rate > 0:
            raise UserError(f"{path}: frames a second are {frame_rate}, expected above 0")
        self.path = path
        self.frame_rate = float(frame_rate)
        self.error: str | None = None
        self.end_time: int | None = None
        self.ended = False
        self.events: set[ReadingEvent] = set()
        files = frame_files(path)
        if not files:
            raise UserError(f"{path}: a folder without numbered .jpg or .png frames")
        files, left = of_one_kind(path, files)
        numbers = [number for number, _ in files]
        for former, latter in itertools.pairwise(files):
            if former[0] == latter[0]:
                raise UserError(f"{path}: {former[1]} and {latter[1]} have the same number")
        if numbers[-1] > _MAX_NUMBER:
            raise UserError(
                f"{path}: {files[-1][1]}: its number is no frame's; expected at most "
                f"{_MAX_NUMBER:,}, the frames' place in the video and not a date"
            )
        self._names = [name for _, name in files]
        if left:
            self.events.add(ReadingEvent(reading_event.PREFIXES, 0, left))
        gap = _gap(numbers, self.frame_rate)
        if gap:
            self.events.add(ReadingEvent(reading_event.HOLES, 0, gap))
        self.frame_times = np.rint(
            (np.array(numbers) - shift_of(numbers[0])) * (MICROSECONDS / frame_rate)
        ).astype(np.int64)
        self.duration = self.frame_times[-1] / MICROSECONDS + 1 / frame_rate
        self.stated_end = round(self.duration * MICROSECONDS)
        try:
            height, width, _ = self._decode(self._names[0]).shape
        except OSError as error:
            raise UserError(
                f"{path}/{self._names[0]}: cannot be read as an image ({error})"
            ) from error
        self.size = (height, width)

    @property
    def provenance(self) -> dict[str, Any]:
        import PIL

        extension = os.path.splitext(self._names[0])[1].lower().lstrip(".")
        return {
            "decoder": f"Pillow {PIL.__version__}",
            "container": "folder",
            "codec": extension,
            "num_files": len(self._names),
        }

    def _decode(self, name: str) -> np.ndarray:
        from PIL import Image

        with Image.open(os.path.join(self.path, name)) as image:
            return np.asarray(image.convert("RGB"))

    def pictures(self, start: int | None) -> Iterator[tuple[int, tuple[str, np.ndarray]]]:
        """(microseconds, (file name, its pixels)), from the last one at or before `start` on."""
        self.error, self.ended = None, False
        first = (
            0
            if start is None
            else max(int(np.searchsorted(self.frame_times, start, side="right")) - 1, 0)
        )
        for time, name in zip(self.frame_times[first:], self._names[first:], strict=True):
            try:
                array = self._decode(name)
            except OSError as error:
                self.error = f"{name} cannot be read ({error})"
                self.end_time = int(time)
                return
            if array.shape[:2] != self.size:
                self.error = (
                    f"{name} is {array.shape[0]}x{array.shape[1]}, "
                    f"the first frame {self.size[0]}x{self.size[1]}"
                )
                self.end_time = int(time)
                return
            yield int(time), (name, array)
        self.end_time = self.stated_end
        self.ended = True

    def to_rgb(self, picture, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W, 3] uint8 RGB of a picture, resized to (height, width) `size`."""
        return picture[1] if size is None else shrunk(picture[1], size)

    def jpeg_bytes(self, picture) -> bytes | None:
        """The file itself if it is a JPEG: what is not resized need not be encoded again."""
        if not picture[0].lower().endswith((".jpg", ".jpeg")):
            return None
        with open(os.path.join(self.path, picture[0]), "rb") as file:
            return file.read()

    def close(self) -> None:
        pass


def _gap(numbers: list[int], frame_rate: float) -> str:
    """Which numbers are absent, in a phrase; "" where none is."""
    parts = []
    if numbers[0] > 1:
        parts.append(
            f"the first frame is number {numbers[0]}, at {(numbers[0] - 1) / frame_rate:.3f} s"
        )
    absent = numbers[-1] - numbers[0] + 1 - len(numbers)
    if absent:
        parts.append(
            f"{absent} of the numbers {numbers[0]} to {numbers[-1]} are absent, and at "
            f"{frame_rate:g} frames a second that is time without a frame"
        )
    return "; ".join(parts)
