"""Frames around a keyframe: from a video, from a folder of videos, or from records.

Where a video or a record ends, its border frame repeats, and the clip says the time of each frame
really shown. So records with a short margin are shown as far as they go, where training
(`avatx.data.input.keyframe_parsing`) refuses them: a picture can say what it shows, a batch cannot.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.times import FAR_FUTURE, MICROSECONDS, to_microseconds
from avatx.data.video.clip_sampling import nearest_frames
from avatx.data.video.frame_encoding import stored_size
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.optical_flow import decode as decode_flow
from avatx.data.video.optical_flow import with_flow
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError, shown

_MAX_SECONDS = 1e6  # eleven days

Moment = tuple[str, int]  # video id, keyframe's time in microseconds


class Clip(NamedTuple):
    """N frames around a keyframe."""

    frames: np.ndarray  # [N, H, W, 3] uint8 RGB, or [N, H, W, 5] with flow x and y
    offsets: np.ndarray  # [N] int64, microseconds from the keyframe to each frame that is shown

    @property
    def seconds(self) -> np.ndarray:
        """[N] float64, `offsets` for captions: to hundredths, and no -0."""
        return np.round(self.offsets / MICROSECONDS, 2) + 0.0


def check_seconds(name: str, *seconds: float) -> None:
    """Raises UserError, which begins with `name`, for a time that no video reaches."""
    for value in seconds:
        if not abs(value) <= _MAX_SECONDS:
            raise UserError(f"{name} {value:g}: expected seconds, at most {_MAX_SECONDS:g}")


def frames_of_video(
    path: str,
    keyframe: int,
    offsets: np.ndarray,
    frame_settings: FrameSettings = FrameSettings(),
) -> Clip:
    """The frames of a video nearest to the wanted times; border frames repeat.

    Args:
      path: whatever VideoReader opens.
      keyframe: microseconds, on the csv's clock.
      offsets: [N] int64 microseconds from the keyframe, ascending.
      frame_settings: how frames are taken, as the records' were.

    Raises:
      UserError: the video cannot be read, or the keyframe is not in it.
    """
    start, method = frame_settings.video_start_seconds, frame_settings.optical_flow
    moment = keyframe - round(start * MICROSECONDS)
    wanted = moment + np.asarray(offsets, np.int64)
    with VideoReader(path, frame_settings=frame_settings) as reader:
        size = stored_size(reader.size, frame_settings.shorter_side)
        times, frames = [], []
        pictures = reader.span(min(moment, wanted[0]), FAR_FUTURE)
        stream = ((time, reader.to_rgb(picture, size)) for time, picture in pictures)
        # A frame's flow is known when the frame after it is read, so the span itself has no end.
        for time, frame in with_flow(stream, method) if method else stream:
            times.append(time)
            frames.append(frame)
            if time >= max(moment, wanted[-1]):
                break
        end = reader.end_time
        if not times or moment < 0 or (end is not None and moment >= end):
            if moment < 0:
                raise UserError(
                    f"{path}: has no frame at {moment / MICROSECONDS:g} seconds: it begins at "
                    f"{start:g} and the keyframe is at {keyframe / MICROSECONDS:g}; look at the "
                    "time and at `video_start_seconds`"
                )
            length = f"{end / MICROSECONDS:g}" if end else "no decodable"
            raise UserError(
                f"{path}: has no frame at {moment / MICROSECONDS:g} seconds: it holds {length} "
                f"seconds{f' ({reader.error})' if reader.error else ''}; give a time within it"
            )
    frame_times = np.array(times, np.int64)
    chosen = nearest_frames(frame_times, wanted)
    return Clip(np.stack([frames[i] for i in chosen]), frame_times[chosen] - moment)


class VideoClips:
    """Frames from a folder of videos.

    Args:
      folders: hold `<video id>.<extension>`, or folders of frames.
      frame_settings: how frames are taken.
    """

    def __init__(self, folders: Sequence[str], frame_settings: FrameSettings = FrameSettings()):
        from avatx.data.video.video_folder import VideoFolder

        self._videos = VideoFolder(folders)
        self._frame_settings = frame_settings

    def prepare(self, wanted: Iterable[Moment], offsets: np.ndarray) -> None:
        """Raises UserError where a video is not there; it is read where it is asked for."""
        for video_id in sorted({video_id for video_id, _ in wanted}):
            self._find(video_id)

    def clip(self, video_id: str, keyframe: int, offsets: np.ndarray) -> Clip:
        """As `frames_of_video`."""
        return frames_of_video(self._find(video_id), keyframe, offsets, self._frame_settings)

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
      has_flow: whether to give the frames' optical flow, too.
    """

    def __init__(self, patterns: Sequence[str], has_flow: bool = False):
        from avatx.data.records import remote_files

        self._patterns = list(patterns)
        self._files: list[str] = remote_files.match_files(self._patterns, "`records`")
        self._has_flow = has_flow
        # The JPEG of each frame, and its encoded flow where it is asked for; the frames' offsets.
        self._clips: dict[Moment, tuple[list[tuple[bytes, ...]], np.ndarray]] = {}

    def prepare(self, wanted: Iterable[Moment], offsets: np.ndarray) -> None:
        """Finds the wanted keyframes and keeps their frames, as JPEG.

        Raises:
          UserError: a file holds something else than records, or no flow where it is asked for; or
            a keyframe is in none of them.
        """
        missing: dict[str, set] = {}
        held: dict[str, list[int]] = {}  # keyframes by video, for a message
        for video_id, keyframe in wanted:
            missing.setdefault(video_id, set()).add(keyframe)
        for path in self._files:
            for segment in self._segments(path):
                if not missing:
                    return
                held.setdefault(segment.video_id, []).extend(
                    keyframe.timestamp for keyframe in segment.keyframes
                )
                of_video = missing.get(segment.video_id, set())
                for keyframe in {k.timestamp for k in segment.keyframes} & of_video:
                    chosen = nearest_frames(segment.timestamps, keyframe + offsets)
                    key = (segment.video_id, keyframe)
                    if self._has_flow and segment.flow is None:
                        raise UserError(
                            f"{path}: record {segment.key} holds no optical flow, which the model "
                            "takes; write it again with create_ava_tfrecord.py --optical_flow dis"
                        )
                    parts = [segment.frames, segment.flow] if self._has_flow else [segment.frames]
                    frames = [tuple(part[i] for part in parts) for i in chosen]
                    self._clips[key] = frames, segment.timestamps[chosen] - keyframe
                    of_video.discard(keyframe)
                if not of_video:
                    missing.pop(segment.video_id, None)
        for video_id, keyframes in sorted(missing.items()):
            raise self._missing(video_id, min(keyframes), held)

    def _missing(self, video_id: str, keyframe: int, held: Mapping[str, list[int]]) -> UserError:
        """No record holds a keyframe; `held` are those that they hold, by video."""
        patterns = ", ".join(self._patterns)
        if not held.get(video_id):
            others = ", ".join(map(shown, sorted(held)[:3])) + (", ..." if len(held) > 3 else "")
            return UserError(
                f"{patterns}: no record is of the video {shown(video_id)}; they hold "
                f"{others or 'none'}"
            )
        nearest = min(held[video_id], key=lambda time: abs(time - keyframe))
        return UserError(
            f"{patterns}: no record holds keyframe {video_id}, {keyframe / MICROSECONDS:g}; the "
            f"nearest of this video is at {nearest / MICROSECONDS:g}"
        )

    @staticmethod
    def _segments(path: str) -> Iterator:
        """The `record.Segment`s of a file. Raises UserError where it holds something else."""
        import tensorflow as tf

        from avatx.data.records import record
        from avatx.data.records.input_errors import explained

        with explained([path]):
            for serialized in tf.data.TFRecordDataset(path):
                try:
                    yield record.decode(serialized.numpy())
                except ValueError as error:
                    raise UserError(f"{path}: {error}") from error

    def clip(self, video_id: str, keyframe: int, offsets: np.ndarray) -> Clip:
        """Of a keyframe that was prepared with these offsets."""
        found = self._clips.get((video_id, keyframe))
        if found is None:
            raise UserError(
                f"{', '.join(self._patterns)}: no record holds keyframe "
                f"{video_id}, {keyframe / MICROSECONDS:g}"
            )
        frames, shown = found
        return Clip(np.stack([_decode(*parts) for parts in frames]), shown)


def _decode(jpeg: bytes, flow: bytes | None = None) -> np.ndarray:
    """[H, W, 3] uint8 RGB, or [H, W, 5] with flow x and y."""
    import io

    from PIL import Image

    frame = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    return frame if flow is None else np.concatenate([frame, decode_flow(flow)], axis=-1)


def make_source(
    videos: Sequence[str] | None,
    records: Sequence[str] | None,
    frame_settings: FrameSettings = FrameSettings(),
) -> VideoClips | RecordClips:
    """`VideoClips` (which take the settings) or `RecordClips`, whichever is given."""
    if videos and not records:
        return VideoClips(videos, frame_settings)
    if records and not videos:
        return RecordClips(records)
    raise UserError("give either `videos` or `records`")


def moment(video_id: str, seconds: float) -> Moment:
    return video_id, int(to_microseconds(seconds))
