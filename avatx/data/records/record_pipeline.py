"""Annotations and videos to shards of records: an Apache Beam pipeline that can be resumed.

The launcher decides what each shard holds (`record_plan`) and writes that as a small file;
Beam's workers get the names of those files, a shard each, and write the shards
(`record_shard`). No frame passes through Beam, and a worker holds one segment at a time.

Beside the shards lies a folder `.avatx-<name>`: for each finished shard a `.done.json` with
the fingerprint of what it was made from, and while a run lasts its plans and unfinished files. A
shard whose fingerprint still agrees is not written again; whatever a killed run left is removed.
Shards without a record take their places last, and only where the run has a record at all: a run
that can read nothing leaves an earlier one's shards as they are.
"""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from avatx import beam_pipeline, file_systems
from avatx.atomic_file import atomic_binary_file
from avatx.data.records import manifest, planned_segment, record_shard
from avatx.data.records.record_plan import RecordPlan, RecordSettings, fingerprint
from avatx.data.records.record_shard import read_json, write_text
from avatx.errors import UserError
from avatx.progress import Progress

MAX_SHARDS = 99_999


class ShardFiles:
    """Names of everything that belongs to one output prefix."""

    def __init__(self, prefix: str, num_shards: int):
        self.folder, self.name = os.path.split(prefix)
        self.state = os.path.join(self.folder, f".avatx-{self.name}")
        self.num_shards = num_shards

    def shard(self, index: int) -> str:
        return os.path.join(self.folder, self._stem(index) + ".tfrecord")

    def done(self, index: int) -> str:
        return os.path.join(self.state, self._stem(index) + ".done.json")

    def plan(self, index: int) -> str:
        return os.path.join(self.state, self._stem(index) + ".plan.json")

    def empty(self, index: int) -> str:
        """What there is to say of a shard without a record, until it takes its place."""
        return os.path.join(self.state, self._stem(index) + ".empty.json")

    def _stem(self, index: int) -> str:
        return f"{self.name}-{index:05d}-of-{self.num_shards:05d}"

    def clean(self) -> None:
        """Removes what a killed run left."""
        tf.io.gfile.makedirs(self.state)
        for name in file_systems.names_in(self.state):
            if not name.endswith(".done.json"):
                tf.io.gfile.remove(os.path.join(self.state, name))

    def others(self) -> list[str]:
        """Names of this prefix's shards of another count."""
        pattern = re.compile(re.escape(self.name) + r"-\d{5}-of-(\d{5})\.tfrecord")
        return [
            name
            for name in file_systems.names_in(self.folder or ".")
            if (found := pattern.fullmatch(name)) and int(found[1]) != self.num_shards
        ]

    def check_ours(self, names: Sequence[str]) -> None:
        """Raises UserError where this program did not write one of `others`."""
        for name in names:
            if not tf.io.gfile.exists(self._done_of(name)):
                raise UserError(
                    f"{os.path.join(self.folder, name)} belongs to another number of shards and "
                    "was not written by this program; move it away or choose another `output`"
                )

    def remove(self, names: Sequence[str]) -> None:
        """Removes shards of `others`; another worker may be at it."""
        for name in names:
            for path in (os.path.join(self.folder, name), self._done_of(name)):
                _remove(path)

    def _done_of(self, name: str) -> str:
        return os.path.join(self.state, name.replace(".tfrecord", ".done.json"))

    def give_up(self) -> None:
        """Leaves the folder as it was where no shard was written."""
        for index in range(self.num_shards):
            _remove(self.empty(index))
        if not file_systems.names_in(self.state):
            tf.io.gfile.rmtree(self.state)

    def finished(self, index: int, wanted_fingerprint: str) -> dict[str, Any] | None:
        """The result of a shard that need not be written again, else None."""
        try:
            result = read_json(self.done(index))
            if (
                result["fingerprint"] == wanted_fingerprint
                and tf.io.gfile.stat(self.shard(index)).length == result["bytes"]
            ):
                return result
        except (ValueError, KeyError, TypeError, tf.errors.NotFoundError):
            pass
        return None


def check_output(prefix: str, num_shards: int) -> None:
    """Raises UserError unless `num_shards` shards can be called `prefix`-....tfrecord."""
    if not 1 <= num_shards <= MAX_SHARDS:
        raise UserError(f"num_shards is {num_shards}, expected 1 to {MAX_SHARDS}")
    if not os.path.basename(prefix) or tf.io.gfile.isdir(prefix):
        raise UserError(
            f"output {prefix} is a folder, expected a folder and the beginning of "
            f"a file name, such as {os.path.join(prefix, 'train')}"
        )


