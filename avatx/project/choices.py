"""The settings that fit what was measured, each with its reason, which goes into the config."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avatx.project.anchors import Anchors, fit_anchors, iou_with
from avatx.project.machine import Machine
from avatx.project.measures import Measures

STRIDE = 16  # pixels a feature cell of the trunk, I3D to Mixed_4f
_SIDES = (128, 160, 192, 224, 256, 288, 320, 352, 400)  # shorter sides; the paper's is the last
_LOW_BOX = 2 * STRIDE  # pixels that nine of ten people have to be tall at least
_MIN_SECONDS, _MAX_SECONDS = 1.5, 2.6  # of a clip; the paper's is 2.6
_CLIP_BYTES = 700  # a pixel of a clip in training; an estimate, see docs/own-video.md
_MIRRORED = ("left", "right")


@dataclass(frozen=True)
class Choices:
    """Attributes: fields of the config by their names there; `because` has a reason for some."""

    height: int
    width: int
    num_frames: int
    frame_rate: float
    anchors: Anchors
    first_stage_matched_threshold: float
    first_stage_max_proposals: int
    second_stage_batch_size: int
    max_total_detections: int
    max_number_of_boxes: int
    batch_size: int
    num_steps: int
    learning_rate: float
    flip: bool
    margin_seconds: float
    because: dict[str, str]


def choose_clip(
    measures: Measures,
    machine: Machine,
    num_frames: int | None = None,
    frame_rate: float | None = None,
) -> tuple[int, float, str]:
    """(frames, frames a second, why) of a clip that covers an action.

    Args:
      measures: of all annotations.
      machine: fewer frames without a GPU.
      num_frames: what is asked for; None chooses.
      frame_rate: what is asked for; None chooses.
    """
    lasts = measures.action_seconds
    seconds = min(max(lasts or 2.0, _MIN_SECONDS), _MAX_SECONDS)
    most = num_frames or (64 if machine.gpu_bytes else 8)
    rate = measures.frame_rate
    # The trunk halves time three times: eight frames are one of its features.
    frames = num_frames or min(most, max(8, math.floor(rate * seconds / 8) * 8))
    # A whole part of the video's rate, so that the frames of a clip are evenly apart.
    apart = max(1, math.floor(rate * seconds / frames))
    if frames * apart / rate < _MIN_SECONDS:
        apart += 1
    chosen = frame_rate or round(rate / apart, 3)
    told = f"an action lasts {lasts:g} s at the median" if lasts else "how long actions last is not"
    told += "" if lasts else " known (the csv has no person ids)"
    why = f"{told}; {frames} frames at {chosen:g} a second are {frames / chosen:.1f} s"
    return frames, chosen, why


def choose(
    measures: Measures,
    machine: Machine,
    clip: tuple[int, float, str],
    num_train_keyframes: int,
    class_names: Sequence[str],
    has_weights: bool,
) -> Choices:
    """Everything else.

    Args:
      measures: of all annotations.
      machine: what will train.
      clip: see `choose_clip`.
      num_train_keyframes: of the training part.
      class_names: a mirrored "turn left" would be wrong.
      has_weights: whether training begins from a trained trunk.
    """
    frames, rate, why_clip = clip
    because = {"clip": why_clip}
    height, width = _frame_size(measures, machine, because)
    anchors, threshold = _anchors(measures, height, width, because)
    most = int(measures.people.max())
    proposals = 64 if most <= 16 else 300
    because["proposals"] = f"{measures.people.mean():.1f} people a keyframe, {most} at most"

    clip_bytes = frames * height * width * _CLIP_BYTES
    room = machine.gpu_bytes or machine.ram_bytes
    batch = int(max(1, min(0.8 * room // clip_bytes, 8 if machine.gpu_bytes else 2)))
    because["batch"] = (
        f"for {machine.described}; a clip in training takes some {clip_bytes / 2**30:.1f} GiB"
    )
    epochs = (20 if has_weights else 60) if machine.gpu_bytes else (8 if has_weights else 24)
    steps = max(200, math.ceil(epochs * num_train_keyframes / batch / 50) * 50)
    because["steps"] = (
        f"{steps * batch / num_train_keyframes:.0f} times through {num_train_keyframes:,} keyframes"
    )
    flip = not any(side in name.lower() for name in class_names for side in _MIRRORED)
    return Choices(
        height=height,
        width=width,
        num_frames=frames,
        frame_rate=rate,
        anchors=anchors,
        first_stage_matched_threshold=threshold,
        first_stage_max_proposals=proposals,
        second_stage_batch_size=32 if proposals == 64 else 64,
        max_total_detections=50 if most <= 16 else 100,
        max_number_of_boxes=max(16, math.ceil(most * 1.25 / 8) * 8),
        batch_size=batch,
        num_steps=steps,
        learning_rate=0.0003 if has_weights else 0.001,
        flip=flip,
        margin_seconds=max(1.0, math.ceil(frames / 2 / rate * 10 + 1) / 10),
        because=because,
    )


def _frame_size(measures: Measures, machine: Machine, because: dict[str, str]) -> tuple[int, int]:
    """(height, width), multiples of the stride, in the usual shape of the videos."""
    height, width = measures.frame_size
    shorter = min(height, width)
    possible = [side for side in _SIDES if side <= shorter] or [max(STRIDE, shorter // 16 * 16)]
    low = float(np.quantile(measures.box_sides(height, width)[:, 0], 0.1)) / shorter
    wanted = possible[-1]
    if not machine.gpu_bytes:
        wanted = next((side for side in possible if low * side >= _LOW_BOX), possible[-1])
    scale = wanted / shorter
    because["size"] = (
        f"videos are {width} x {height}; here nine of ten people are at least "
        f"{low * wanted:.0f} pixels tall"
    )
    height, width = (max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (height, width))
    return height, width


def _anchors(
    measures: Measures, height: int, width: int, because: dict[str, str]
) -> tuple[Anchors, float]:
    """The anchors, and the highest IoU of 0.7, 0.6, 0.5 that half of the boxes have with one."""
    sides = measures.box_sides(height, width)
    centres = (measures.boxes[:, :2] + measures.boxes[:, 2:]) / 2 * (height, width)
    apart = np.abs(centres - np.round(centres / STRIDE) * STRIDE)  # anchors stand at its multiples
    # Random crops make boxes larger, wider and taller than they are.
    crops = [(zoom, shape) for zoom in (1, 1.4) for shape in (0.85, 1, 1.18)]
    spread = [
        sides * math.sqrt(zoom) * (math.sqrt(shape), 1 / math.sqrt(shape)) for zoom, shape in crops
    ]
    anchors = fit_anchors(np.concatenate(spread), np.concatenate([apart] * len(crops)))
    grid = anchors.sides
    reached = float(np.median(iou_with(sides, apart, grid).max(axis=1)))
    at_centre = float(iou_with(sides, np.zeros_like(apart), grid).max(axis=1).mean())
    because["anchors"] = (
        f"{len(grid)} anchors, for boxes as random crops make them, too; the best of them has IoU "
        f"{at_centre:.2f} (mean) with a box at its centre, and {reached:.2f} (median) from where "
        "anchors stand"
    )
    return anchors, next((value for value in (0.7, 0.6) if reached >= value), 0.5)
