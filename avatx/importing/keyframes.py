"""Which of a video's annotated frames are keyframes.

Exports do not say which frames somebody looked at: CVAT and COCO list each frame of a film, though
people may be annotated once a second. There a frame between two annotated ones, taken for a moment
at which nobody is, would be a false negative; a moment where people are must not be lost either.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

# Frames listed this many seconds apart were chosen, so that somebody looked at each. Where every
# frame of a film is listed that is known only if people are annotated frame by frame.
_CHOSEN = 0.5
_HALF_A_FRAME = 0.5
_NEAR = 1e-6
MAX_LISTED = 2_000_000  # frames of one video, a day at 24 a second: each may be a keyframe


def choose_keyframes(
    people: Iterable[int],
    listed: Sequence[int],
    frame_rate: float,
    every: float,
    hidden: Iterable[tuple[int, int]] = (),
    seconds: Callable[[int], float] | None = None,
) -> tuple[list[int], bool]:
    """The keyframes, and whether frames without people were taken for annotated.

    An annotated frame that is at least `every`, give or take half a frame, from its neighbours is a
    keyframe. Of those that are nearer to each other the ones nearest to the multiples of `every`
    are, or the first where there is no multiple between them.

    Args:
      people: frames with somebody in a box.
      listed: frames that the export has, in ascending order, whether or not somebody is there; a
        range is not enumerated unless its frames are trusted.
      frame_rate: frames a second.
      every: seconds between keyframes; 0 for all.
      hidden: (a, b): between frames a and b somebody is there without a box.
      seconds: frame -> when it is shown; by default at frame / frame_rate.

    Returns:
      Frames in ascending order; whether those of `listed` that are without people could be
      among them.

    Raises:
      ValueError: `listed` has more than MAX_LISTED frames.
    """
    with_people = np.unique(np.fromiter(people, np.int64))
    wanted = every * frame_rate
    hidden = list(hidden)
    covered = with_people
    if hidden:
        frames = _enumerated(listed)
        covered = np.union1d(with_people, frames[_between(frames, hidden)])
    spacing, stride = _usual_distance(listed), _usual_distance(covered)
    # People in each frame that is listed, or frames that somebody chose.
    trusted = stride <= spacing or spacing >= max(wanted - _HALF_A_FRAME, _CHOSEN * frame_rate)
    annotated = with_people
    if trusted:
        frames = _enumerated(listed)
        annotated = np.union1d(with_people, frames[~_between(frames, hidden)])
    if not len(annotated):
        return [], trusted
    # What is `every` from its neighbours stays; of what is denser, the frames nearest to the grid.
    # Where a frame is in time, in frames of the average distance.
    places: np.ndarray = annotated
    if seconds is not None:
        places = np.array([seconds(int(frame)) for frame in annotated]) * frame_rate
    ends = np.flatnonzero(np.diff(places) >= wanted - _HALF_A_FRAME) + 1
    runs = np.split(np.arange(len(places)), ends)
    kept = [run[_nearest_to_grid(places[run], wanted)] for run in runs]
    return annotated[np.concatenate(kept)].tolist(), trusted


def _enumerated(listed: Sequence[int]) -> np.ndarray:
    if len(listed) > MAX_LISTED:
        raise ValueError(f"{len(listed):,} frames; expected {MAX_LISTED:,} at most")
    # fromiter, as numpy makes an array of a range very slowly.
    return np.fromiter(listed, np.int64, len(listed))


def _usual_distance(frames) -> float:
    """The median of the distances between neighbours, the lower one of two; infinite of one."""
    if len(frames) < 2:
        return float("inf")
    if isinstance(frames, range):
        return frames.step
    distances = np.sort(np.diff(np.asarray(frames, np.int64)))
    return float(distances[(len(distances) - 1) // 2])


def _between(frames: np.ndarray, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """[N] bool: whether a frame, of N in ascending order, is strictly inside one of the spans."""
    ends = np.array(list(spans), np.int64).reshape(-1, 2)
    change = np.zeros(len(frames) + 1, np.int64)
    np.add.at(change, np.searchsorted(frames, ends[:, 0], "right"), 1)
    np.add.at(change, np.searchsorted(frames, ends[:, 1], "left"), -1)
    return np.cumsum(change)[:-1] > 0


def _nearest_to_grid(run: np.ndarray, wanted: float) -> np.ndarray:
    """Of frames nearer to each other than `wanted`, those nearest to its multiples between them.

    Where there is none the first, so that no run is lost. They are told by their indices.
    """
    if len(run) < 2:
        return np.arange(len(run))
    # Only multiples beside a frame: what is done is bounded by the frames, whatever their numbers.
    below = np.floor(run / wanted)
    numbers = np.unique(np.concatenate([below, below + 1]))
    first = np.ceil(run[0] / wanted - _NEAR)
    last = np.floor(run[-1] / wanted + _NEAR)
    moments = numbers[(numbers >= first) & (numbers <= last)] * wanted
    if not len(moments):
        return np.zeros(1, np.int64)
    after = np.clip(np.searchsorted(run, moments), 1, len(run) - 1)
    before = after - 1
    is_before = moments - run[before] <= run[after] - moments
    return np.unique(np.where(is_before, before, after))
