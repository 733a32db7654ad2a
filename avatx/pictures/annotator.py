"""Draws detections on the frames of a video while the detector runs a little behind them."""

import collections
import math

import numpy as np

from avatx.core.people import Person
from avatx.pictures.boxes import Colours, draw_people, label_places, upscale

# How far from its keyframe a box is still shown: people move.
PERSISTENCE_SECONDS = 1.0


class Annotator:
    """Writes every frame with the people of its nearest keyframe (the earlier on a tie).

    A frame waits until that keyframe's detections are known, so what is held is bounded by half
    the interval between keyframes or PERSISTENCE_SECONDS, whichever is less, and the half clip
    by which the detector lags.

    Args:
      writer: an open VideoWriter whose frames are as `upscale` makes them.
      every: seconds between keyframes, which lie at whole multiples of it.
      shorter_side: frames smaller than this are enlarged to it.
      colours: of `avatx.pictures.colours.class_colours`.
    """

    def __init__(self, writer, every: float, shorter_side: int, colours: Colours):
        self._writer = writer
        self._every = every
        self._shorter_side = shorter_side
        self._colours = colours
        self._waiting: collections.deque[tuple[float, np.ndarray]] = collections.deque()
        self._index = -1  # the newest keyframe that has detections
        self._people: list[Person] = []  # its people; no waiting frame needs an older one's
        self._labels: list | None = None  # where theirs are, once the first of them is drawn

    def add(self, time: float, frame: np.ndarray) -> None:
        """Takes the next frame."""
        self._waiting.append((time, frame))
        self._write_decided()

    def detected(self, index: int, people: list[Person]) -> None:
        """Takes the people of keyframe `index`; keyframes come in order."""
        self._index, self._people, self._labels = index, people, None
        self._write_decided()

    def finish(self) -> None:
        """Writes what still waits: no keyframe comes any more."""
        while self._waiting:
            time, _ = self._waiting[0]
            self._write(min(self._keyframe_of(time), self._index))

    def _keyframe_of(self, time: float) -> int:
        return max(0, math.ceil(time / self._every - 0.5 - 1e-9))

    def _is_near(self, time: float, index: int) -> bool:
        return abs(time - index * self._every) <= PERSISTENCE_SECONDS

    def _write_decided(self) -> None:
        while self._waiting:
            time, _ = self._waiting[0]
            index = self._keyframe_of(time)
            if index > self._index and self._is_near(time, index):
                return
            self._write(index)

    def _write(self, index: int) -> None:
        time, frame = self._waiting.popleft()
        people = self._people if index == self._index and self._is_near(time, index) else []
        frame = upscale(frame, self._shorter_side)
        if people:
            if self._labels is None:
                self._labels = label_places(people, *frame.shape[:2])
            frame = draw_people(frame, people, self._colours, labels=self._labels)
        self._writer.write(frame, time)
