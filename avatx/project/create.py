"""Own videos and annotations to a folder that is ready to train."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from avatx.atomic_folder import atomic_files
from avatx.config import load
from avatx.data.annotations.ava_csv_writer import write_annotations
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap, read_label_map, write_label_map
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError
from avatx.progress import Progress
from avatx.project.annotations import as_csv, held_out_as_csv, read_rows, refuse_bad_rows
from avatx.project.arguments import check_numbers, check_output, check_weights
from avatx.project.choices import choose, choose_clip
from avatx.project.choices_picture import choices_picture
from avatx.project.config_text import config_text
from avatx.project.machine import this_machine
from avatx.project.measures import Measures, VideoFacts, measure
from avatx.project.readme import commands, measured_lines, readme
from avatx.project.split import Split, given_split, label_counts, split_table

CONFIG_FILE = "pipeline.config"
README = "README.md"
PICTURE = "choices.jpg"
FILES = (CONFIG_FILE, "label_map.pbtxt", "train.csv", "val.csv", README, PICTURE)

_SMALLEST_BOX = 2  # pixels of the video


class Project(NamedTuple):
    """What was made.

    Attributes:
      measures: of all annotations.
      split: train and validation.
      told: what was decided, a sentence each.
      commands: (what it does, command lines) of the five steps.
    """

    measures: Measures
    split: Split
    told: list[str]
    commands: list[tuple[str, str]]


def create_project(
    videos: Sequence[str],
    annotations: str,
    output: str,
    *,
    label_map: str | None = None,
    validation_annotations: str | None = None,
    validation_share: float = 0.2,
    weights: str | None = None,
    from_scratch: bool = False,
    num_frames: int | None = None,
    frame_rate: float | None = None,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> Project:
    """Checks, measures, splits, and writes a config with all that it names but records.

    Args:
      videos: folders of `<video id>.<extension>`.
      annotations: AVA csv, or what `avatx.importing` reads.
      output: folder; all of its files appear, or none.
      label_map: names of the classes; without it they are called by their ids.
      validation_annotations: as `annotations`, of the validation part, for a split that is made
        already.
      validation_share: of the labels, else.
      weights: prefix of a checkpoint of a trunk to begin with; by default one in `output`, and
        the page says how to make it.
      from_scratch: begin without.
      num_frames: of a clip; None chooses.
      frame_rate: of a clip; None chooses.
      skip_bad_rows: leave bad rows and broken videos out rather than refuse them.
      overwrite: replace files of an earlier project in `output`; never one that is read here.
      log: takes lines about what is going on.

    Raises:
      UserError: what is given cannot be trained on, or a file of these names in `output` would be
        lost.
    """
    check_numbers(validation_share, num_frames, frame_rate)
    inputs = {
        "annotations": annotations,
        "validation_annotations": validation_annotations,
        "label_map": label_map,
        "weights": weights,
    }
    check_output(output, FILES, inputs, overwrite)
    check_weights(weights, from_scratch)
    weights = weights or (None if from_scratch else os.path.join(output, "weights", "i3d"))
    classes = read_label_map(label_map) if label_map else None
    times = VideoTimes(list(videos))
    held_out, split = None, None
    with contextlib.ExitStack() as stack:
        source, found = stack.enter_context(as_csv(annotations, videos, label_map, log))
        classes = classes or found
        if validation_annotations:
            held_out = stack.enter_context(
                held_out_as_csv(validation_annotations, source, videos, label_map, log)
            )
        for one in (source, held_out):  # before the videos are opened, which takes longer
            if one is not None and not skip_bad_rows:
                refuse_bad_rows(one, classes, times)
        table = read_rows(source, classes, times, skip_bad_rows, log)
        if held_out is not None:
            split = given_split(table, read_rows(held_out, classes, times, skip_bad_rows, log))
    if classes is None:
        ids = {*table.class_id.tolist(), *(split.val.class_id.tolist() if split else ())}
        classes = LabelMap({class_id: f"class_{class_id}" for class_id in sorted(ids)})
        log("note: no label map was given, so classes are called class_1 and so on")

    whole = _joined(*split[:2]) if split else table
    paths = _paths(whole, list(videos))
    facts = _facts(paths, times)
    measures = measure(whole, facts)
    machine = this_machine()
    clip = choose_clip(measures, machine, num_frames, frame_rate)
    split = split or split_table(table, validation_share, gap_seconds=clip[0] / clip[1])
    train_keyframes = _num_keyframes(split.train)
    names = list(classes.names.values())
    choices = choose(measures, machine, clip, train_keyframes, names, weights is not None)

    told = [f"split: {split.told}"]
    told += [f"{name}: {reason}" for name, reason in choices.because.items()]
    told += _warnings(split, classes, clip[0] / clip[1], measures)
    steps = commands(output, videos, choices, len(facts), weights)
    path = os.path.join(output, "")
    text = config_text(
        choices,
        num_classes=classes.max_id,
        heading=[
            f"Made by avatx init of {annotations}.",
            "",
            f"Data:     {len(facts)} video{'s'[: len(facts) != 1]}, "
            f"{measures.num_keyframes:,} keyframes, {len(measures.boxes):,} boxes; "
            f"split {split.told}.",
            *(f"Command:  {line}" for line in steps[1][1].split("\n")[:1]),
            f"Hardware: {machine.described}.",
            f"Before:   records, see {path}README.md.",
        ],
        label_map=f"{path}label_map.pbtxt",
        train_records=f"{path}records/train-*.tfrecord",
        val_records=f"{path}records/val-*.tfrecord",
        weights=weights,
    )
    page = readme(
        os.path.basename(os.path.abspath(output)),
        [
            *measured_lines(
                measures, classes.names, label_counts(split.train), label_counts(split.val)
            ),
            "",
            *(f"- {line}" for line in told),
            "",
            f"![split, clip, frame size and anchors]({PICTURE})",
        ],
        steps,
        os.getcwd(),
    )
    _check_config(text, output)
    picture = choices_picture(measures, split, choices, paths)
    with atomic_files(output, replaces=FILES if overwrite else ()) as folder:
        for name, content in ((CONFIG_FILE, text), (README, page)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        Image.fromarray(picture).save(os.path.join(folder, PICTURE), quality=88)
        write_label_map(os.path.join(folder, "label_map.pbtxt"), classes)
        write_annotations(os.path.join(folder, "train.csv"), split.train)
        write_annotations(os.path.join(folder, "val.csv"), split.val)
    return Project(measures, split, told, steps)


def _warnings(
    split: Split, classes: LabelMap, clip_seconds: float, measures: Measures
) -> list[str]:
    """What the user should know before training, a sentence each."""

    def named(counts: Mapping[int, int], fewest: int) -> str:
        few = [one for one in classes.names.items() if counts.get(one[0], 0) < fewest]
        return ", ".join(f"{class_id} ({name})" for class_id, name in few)

    told = []
    if rare := named(label_counts(split.train), 10):
        told.append(f"fewer than 10 training labels, too few to learn from: {rare}")
    if unmeasured := named(label_counts(split.val), 1):
        told.append(f"no validation label, so that they are not measured: {unmeasured}")
    tall = float(np.median(measures.box_sides(*measures.frame_size)[:, 0]))
    if tall < _SMALLEST_BOX:
        told.append(
            f"half of the boxes are at most {tall:.2g} pixels tall, too small to be found: "
            "coordinates are shares of the frame, from 0 to 1"
        )
    longest = max(one.seconds for one in measures.videos.values())
    if clip_seconds > longest:
        told.append(
            f"a clip lasts {clip_seconds:.1f} s and the longest video {longest:.1f} s: the first "
            "and the last frame stand in for what lies outside"
        )
    return told


def _check_config(text: str, output: str) -> None:
    """Refuses a config that cannot be loaded, before there is anything of it in `output`."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, CONFIG_FILE)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            load(path)
        except UserError as error:
            said = str(error).replace(path, os.path.join(output, CONFIG_FILE))
            raise UserError(f"{said}; it is not written") from error


