"""What a new project's settings mean, seen on its own video: split, clip, frame size, anchors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from avatx.pictures.charts import figure_pixels
from avatx.pictures.colours import COUNT, INK, NEUTRAL, POSE, WITH_OBJECTS

MOST_VIDEOS = 8  # lines of the split
_MOST_FRAMES = 8  # of the clip
_WIDTH = 11.0  # inches
_DOTS_AN_INCH = 100
_TRAIN, _VALIDATION = POSE, WITH_OBJECTS


class Shown(NamedTuple):
    """What is drawn, at the size at which the model sees it."""

    video_id: str
    frames: np.ndarray  # [T, H, W, 3] uint8, a clip; frame T // 2 is the keyframe
    seconds: np.ndarray  # [T] from the keyframe to each
    boxes: np.ndarray  # [N, 4] of the keyframe's people, yxyx, normalised
    anchors: np.ndarray  # [K, 2] height and width, pixels
    best_anchor: np.ndarray  # [N] int, which anchor fits a box best
    sides: np.ndarray  # [M, 2] height and width of all boxes, pixels
    cell: int  # pixels of a feature cell


class Keyframes(NamedTuple):
    """Of one video, when it is annotated."""

    video_id: str
    seconds: float  # its length
    train: np.ndarray  # seconds
    validation: np.ndarray  # seconds


def choices_sheet(
    shown: Shown, videos: Sequence[Keyframes], num_videos: int, told: dict[str, str]
) -> np.ndarray:
    """[H, W, 3] uint8.

    Args:
      shown: one keyframe and its clip.
      videos: up to `MOST_VIDEOS` of them.
      num_videos: how many there are.
      told: the reasons, a sentence for each of split, clip, size and anchors.
    """
    import matplotlib
    from matplotlib.figure import Figure

    height, width = shown.frames.shape[1:3]
    count = min(_MOST_FRAMES, len(shown.frames))
    inches = (
        0.9 + 0.22 * len(videos),
        0.75 + _WIDTH / _MOST_FRAMES * height / width,
        0.9 + 0.68 * _WIDTH * height / width,
    )
    with matplotlib.rc_context({"font.size": 9, "text.color": INK, "axes.titlelocation": "left"}):
        figure = Figure(figsize=(_WIDTH, sum(inches)), layout="constrained", facecolor="white")
        rows: Any = figure.subfigures(3, 1, height_ratios=inches)
        _draw_split(rows[0].add_subplot(), videos, num_videos, told["split"])
        _draw_clip(rows[1], shown, count, told["clip"])
        frame, sizes = rows[2].subplots(1, 2, width_ratios=[0.7, 0.3])
        _draw_frame(frame, shown, told["size"])
        _draw_sizes(sizes, shown)
        return figure_pixels(figure, _DOTS_AN_INCH)


def _draw_split(axes, videos: Sequence[Keyframes], number: int, told: str) -> None:
    for line, video in enumerate(videos):
        axes.hlines(line, 0, video.seconds, colors="#dddddd", linewidth=6, zorder=0)
        for times, colour in ((video.train, _TRAIN), (video.validation, _VALIDATION)):
            axes.plot(times, [line] * len(times), "|", color=colour, markersize=9)
    for colour, name in ((_TRAIN, "training keyframes"), (_VALIDATION, "validation keyframes")):
        axes.plot([], [], "|", color=colour, markersize=9, markeredgewidth=3, label=name)
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0), borderaxespad=2.5, ncols=2, frameon=False)
    axes.set_yticks(range(len(videos)), [_short(video.video_id, 24) for video in videos])
    axes.set_ylim(len(videos) - 0.4, -0.6)
    axes.set_xlabel("seconds of the video")
    axes.spines[["top", "right", "left"]].set_visible(False)
    more = f" ({len(videos)} of {number} videos are drawn)" if number > len(videos) else ""
    axes.set_title(f"Split: {_short(told, 130)}{more}")


def _draw_clip(row, shown: Shown, count: int, told: str) -> None:
    row.suptitle(f"Clip: {told}", x=0.01, ha="left", fontsize=9.5)
    at = len(shown.frames) // 2
    indices = np.unique(np.round(np.linspace(0, len(shown.frames) - 1, count)).astype(int))
    indices[np.argmin(np.abs(indices - at))] = at
    places = row.subplots(1, _MOST_FRAMES)
    for axes in places[len(indices) :]:
        axes.set_axis_off()
    for axes, index in zip(places, indices, strict=False):
        axes.imshow(shown.frames[index])
        axes.set_xticks([])
        axes.set_yticks([])
        name = "keyframe" if index == at else f"{shown.seconds[index]:+.2f} s"
        axes.set_xlabel(name, color=COUNT if index == at else INK)
        axes.spines[:].set(visible=index == at, color=COUNT, linewidth=2)


def _draw_frame(axes, shown: Shown, told: str) -> None:
    height, width = shown.frames.shape[1:3]
    axes.imshow(shown.frames[len(shown.frames) // 2], extent=(0, width, height, 0))
    grid = {"colors": "white", "linewidth": 0.4, "alpha": 0.45}
    axes.hlines(np.arange(shown.cell, height, shown.cell), 0, width, **grid)
    axes.vlines(np.arange(shown.cell, width, shown.cell), 0, height, **grid)
    for box, best in zip(shown.boxes, shown.best_anchor, strict=True):
        ymin, xmin, ymax, xmax = box * (height, width, height, width)
        _rectangle(axes, ymin, xmin, ymax - ymin, xmax - xmin, _TRAIN, "-")
        tall, wide = shown.anchors[best]
        top, left = (ymin + ymax - tall) / 2, (xmin + xmax - wide) / 2
        _rectangle(axes, top, left, tall, wide, _VALIDATION, "--")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_xlabel(
        f"{_short(shown.video_id, 20)}: boxes and the best anchor of each (dashed); a square is a "
        f"feature cell of {shown.cell} pixels"
    )
    axes.set_title(f"Frame size {height} x {width}: {_short(told, 90)}")


def _draw_sizes(axes, shown: Shown) -> None:
    axes.plot(shown.sides[:, 1], shown.sides[:, 0], ".", color=NEUTRAL, markersize=3, label="boxes")
    axes.plot(
        shown.anchors[:, 1], shown.anchors[:, 0], "x", color=_VALIDATION, markersize=9,
        markeredgewidth=2.5, label="anchors",
    )  # fmt: skip
    axes.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{len(shown.anchors)} anchors for {len(shown.sides):,} boxes")


def _rectangle(axes, top, left, height, width, colour: str, style: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((left, top), width, height, fill=False, edgecolor=colour, linestyle=style, lw=1.5)
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
