"""AVA csv files and videos to records: the one call behind tools/create_ava_tfrecord.py."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from avatx.data.annotations.ava_csv import (
    format_timestamp,
    iterate_lines,
    read_annotations,
    read_excluded_timestamps,
    split_fields,
)
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import read_label_map
from avatx.data.records.record_pipeline import check_output, create_records
from avatx.data.records.record_plan import RecordSettings, make_plan
from avatx.data.records.remote_files import load_file_system
from avatx.data.video.video_folder import VideoFolder, identity
from avatx.errors import UserError

_MAX_SECOND = 1_000_000  # eleven days
_MAX_KEYFRAMES = 20_000_000  # a plan holds some hundred bytes for each


def create_ava_records(
    *,
    videos: Sequence[str],
    annotations: str,
    label_map: str,
    output: str,
    num_shards: int,
    excluded: str | None = None,
    settings: RecordSettings = RecordSettings(),
    keyframe_seconds: tuple[int, int] | None = None,
    beam_arguments: Sequence[str] = (),
    overwrite: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes `output`-00000-of-000NN.tfrecord ... and manifest.json beside them.

    Args:
      videos: folders that hold the videos, see `VideoFolder`.
      annotations: path of a csv, see `avatx.data.annotations.ava_csv`.
      label_map: path, see `avatx.data.annotations.label_map`.
      output: folder and beginning of the shards' names.
      num_shards: number of shards; some are empty where there are few records.
      excluded: path of a csv of keyframes to leave out, see `avatx.data.annotations.ava_csv`.
      settings: how videos become records.
      keyframe_seconds: see `make_plan`.
      beam_arguments: see `create_records`.
      overwrite: see `create_records`.
      log: see `create_records`.

    Returns:
      The entry of manifest.json.

    Raises:
      UserError: an input is not as it should be, or nothing at all could be read.
    """
    check_output(output, num_shards)
    if keyframe_seconds is not None and keyframe_seconds[0] > keyframe_seconds[1]:
        raise UserError(
            f"keyframe_seconds {keyframe_seconds[0]} {keyframe_seconds[1]}: "
            "the first is after the last"
        )
    if keyframe_seconds is not None and max(map(abs, keyframe_seconds)) > _MAX_SECOND:
        raise UserError(
            f"keyframe_seconds {keyframe_seconds[0]} {keyframe_seconds[1]}: expected seconds from "
            f"{-_MAX_SECOND:,} to {_MAX_SECOND:,}, each of which is a keyframe of every video"
        )
    for path in (*videos, output):
        load_file_system(path)
    classes = read_label_map(label_map)
    table = read_annotations(annotations)
    _check_boxes(table, annotations, log)
    if keyframe_seconds is not None:
        _check_number(keyframe_seconds, table)
    folder = VideoFolder(videos)
    _check_video_ids(annotations, table, folder)
    plan = make_plan(
        table,
        classes,
        folder.find,
        identity,
        settings,
        num_shards,
        excluded=read_excluded_timestamps(excluded) if excluded else None,
        keyframe_seconds=keyframe_seconds,
    )
    if not plan.num_keyframes:
        raise UserError(
            f"{annotations} holds no keyframe"
            + (" that is not excluded" if plan.excluded_keyframes else "")
        )
    if len(table) and sum(plan.dropped_classes.values()) == len(table):
        raise UserError(
            f"{annotations}: no row's class is in {label_map}; it has classes "
            f"{sorted(classes.names)[:5]}..., the rows {list(plan.dropped_classes)[:5]}"
        )
    wanted = {segment.video_id for segments in plan.shards for segment in segments}
    if wanted <= set(plan.missing):
        raise UserError(
            f"none of the {len(wanted)} videos of {annotations} is in "
            f"{', '.join(videos)}; expected for one {min(wanted)}.mp4{folder.hint(min(wanted))}"
        )
    os_folder = os.path.dirname(output)
    try:
        tf.io.gfile.makedirs(os_folder or ".")
    except tf.errors.OpError as error:
        raise UserError(f"{os_folder}: cannot be made ({error.message})") from error
    inputs = {
        "annotations": annotations,
        "label_map": label_map,
        "excluded": excluded,
        "videos": list(videos),
    }
    return create_records(
        plan,
        output,
        settings,
        classes,
        inputs,
        beam_arguments=beam_arguments,
        overwrite=overwrite,
        log=log,
    )


def _check_video_ids(annotations: str, table: AvaTable, folder: VideoFolder) -> None:
    """Raises UserError, naming the line, where an id of the csv leads out of the folders."""
    for video_id in {*table.video_names, *(name for name, _ in table.empty_keyframes)}:
        try:
            folder.paths(video_id)
        except UserError as error:
            lines = iterate_lines(annotations)
            where = (f", line {n}" for n, text in lines if split_fields(text)[:1] == [video_id])
            raise UserError(f"{annotations}{next(where, '')}: video id {error}") from None


def _check_number(keyframe_seconds: tuple[int, int], table: AvaTable) -> None:
    """Refuses more keyframes than a plan can hold in memory."""
    videos = len({*table.video_names, *(video_id for video_id, _ in table.empty_keyframes)})
    number = videos * (keyframe_seconds[1] - keyframe_seconds[0] + 1)
    if number > _MAX_KEYFRAMES:
        raise UserError(
            f"keyframe_seconds {keyframe_seconds[0]} {keyframe_seconds[1]}: {number:,} keyframes "
            f"of {videos:,} videos; expected {_MAX_KEYFRAMES:,} at most"
        )


def _check_boxes(table: AvaTable, annotations: str, log: Callable[[str], None]) -> None:
    """Refuses a file half of whose boxes are no boxes in [0, 1], as in pixels; tells of fewer."""
    low, high = table.boxes[:, :2], table.boxes[:, 2:]
    bad = np.flatnonzero(((low < -0.01) | (high > 1.01) | (low >= high)).any(axis=1))
    if not len(bad):
        return
    row = int(bad[0])
    video, seconds = table.moment(row)
    ymin, xmin, ymax, xmax = table.boxes[row]
    text = (
        f"{annotations}: {len(bad)} of {len(table)} boxes are inverted or outside [0, 1]: "
        f"{video},{format_timestamp(seconds)} "
        f"has x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g}"
    )
    if 2 * len(bad) >= len(table):
        raise UserError(f"{text}; AVA csv has x1,y1,x2,y2 as fractions of the frame")
    log(
        f"warning: {text}; inverted ones are left out of the records; tools/validate_csv.py "
        "names every one"
    )