def _joined(one: AvaTable, other: AvaTable) -> AvaTable:
    def both(name: str) -> list:
        return [*getattr(one, name), *getattr(other, name)]

    return AvaTable.from_columns(
        both("video_id"),
        both("timestamp"),
        both("boxes"),
        both("class_id"),
        person_id=both("person_id"),
        empty_keyframes=both("empty_keyframes"),
    )


def _paths(table: AvaTable, folders: list[str]) -> dict[str, str]:
    """The file of each video that the table names."""
    folder = VideoFolder(folders)
    paths = {}
    for name in dict.fromkeys([*table.video_names, *(key[0] for key in table.empty_keyframes)]):
        path = folder.find(name)
        if path is None:  # `read_rows` has found each
            raise UserError(f"{name}: there is no such video in {', '.join(folders)}")
        paths[name] = path
    return paths


def _facts(paths: Mapping[str, str], times: VideoTimes) -> dict[str, VideoFacts]:
    """Of each video."""
    facts = {}
    progress = Progress("measuring", "videos", len(paths))
    for name, path in paths.items():
        with VideoReader(path, frame_settings=FrameSettings()) as reader:
            height, width = reader.size
            facts[name] = VideoFacts(height, width, reader.frame_rate or 25.0, times[name] or 0.0)
        progress.add(1)
    progress.end()
    return facts


def _num_keyframes(table: AvaTable) -> int:
    moments = set(zip(table.video_index.tolist(), table.timestamp.tolist(), strict=True))
    return len(moments) + len(set(table.empty_keyframes))