def create_records(
    plan: RecordPlan,
    prefix: str,
    settings: RecordSettings,
    label_map,
    inputs: dict[str, Any],
    *,
    beam_arguments: Sequence[str] = (),
    overwrite: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes the shards `PREFIX-00000-of-000NN.tfrecord` of `plan` that are not there yet.

    Args:
      plan: see `record_plan.make_plan`.
      prefix: path and beginning of the shards' names.
      settings: as the plan was made with.
      label_map: names of the classes.
      inputs: JSON-able, for the manifest.
      beam_arguments: Beam's own command line.
      overwrite: also write again what is there and unchanged.
      log: gets lines for the terminal.

    Returns:
      The output's entry of manifest.json, which lies in the folder of `prefix`.

    Raises:
      UserError: nothing could be read, or the folder cannot be written.
    """
    files = ShardFiles(prefix, len(plan.shards))
    options = beam_pipeline.parse_arguments(beam_arguments)
    try:
        manifest.read_manifest(files.folder)  # before any work: it may be somebody else's
        files.clean()
        others = files.others()
        files.check_ours(others)
        todo, num_todo = [], 0
        for index, segments in enumerate(plan.shards):
            digest = fingerprint(segments, settings, label_map)
            if not overwrite and files.finished(index, digest) is not None:
                continue
            todo.append(index)
            num_todo += sum(len(segment.times) for segment in segments)
            write_text(
                files.plan(index),
                json.dumps(
                    {
                        "shard": files.shard(index),
                        "done": files.done(index),
                        "empty": files.empty(index),
                        "output": prefix,
                        "num_shards": len(plan.shards),
                        "fingerprint": digest,
                        "settings": settings.to_dict(),
                        "segments": [segment.to_dict() for segment in segments],
                        "class_names": list(label_map.names.items()),
                    }
                ),
                lasting=False,
            )
    except tf.errors.OpError as error:
        raise UserError(f"{prefix}: cannot be written ({error.message})") from error
    if len(todo) < len(plan.shards):
        log(f"{len(plan.shards) - len(todo)} of {len(plan.shards)} shards are there and unchanged")
    if todo:
        plans = [files.plan(index) for index in todo]
        try:
            with _Progress(plans, num_todo, plan.unit):
                beam_pipeline.run(write_planned_shard, plans, options)
        finally:
            for path in plans:
                tf.io.gfile.remove(path)
    results = [_result(files, index) for index in range(len(plan.shards))]
    if not any(result["records"] for result in results):
        skip = next(skip for result in results for skip in result["skipped"])
        files.give_up()
        what = "keyframe of any video" if plan.unit == "keyframes" else "video"
        raise UserError(
            f"no {what} could be read, so nothing was written; "
            f"for one, {skip['video_id']}: {skip['reason']}"
        )
    if others:
        files.remove(others)
        log(f"removed {len(others)} shards of an earlier run with another number of shards")
    for index in todo:
        if tf.io.gfile.exists(files.empty(index)):
            _put_empty(files, index)
    entry = manifest.make_entry(plan, results, settings.to_dict(), inputs)
    manifest.write_manifest(files.folder, files.name, entry)
    return entry


def _result(files: ShardFiles, index: int) -> dict[str, Any]:
    """What came of a shard, whether or not it has its place."""
    path = files.empty(index)
    result = read_json(path if tf.io.gfile.exists(path) else files.done(index))
    return {**result, "shard": os.path.basename(files.shard(index))}


def _put_empty(files: ShardFiles, index: int) -> None:
    """Gives a shard without a record its place: an empty file."""
    result = read_json(files.empty(index))
    _remove(files.done(index))
    with atomic_binary_file(files.shard(index)) as file:
        file.write(b"")
    write_text(files.done(index), json.dumps(result))
    tf.io.gfile.remove(files.empty(index))


def write_planned_shard(plan_path: str) -> None:
    """What a Beam worker does: the shard that a plan file describes, then its `.done.json`.

    Of a shard without a record only the launcher knows what is to become: it gets a note.
    """
    plan = read_json(plan_path)

    def forget_the_old_ones() -> None:
        files = ShardFiles(plan["output"], plan["num_shards"])
        files.remove(files.others())  # two counts never lie side by side
        _remove(plan["done"])

    def tell(number: int) -> None:
        write_text(_progress_path(plan_path), str(number), lasting=False)

    try:
        result = record_shard.write_shard(
            plan["shard"],
            [planned_segment.from_dict(segment) for segment in plan["segments"]],
            RecordSettings.from_dict(plan["settings"]),
            dict(plan["class_names"]),
            temporary_folder=os.path.dirname(plan_path),
            on_progress=tell,
            before_rename=forget_the_old_ones,
        )
        told = json.dumps({**result, "fingerprint": plan["fingerprint"]})
        write_text(plan["done"] if result["records"] else plan["empty"], told)
    except UserError as error:
        raise beam_pipeline.told(str(error)) from error
    except (OSError, tf.errors.OpError) as error:
        raise beam_pipeline.told(f"{plan['shard']}: cannot be written ({error})") from error


def _remove(path: str) -> None:
    """Removes a file that may not be there."""
    with contextlib.suppress(tf.errors.NotFoundError):
        if tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)


def _progress_path(plan_path: str) -> str:
    return plan_path.replace(".plan.json", ".progress")


class _Progress:
    """Keyframes (or videos) so far, kept up from the small files that the workers write."""

    def __init__(self, plan_paths: list[str], total: int, unit: str):
        self._paths = [_progress_path(path) for path in plan_paths]
        self._line = Progress("writing", unit, total)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _update(self) -> None:
        done = 0
        for path in self._paths:
            with contextlib.suppress(ValueError, tf.errors.OpError):  # not begun
                done += int(read_json(path))
        self._line.to(done)

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(min(1 + (time.monotonic() - began) / 60, 10)):
            self._update()

    def __enter__(self) -> "_Progress":
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self._stop.set()
        self._thread.join()
        self._update()
        self._line.end()
        for path in self._paths:
            if tf.io.gfile.exists(path):
                tf.io.gfile.remove(path)
