"""The scripts of all keyframes, written one by one as somebody looks at them."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from avatx.core.cell_view import evenly
from avatx.core.people import Person, box_iou
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.explorer.keyframe_file import keyframe_script
from avatx.inference.detector import ClipAttention, ClipDetections

_SAME_DETECTION_IOU = 0.9  # the csv's boxes are rounded, and that is all


class KeyframeScripts:
    """Writes `NNNNNN.js` of each keyframe in which anybody's attention is known.

    Args:
      folder: where to.

    Attributes:
      people: of each keyframe that has a script: the numbers of the people with attention.
      shape: of the attention, for the page; None where there is none.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self.people: dict[int, list[int]] = {}
        self.shape: dict[str, Any] | None = None

    def add(
        self,
        index: int,
        people: Sequence[Person],
        clip: KeyframeClip,
        detections: ClipDetections,
        attention: ClipAttention,
    ) -> None:
        """Takes a keyframe; what `detect_video` gives to its `attended`.

        Args:
          index: of the keyframe in the result.
          people: the result's at it.
          clip: that was looked at.
          detections: what the model found in it, of any score.
          attention: of each of the detections.
        """
        found = {}
        for number, person in enumerate(people):
            detection = _detection_of(person, detections)
            if detection is not None:
                found[number] = detection
        if not found:
            return
        layers, heads, *cells_shape = attention.maps.shape[1:]
        depth, height, width = cells_shape
        cells = attention.cells or evenly((depth, height, width), len(clip.frames))
        script = keyframe_script(
            index, clip.frames, clip.seconds, attention.maps, attention.keys, cells, found
        )
        # The whole folder takes its place at once: no file of it needs to.
        path = os.path.join(self._folder, f"{index:06d}.js")
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(script)
        self.people[index] = list(found)
        first, stride = (cells.first + 0.5) / cells.size, cells.stride / cells.size
        self.shape = self.shape or {
            "layers": layers,
            "heads": heads,
            "cells": cells_shape,
            "keys": attention.keys is not None,
            # Where the middle of the first cell is, and how far the next, in the frame: y, x.
            "places": [[float(first[axis]), float(stride[axis])] for axis in (1, 2)],
        }


def _detection_of(person: Person, detections: ClipDetections) -> int | None:
    """The detection that gave the person its box and its best action."""
    same = [i for i, name in enumerate(detections.classes) if name == person.actions[0].class_id]
    overlaps = [box_iou(detections.boxes[i], person.box) for i in same]
    if not same or max(overlaps) < _SAME_DETECTION_IOU:
        return None
    return same[int(np.argmax(overlaps))]
