"""Frames around a keyframe: from a video, from a folder of videos, or from records."""

import math
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from avatx.data.clip_sampling import nearest_frames, to_microseconds
from avatx.data.frame_encoding import stored_size
from avatx.data.video_reader import MICROSECONDS, VideoReader
from avatx.errors import UserError

_MAX_SECONDS = 1e6  # eleven days

Moment = Tuple[str, int]  # video id, keyframe's time in microseconds


def check_options(
    *, shorter_side: int, frames_rate: float, start: float, seconds: Sequence[float] = (),
    field: str = "--seconds",
) -> None:
    """Raises UserError, naming the flag, for numbers that no video can be read with.

    `seconds` are all that `field` holds.
    """
    if shorter_side < 0:
        raise UserError(f"--shorter_side {shorter_side}: expected pixels, 0 or more")
    if not 0 < frames_rate < math.inf:
        raise UserError(f"--frames_rate {frames_rate:g}: expected frames a second, more than 0")
    for name, value in (("--video_start_seconds", start), *((field, one) for one in seconds)):
        if not abs(value) <= _MAX_SECONDS:
            raise UserError(f"{name} {value:g}: expected seconds, at most {_MAX_SECONDS:g}")


def frames_of_video(
    path: str,
    keyframe: int,
    offsets: np.ndarray,
    *,
    shorter_side: int = 400,
    frames_rate: float = 30.0,
    start: float = 0.0,
) -> np.ndarray:
    """The frames of a video nearest to the wanted times; border frames repeat.

    Args:
      path: whatever VideoReader opens.
      keyframe: microseconds, on the csv's clock.
      offsets: [N] int64 microseconds from the keyframe, ascending.
      shorter_side: pixels to which frames are shrunk, as the records' were; 0 leaves them.
      frames_rate: frames a second of a folder of frames.
      start: seconds on the csv's clock at which the video begins.

    Returns:
      [N, H, W, 3] uint8.

    Raises:
      UserError: the video cannot be read, or the keyframe is not in it.
    """
    moment = keyframe - round(start * MICROSECONDS)
    wanted = moment + np.asarray(offsets, np.int64)
    with VideoReader(path, frames_rate=frames_rate) as reader:
        size = stored_size(reader.size, shorter_side)
        times, frames = [], []
        for time, picture in reader.span(min(moment, wanted[0]), max(moment, wanted[-1])):
            times.append(time)
            frames.append(reader.to_rgb(picture, size))
        end = reader.end_time
        if not times or moment < 0 or (end is not None and moment >= end):
            if moment < 0:
                raise UserError(
                    f"{path}: has no frame at {moment / MICROSECONDS:g} seconds: it begins at "
                    f"{start:g} and the keyframe is at {keyframe / MICROSECONDS:g}; look at the "
                    "time and at --video_start_seconds"
                )
            length = f"{end / MICROSECONDS:g}" if end else "no decodable"
            raise UserError(
                f"{path}: has no frame at {moment / MICROSECONDS:g} seconds: it holds {length} "
                f"seconds{f' ({reader.error})' if reader.error else ''}; give a time within it"
            )
    return np.stack([frames[i] for i in nearest_frames(np.array(times, np.int64), wanted)])


class VideoClips:
    """Frames from a folder of videos.

    Args:
      folders: hold `<video id>.<extension>`, or folders of frames.
      shorter_side, frames_rate, start: as `frames_of_video`.
    """

    def __init__(
        self, folders: Sequence[str], shorter_side: int = 400, frames_rate: float = 30.0,
        start: float = 0.0,
    ):  # fmt: skip
        from avatx.data.video_folder import VideoFolder

        self._videos = VideoFolder(folders)
        self._options = dict(shorter_side=shorter_side, frames_rate=frames_rate, start=start)

    def prepare(self, wanted: Iterable[Moment], offsets: np.ndarray) -> None:
        """Raises UserError where a video is not there; it is read where it is asked for."""
        for video_id in sorted({video_id for video_id, _ in wanted}):
            self._find(video_id)

    def frames(self, video_id: str, keyframe: int, offsets: np.ndarray) -> np.ndarray:
        """[N, H, W, 3] uint8; as `frames_of_video`."""
        return frames_of_video(self._find(video_id), keyframe, offsets, **self._options)

    def _find(self, video_id: str) -> str:
        path = self._videos.find(video_id)
        if path is None:
            folders = ", ".join(self._videos.folders)
            raise UserError(f"{folders}: holds no video {video_id!r}, which the csv names")
        return path


class RecordClips:
    """Frames from records, which are read once, by `prepare`.

    Args:
      patterns: of TFRecord files.
    """

    def __init__(self, patterns: Sequence[str]):
        from avatx.data import remote_files

        self._patterns = list(patterns)
        self._files: List[str] = remote_files.match_files(self._patterns)
        self._frames: Dict[Moment, List[bytes]] = {}

    def prepare(self, wanted: Iterable[Moment], offsets: np.ndarray) -> None:
        """Finds the wanted keyframes and keeps their frames, as JPEG.

        Raises:
          UserError: a file holds something else than records.
        """
        missing: Dict[str, set] = {}
        for video_id, keyframe in wanted:
            missing.setdefault(video_id, set()).add(keyframe)
        for path in self._files:
            for segment in self._segments(path):
                if not missing:
                    return
                of_video = missing.get(segment.video_id, set())
                for keyframe in {k.timestamp for k in segment.keyframes} & of_video:
                    chosen = nearest_frames(segment.timestamps, keyframe + offsets)
                    key = (segment.video_id, keyframe)
                    self._frames[key] = [segment.frames[i] for i in chosen]
                    of_video.discard(keyframe)
                if not of_video:
                    missing.pop(segment.video_id, None)

    @staticmethod
    def _segments(path: str) -> Iterator:
        """The `record.Segment`s of a file. Raises UserError where it holds something else."""
        import tensorflow as tf

        from avatx.data import record
        from avatx.data.input_errors import explained

        with explained([path]):
            for serialized in tf.data.TFRecordDataset(path):
                try:
                    yield record.decode(serialized.numpy())
                except ValueError as error:
                    raise UserError(f"{path}: {error}") from error

    def frames(self, video_id: str, keyframe: int, offsets: np.ndarray) -> np.ndarray:
        """[N, H, W, 3] uint8 of a keyframe that was prepared with these offsets."""
        import io

        from PIL import Image

        found = self._frames.get((video_id, keyframe))
        if found is None:
            raise UserError(
                f"{', '.join(self._patterns)}: no record holds keyframe "
                f"{video_id}, {keyframe / MICROSECONDS:g}"
            )
        return np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in found])


def make_source(
    videos: Optional[Sequence[str]], records: Optional[Sequence[str]], **options
):
    """`VideoClips` (which take the options) or `RecordClips`, whichever is given."""
    if bool(videos) == bool(records):
        raise UserError("give either --videos or --records")
    return VideoClips(videos, **options) if videos else RecordClips(records)


def moment(video_id: str, seconds: float) -> Moment:
    return video_id, int(to_microseconds(seconds))
