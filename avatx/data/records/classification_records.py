"""Labelled videos to records: the one call behind tools/create_kinetics_tfrecord.py."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.annotations.labelled_list import LabelledClip, read_classes, read_csv, read_folders
from avatx.data.records.planned_segment import PlannedVideo
from avatx.data.records.record_pipeline import check_output, create_records
from avatx.data.records.record_plan import RecordPlan, RecordSettings
from avatx.data.records.remote_files import load_file_system, scheme
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_folder import identity
from avatx.errors import UserError


def create_classification_records(
    *,
    output: str,
    num_shards: int,
    annotations: str | None = None,
    videos: Sequence[str] | None = None,
    folders: str | None = None,
    label_map: str | None = None,
    output_label_map: str | None = None,
    settings: RecordSettings = RecordSettings(FrameSettings(shorter_side=256), margin_seconds=0.0),
    beam_arguments: Sequence[str] = (),
    overwrite: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes `output`-00000-of-000NN.tfrecord ..., manifest.json beside them and a label map.

    Args:
      output: folder and beginning of the shards' names.
      num_shards: number of shards; some are empty where there are few videos.
      annotations: csv of clips, see `labelled_list.read_csv`; or
      folders: a folder of one sub-folder a class.
      videos: folders that the csv's files are looked for in; None is the csv's own folder.
      label_map: pbtxt, or a plain list of names, the first being class 1. None: the classes
        found, in alphabetical order.
      output_label_map: where the classes found are written, `output`_label_map.pbtxt by default.
        Not written where a `label_map` is given.
      settings: how videos become records; their `seconds_per_record` and `margin_seconds` play
        no part.
      beam_arguments: see `create_records`.
      overwrite: see `create_records`.
      log: see `create_records`.

    Returns:
      The entry of manifest.json.

    Raises:
      UserError: an input is not as it should be, or nothing at all could be read.
    """
    check_output(output, num_shards)
    source = annotations if folders is None else folders
    if source is None or None not in (annotations, folders):
        raise UserError("give either `annotations` or `folders`")
    if label_map is not None and output_label_map is not None:
        raise UserError("output_label_map is for the classes found; with `label_map` leave it away")
    if folders is not None and videos:
        raise UserError("videos is for the files of `annotations`; with `folders` leave it away")
    if label_map is None:
        output_label_map = output_label_map or f"{output}_label_map.pbtxt"
        _check_writable(output_label_map, output)  # told before the videos are decoded
    for path in (output, source, *(videos or ())):
        load_file_system(path)
    clips = read_csv(source, videos) if folders is None else read_folders(source)
    if label_map is not None:
        classes = read_classes(label_map)
        class_ids = _given_classes(clips, classes, label_map)
    else:
        names = sorted({clip.label for clip in clips})
        classes = LabelMap(dict(enumerate(names, start=1)))
        class_ids = {name: class_id for class_id, name in classes.names.items()}
    plan = make_plan(clips, class_ids, num_shards)
    if len(plan.missing) == len(clips):
        raise UserError(
            f"{source}: none of its {len(clips)} videos is there; "
            f"for one, {clips[0].video_id} ({clips[0].where})"
        )
    try:
        tf.io.gfile.makedirs(os.path.dirname(output) or ".")
    except tf.errors.OpError as error:
        raise UserError(f"{os.path.dirname(output)}: cannot be made ({error.message})") from error
    inputs = {
        "annotations": annotations,
        "folders": folders,
        "label_map": label_map,
        "videos": list(videos or ()),
    }
    entry = create_records(
        plan,
        output,
        settings,
        classes,
        inputs,
        beam_arguments=beam_arguments,
        overwrite=overwrite,
        log=log,
    )
    if label_map is None:
        write_label_map(output_label_map, classes)
    return entry


def _check_writable(path: str, output: str) -> None:
    """Raises UserError where `output_label_map` is not on this machine, names a folder, or is in
    none that is there or will be made for `output`."""
    if scheme(path):
        raise UserError(
            f"output_label_map {path}: label maps are written to, and read from, "
            "this machine alone; expected a local file"
        )
    folder = os.path.dirname(path)
    if tf.io.gfile.isdir(path):
        raise UserError(
            f"output_label_map {path}: is a folder; expected a file, such as "
            f"{os.path.join(path, 'label_map.pbtxt')}"
        )
    if folder and folder != os.path.dirname(output) and not tf.io.gfile.isdir(folder):
        raise UserError(f"output_label_map {path}: there is no folder {folder}")


def make_plan(
    clips: Sequence[LabelledClip], class_ids: dict[str, int], num_shards: int
) -> RecordPlan:
    """Sorts clips into shards: by a hash of the clip, so that neighbours are of many classes.

    Args:
      clips: what there is.
      class_ids: label -> class id, of every label.
      num_shards: how many shards.
    """
    shards: list[list[PlannedVideo]] = [[] for _ in range(num_shards)]
    hashed = sorted(
        (hashlib.sha256(f"{clip.video_id}@{clip.start}".encode()).hexdigest(), index)
        for index, clip in enumerate(clips)
    )
    identities: dict[str, Any] = {}
    for digest, index in hashed:
        clip = clips[index]
        if clip.path is not None and clip.path not in identities:
            identities[clip.path] = identity(clip.path)
        shards[int(digest[:15], 16) % num_shards].append(
            PlannedVideo(
                video_id=clip.video_id,
                source=clip.path,
                identity=None if clip.path is None else identities[clip.path],
                start=clip.start,
                end=clip.end,
                class_id=class_ids[clip.label],
            )
        )
    return RecordPlan(
        shards=shards,
        missing=[clip.video_id for clip in clips if clip.path is None],
        dropped_classes={},
        excluded_keyframes=0,
        num_keyframes=0,
    )


def _given_classes(clips: Sequence[LabelledClip], classes: LabelMap, path: str) -> dict[str, int]:
    """label -> class id; a folder's underscores may stand for the blanks of a name."""
    known = {name: class_id for class_id, name in classes.names.items()}
    found = {}
    for clip in clips:
        class_id = known.get(clip.label, known.get(clip.label.replace("_", " ")))
        if class_id is None:
            some = ", ".join(repr(name) for name in list(known)[:4])
            raise UserError(
                f"{clip.where}: label {clip.label!r} is not in {path}, which has "
                f"{some}{', ...' if len(known) > 4 else ''}"
            )
        found[clip.label] = class_id
    return found
