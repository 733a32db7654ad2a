"""Which action does a whole video show? Its clips, cut for a classifier, and their mean scores.

As kinetics-i3d is tested ("Quo Vadis, Action Recognition?", https://arxiv.org/abs/1705.07750,
section 2.5): frames at the clip's rate, shorter side shrunk as the training's was (where that is
not known, to 256 pixels for clips of 224), centre crop, the network run over the whole video. A
video longer than `max_frames` is run in parts of as many frames, their scores averaged by their
lengths, so that memory stays bounded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from avatx.data.video.frame_encoding import stored_size
from avatx.data.video.frame_settings import for_model
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError

STORED_PER_CROP = 256 / 224  # stored frames' shorter side over the clip's


class ClassifiedVideo(NamedTuple):
    scores: np.ndarray  # [C] float64
    num_frames: int  # that were classified
    stopped: str | None  # why before the video's end; None at the end


def resampled(
    frames: Iterable[tuple[float, np.ndarray]], frame_rate: float
) -> Iterator[np.ndarray]:
    """Yields the frame nearest to each multiple of 1 / `frame_rate` seconds, the earlier of two
    equally near, from time 0 to the last frame's time.

    Args:
      frames: (presentation time in seconds, frame), ascending from 0.
      frame_rate: frames a second.
    """
    count, previous = 0, None
    for time, frame in frames:
        while previous is not None:
            wanted = count / frame_rate
            if wanted - previous[0] > time - wanted:
                break
            yield previous[1]
            count += 1
        previous = time, frame
    if previous is not None:  # 1 us of grace, for times are kept in whole microseconds
        while count / frame_rate <= previous[0] + 1e-6:
            yield previous[1]
            count += 1


def center_crop(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle [height, width] of a frame; where that is larger, the most of its ratio.

    Of an odd margin the smaller half is above and to the left, as in evaluation
    (`avatx.data.input.spatial_window`).
    """
    scale = min(frame.shape[0] / height, frame.shape[1] / width, 1.0)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def classify(
    path: str,
    scores_of: Callable[[np.ndarray], np.ndarray],
    *,
    frame_rate: float,
    crop: tuple[int, int],
    max_frames: int = 250,
    frame_settings: Mapping[str, Any] | None = None,
    progress: Callable[[float, float | None], None] = lambda seconds, duration: None,
) -> ClassifiedVideo:
    """Class scores of a video, or of the part of it that can be read.

    Args:
      path: whatever `VideoReader` reads.
      scores_of: clip [1, T, H, W, 3] uint8 of any T -> [1, C] scores.
      frame_rate: frames a second of the clips.
      crop: (height, width) of a clip, pixels.
      max_frames: longest clip, and so of memory.
      frame_settings: a `Known`, how frames were taken for training, as far as that is known.
      progress: called with the seconds of video classified and its duration, None if not known.

    Raises:
      UserError: nothing can be read.
    """
    total, seen = np.zeros(()), 0
    shorter_side = round(min(crop) * STORED_PER_CROP)
    known = {name: value for name, value in (frame_settings or {}).items() if value is not None}
    settings = for_model({"shorter_side": shorter_side, **known}, has_flow=False)
    with VideoReader(path, frame_settings=settings) as reader:
        size = stored_size(reader.size, settings.shorter_side)
        frames = ((time, center_crop(frame, *crop)) for time, frame in reader.frames(size=size))
        for clip in _parts(resampled(frames, frame_rate), max_frames):
            total = total + len(clip) * np.asarray(scores_of(np.stack(clip)[np.newaxis])[0], float)
            seen += len(clip)
            progress(seen / frame_rate, reader.duration)
        if not seen:
            raise UserError(f"{path}: no frame can be read ({reader.error or 'it is empty'})")
        return ClassifiedVideo(total / seen, seen, reader.error)


def _parts(frames: Iterator[np.ndarray], length: int) -> Iterator[list[np.ndarray]]:
    part: list[np.ndarray] = []
    for frame in frames:
        part.append(frame)
        if len(part) == length:
            yield part
            part = []
    if part:
        yield part
