"""Own videos and annotations to a folder that is ready to train."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from avatx.atomic_folder import atomic_files
from avatx.config import load
from avatx.data.annotations.ava_csv import iterate_lines, read_annotations
from avatx.data.annotations.ava_csv_writer import write_annotations
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.csv_validation import validate_csv
from avatx.data.annotations.label_map import LabelMap, read_label_map, write_label_map
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError
from avatx.importing import read
from avatx.progress import Progress
from avatx.project.choices import choose, choose_clip
from avatx.project.config_text import config_text
from avatx.project.machine import this_machine
from avatx.project.measures import Measures, VideoFacts, measure
from avatx.project.readme import commands, measured_lines, readme
from avatx.project.split import Split, label_counts, split_table

CONFIG_FILE = "pipeline.config"
FILES = (CONFIG_FILE, "label_map.pbtxt", "train.csv", "val.csv", "README.md")


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
      validation_annotations: AVA csv of the validation part, for a split that is made already.
      validation_share: of the labels, else.
      weights: prefix of a checkpoint of a trunk to begin with; by default one in `output`, and
        the page says how to make it.
      from_scratch: begin without.
      num_frames: of a clip; None chooses.
      frame_rate: of a clip; None chooses.
      skip_bad_rows: leave bad rows and broken videos out rather than refuse them.
      overwrite: replace an earlier config in `output`.
      log: takes lines about what is going on.

    Raises:
      UserError: what is given cannot be trained on, or `output` holds a config already.
    """
    if not 0 < validation_share < 1:
        raise UserError(f"validation_share {validation_share:g}: expected above 0 and below 1")
    if os.path.exists(os.path.join(output, CONFIG_FILE)) and not overwrite:
        raise UserError(f"output {output}: holds a {CONFIG_FILE}; give a new folder or `overwrite`")
    if weights and from_scratch:
        raise UserError("give either `weights` or `from_scratch`")
    if weights and not os.path.exists(f"{weights}.index"):
        raise UserError(
            f"weights {weights}: there is no {weights}.index; expected the prefix of a checkpoint"
        )
    weights = weights or (None if from_scratch else os.path.join(output, "weights", "i3d"))
    classes = read_label_map(label_map) if label_map else None
    times = VideoTimes(list(videos))
    with _as_csv(annotations, videos, label_map, log) as (path, found):
        classes = classes or found
        table = _read(path, classes, times, skip_bad_rows, log)
    val = None
    if validation_annotations:
        val = _read(validation_annotations, classes, times, skip_bad_rows, log)
    if classes is None:
        ids = set(table.class_id.tolist()) | (set(val.class_id.tolist()) if val else set())
        classes = LabelMap({class_id: f"class_{class_id}" for class_id in sorted(ids)})
        log("note: no label map was given, so classes are called class_1 and so on")

    whole = _joined(table, val) if val is not None else table
    facts = _facts(whole, times, list(videos))
    measures = measure(whole, facts)
    machine = this_machine()
    clip = choose_clip(measures, machine, num_frames, frame_rate)
    if val is not None:
        split = Split(table, val, "as it was given")
    else:
        split = split_table(table, validation_share, gap_seconds=clip[0] / clip[1])
    train_keyframes = _num_keyframes(split.train)
    names = list(classes.names.values())
    choices = choose(measures, machine, clip, train_keyframes, names, weights is not None)

    told = [f"split: {split.told}"]
    told += [f"{name}: {reason}" for name, reason in choices.because.items()]
    rare = [
        f"{class_id} ({name})"
        for class_id, name in classes.names.items()
        if label_counts(split.train).get(class_id, 0) < 10
    ]
    if rare:
        told.append(f"fewer than 10 training labels, too few to learn from: {', '.join(rare)}")
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
        ],
        steps,
        os.getcwd(),
    )
    with atomic_files(output, replaces=FILES if overwrite else ()) as folder:
        for name, content in ((CONFIG_FILE, text), ("README.md", page)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        load(os.path.join(folder, CONFIG_FILE))  # a mistake here is ours, and leaves nothing behind
        write_label_map(os.path.join(folder, "label_map.pbtxt"), classes)
        write_annotations(os.path.join(folder, "train.csv"), split.train)
        write_annotations(os.path.join(folder, "val.csv"), split.val)
    return Project(measures, split, told, steps)


@contextlib.contextmanager
def _as_csv(
    path: str, videos: Sequence[str], label_map: str | None, log: Callable[[str], None]
) -> Iterator[tuple[str, LabelMap | None]]:
    """(Path of an AVA csv, its classes) of annotations of any tool; None as classes of a csv."""
    if read.guess_format(path) == "ava":
        yield path, None
        return
    result = read.read_export(path, videos=videos, label_map=label_map)
    for line in (*result.notes, *(f"no place for: {k}, {n} times" for k, n in result.lost.items())):
        log(f"note: {path}: {line}")
    with tempfile.TemporaryDirectory() as folder:
        read.write_result(result, folder)
        yield os.path.join(folder, read.FILES[0]), result.label_map


def _read(path: str, classes, times: VideoTimes, skip_bad_rows: bool, log) -> AvaTable:
    """The valid rows of a csv."""
    bad, _ = validate_csv(path, label_map=classes, durations=times)
    times.end_progress()
    broken = "; ".join(f"{video}: {reason}" for video, reason in times.broken.items())
    if (bad or broken) and not skip_bad_rows:
        first = f"{path}, line {bad[0].line}: {bad[0].problem}: {bad[0].text[:80]}" if bad else ""
        lines = len({one.line for one in bad})
        more = f"; {lines - 1} more bad rows" if lines > 1 else ""
        raise UserError(
            f"{first or broken}{more}; correct them (tools/validate_csv.py lists all), or leave "
            "them out by `skip_bad_rows`"
        )
    if not bad:
        return _not_empty(path, read_annotations(path))
    left_out = {one.line for one in bad}
    log(f"note: {path}: {len(left_out)} bad rows are left out, the first at line {min(left_out)}")
    with _without(path, left_out) as rest:
        return _not_empty(path, read_annotations(rest))


def _not_empty(path: str, table: AvaTable) -> AvaTable:
    if not len(table):
        raise UserError(f"{path}: holds no box; expected people with their actions")
    return table


@contextlib.contextmanager
def _without(path: str, lines: set[int]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "rows.csv")
        with open(copy, "w", encoding="utf-8") as file:
            for number, line in iterate_lines(path):
                if number not in lines:
                    file.write(f"{line}\n")
        yield copy


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


def _facts(table: AvaTable, times: VideoTimes, folders: list[str]) -> dict[str, VideoFacts]:
    """Of each video that the table names."""
    folder = VideoFolder(folders)
    facts = {}
    names = dict.fromkeys([*table.video_names, *(key[0] for key in table.empty_keyframes)])
    progress = Progress("measuring", "videos", len(names))
    for name in names:
        path = folder.find(name)
        if path is None:  # validate_csv has found each
            raise UserError(f"{name}: there is no such video in {', '.join(folders)}")
        with VideoReader(path, frame_settings=FrameSettings()) as reader:
            height, width = reader.size
            facts[name] = VideoFacts(height, width, reader.frame_rate or 25.0, times[name] or 0.0)
        progress.add(1)
    progress.end()
    return facts


def _num_keyframes(table: AvaTable) -> int:
    moments = set(zip(table.video_index.tolist(), table.timestamp.tolist(), strict=True))
    return len(moments) + len(set(table.empty_keyframes))
