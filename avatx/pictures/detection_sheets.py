"""Figures 6 and 7 as files: each class's top true detections and its worst mistakes.

A sheet a class and kind, an example a row: the keyframe in the middle with the detected box and
the annotated person, frames before and after it around, each with its own time (a frame that
repeats where the video or record ends says so by it); and one sheet over all classes of each.
"""

import os
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from avatx.atomic_folder import atomic_files
from avatx.data.times import MICROSECONDS, to_microseconds
from avatx.evaluation.examples import KINDS_IN_WORDS, TRUE, ClassExamples, Example
from avatx.pictures.boxes import short_name, upscale
from avatx.pictures.colours import ANNOTATED, RIGHT, WRONG
from avatx.pictures.contact_sheet import Tile
from avatx.pictures.strips import Marked, Strip, mark, strip_sheet

_SHORTER_SIDE = 200  # to which frames are brought before drawing
_TILE_WIDTH = 260
_QUALITY = 88
_TITLES = {"top": "Top true detections", "mistakes": "Highest-scoring mistakes"}
_BOXES = {"top": "blue: detected, green: annotated", "mistakes": "red: detected, green: annotated"}


def write_sheets(
    classes: Sequence[ClassExamples],
    class_names: dict[int, str],
    source,
    seconds: Sequence[float],
    folder: str,
    *,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> list[str]:
    """Writes figure6.jpg, figure7.jpg, and `top_<class>.jpg` and `mistakes_<class>.jpg`.

    Args:
      classes: from `find_examples`.
      class_names: class id to name.
      source: `avatx.data.input.clip_source.VideoClips` or `RecordClips`.
      seconds: of the frames shown, relative to the keyframe; ascending, 0 among them.
      folder: made if it is not there.
      progress: called with the examples drawn so far and their number.

    Returns:
      The files' names. A sheet without examples is not written.

    Raises:
      UserError: a video is not there, or the folder cannot be written.
    """
    offsets = to_microseconds(seconds)
    wanted = {
        (example.video_id, example.keyframe)
        for one in classes
        for example in [*one.top, *one.mistakes]
    }
    count = sum(len(one.top) + len(one.mistakes) for one in classes)
    done = 0
    progress(done, count)
    source.prepare(wanted, offsets)
    with atomic_files(folder) as work:
        written = []
        best: dict[str, list[Strip]] = {"top": [], "mistakes": []}
        for one in classes:
            name = class_names[one.class_id]
            for kind, examples in (("top", one.top), ("mistakes", one.mistakes)):
                strips = []
                for example in examples:
                    strips.append(_strip(example, class_names, source, offsets))
                    progress(done := done + 1, count)
                if not strips:
                    continue
                best[kind].append(strips[0])
                written.append(
                    _save(
                        strip_sheet(
                            strips, f"{_TITLES[kind]}: {name} ({_BOXES[kind]})", _TILE_WIDTH
                        ),
                        work,
                        f"{kind}_{one.class_id:02d}_{_file_name(name)}.jpg",
                    )
                )
        for file, kind, title in (
            ("figure6.jpg", "top", "Top true detection of each class"),
            ("figure7.jpg", "mistakes", "Highest-scoring mistake of each class"),
        ):
            if best[kind]:
                sheet = strip_sheet(best[kind], f"{title} ({_BOXES[kind]})", _TILE_WIDTH)
                written.append(_save(sheet, work, file))
    return written


def describe(example: Example, class_names: dict[int, str]) -> list[str]:
    """The lines over an example: what was detected, what is annotated, what kind of mistake."""
    name = class_names[example.class_id]
    place = f"{example.video_id} at {example.keyframe / MICROSECONDS:g} s"
    if example.kind == TRUE:
        verdict = f"{name} {example.score:.2f}"
    else:
        verdict = f"{name} {example.score:.2f}: {KINDS_IN_WORDS[example.kind]}"
    truth = "annotated at the box: nobody"
    if example.truth_box is not None:
        labels = ", ".join(class_names[i] for i in example.truth_classes) or "no scored action"
        truth = f"annotated person (overlap {example.iou:.2f}): {labels}"
    notes = []
    if example.somebody_else:
        notes.append("somebody else in the frame does it")
    if example.at_other_time is not None:
        shift = example.at_other_time - example.keyframe / MICROSECONDS
        when = "later" if shift > 0 else "earlier"
        notes.append(f"it is annotated at this place {abs(shift):g} s {when}")
    return [f"{verdict}   ({place})", "; ".join([truth, *notes])]


def _strip(example: Example, class_names, source, offsets) -> Strip:
    colour = RIGHT if example.kind == TRUE else WRONG
    clip = source.clip(example.video_id, example.keyframe, offsets)
    tiles = []
    for frame, wanted, shown in zip(clip.frames, offsets, clip.seconds, strict=True):
        frame = upscale(frame, _SHORTER_SIDE)
        if wanted:
            tiles.append(Tile(mark(frame, [Marked(example.box, colour)]), f"{shown:+g} s"))
        else:
            tiles.append(Tile(_keyframe(example, frame, colour, class_names), "keyframe"))
    return Strip(describe(example, class_names), tiles, colour)


def _keyframe(example: Example, frame: np.ndarray, colour: str, class_names) -> np.ndarray:
    """With both boxes, the annotated one thinner, for mostly it lies on the other."""
    label = f"{short_name(class_names[example.class_id])} {example.score:.2f}"
    boxes, people = [Marked(example.box, colour, [label], line=3)], list(example.people)
    if example.truth_box is not None:
        labels = [short_name(class_names[i]) for i in example.truth_classes]
        boxes.append(Marked(example.truth_box, ANNOTATED, labels, line=2))
        people = [one for one in people if np.any(one != example.truth_box)]
    return mark(frame, boxes, people)


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "class"


def _save(picture: np.ndarray, folder: str, name: str) -> str:
    Image.fromarray(picture).save(os.path.join(folder, name), quality=_QUALITY)
    return name
