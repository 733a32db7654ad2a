"""Many videos through one exported detector: a result folder each, by Apache Beam.

As with records (`avatx.data.records.record_pipeline`): the launcher writes what is to be done with
each video as a small file; Beam's workers get the names of these files, a video each. A worker
process loads the model once. What a result was made from lies in it (`NOTE`); a result whose note
still agrees is not made again.
"""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from avatx import beam_pipeline, file_lock, file_systems
from avatx.atomic_folder import atomic_folder, sweep_folder
from avatx.data.records.record_shard import read_json, write_text
from avatx.data.records.remote_files import load_file_system
from avatx.errors import UserError, first_line
from avatx.inference import batch_manifest, video_search
from avatx.inference.batch_plan import BatchSettings, model_fingerprint, video_fingerprint
from avatx.inference.boxes_of_video import check_boxes
from avatx.inference.detector import Detector
from avatx.inference.exported_signatures import check_attention
from avatx.inference.video_detection import detect_video
from avatx.inference.video_outputs import NOTE, RESULTS
from avatx.refusals import has_no_room

STATE = ".avatx-detections"  # in the output folder: plans and outcomes of a run, and its lock
_HIDDEN = ".detect_videos.partial"


def detect_videos(
    videos: Sequence[str],
    output: str,
    detector: Detector,
    settings: BatchSettings,
    *,
    beam_arguments: Sequence[str] = (),
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes `output`/NAME with what `detect_video` writes of each video, and manifest.json.

    A video that cannot be read is named there with the reason, and the others go on.

    Args:
      videos: see `video_search.find_videos`.
      output: a folder; not that of another program.
      detector: the exported model, which workers in other processes load from its path.
      settings: how each is detected in.
      beam_arguments: Beam's own command line.
      log: gets a line for each video that is done.

    Returns:
      What manifest.json holds.

    Raises:
      UserError: none of the videos can be read, or `output` cannot be written.
    """
    options = beam_pipeline.parse_arguments(beam_arguments)
    # What is of the model, not of a video, is told once.
    check_boxes(detector, settings.boxes)
    if settings.boxes is not None:
        settings.boxes.read()
    if settings.attention:
        check_attention(detector)
    for path in (*videos, output):
        load_file_system(path)
    found = video_search.find_videos(videos)
    if found.num_others:
        log(f"left out of the folders, for they are no videos: {found.num_others} files")
    batch_manifest.check_output(output)
    state = os.path.join(output, STATE)
    is_new = not tf.io.gfile.isdir(output)
    try:
        with file_lock.alone_in(state, "output"):
            run = _Run(output, detector, settings, log)
            failed = run(found.videos, options)
            notes = batch_manifest.read_notes(output)
            if notes:
                manifest = batch_manifest.make(found.videos, notes, failed, settings, detector.path)
                manifest["totals"]["made_now"] = run.num_made
                batch_manifest.write(output, manifest)
                return manifest
    except tf.errors.OpError as error:
        raise UserError(f"output {output}: cannot be written ({first_line(error)})") from error
    if is_new and "://" not in output:
        shutil.rmtree(state, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(output)
    video, outcome = next(iter(failed.items()))
    raise UserError(
        f"no video could be read, so nothing was written; for one, {video}: {outcome['failed']}"
    )


class _Run:
    """One run over the videos of one output folder."""

    def __init__(self, output: str, detector: Detector, settings: BatchSettings, log):
        self._output = output
        self._state = os.path.join(output, STATE)
        self._settings = settings
        self._log = log
        self._saved_model = detector.path
        self._model = model_fingerprint(detector.path)
        self.num_made = 0
        _keep(detector, self._model)  # for workers in this process

    def __call__(self, videos: Sequence[str], options) -> dict[str, dict[str, Any]]:
        """Makes the results that are not there; gives the outcome of each that failed."""
        outcomes: dict[str, dict[str, Any]] = {}
        self._clean()
        try:
            plans = self._plan(videos)
            if len(plans) < len(videos):
                done = len(videos) - len(plans)
                self._log(f"{done} of {len(videos)} videos are done and unchanged")
            if plans:
                with _told_as_they_come(plans, self._log) as outcomes:
                    beam_pipeline.run(detect_planned, plans, options)
        finally:
            self._clean()
        failed = {one["video"]: one for one in outcomes.values() if "failed" in one}
        self.num_made = len(outcomes) - len(failed)
        return failed

    def _plan(self, videos: Sequence[str]) -> list[str]:
        """Writes a file for each video that has no result, or one of something else."""
        notes = batch_manifest.read_notes(self._output)
        known = {note["video"]: name for name, note in notes.items()}
        names = video_search.name_results(videos, known, [batch_manifest.NAME])
        plans = []
        for number, video in enumerate(videos):
            fingerprint = video_fingerprint(video, names[video], self._model, self._settings)
            target = os.path.join(self._output, names[video])
            if batch_manifest.is_whole(target, notes.get(names[video]), fingerprint):
                continue
            plan = os.path.join(self._state, f"{number:06d}.plan.json")
            content = {
                "video": video,
                "name": names[video],
                "target": target,
                "fingerprint": fingerprint,
                "saved_model": self._saved_model,
                "model": self._model,
                "settings": self._settings.to_dict(),
            }
            write_text(plan, json.dumps(content), lasting=False)
            plans.append(plan)
        return plans

    def _clean(self) -> None:
        """Removes plans, outcomes, and what a run that was killed has left of its results."""
        tf.io.gfile.makedirs(self._state)
        if "://" not in self._output:
            sweep_folder(self._output, _HIDDEN)
        for name in file_systems.names_in(self._state):
            if name != file_lock.LOCK_FILE:
                with contextlib.suppress(tf.errors.OpError):
                    tf.io.gfile.remove(os.path.join(self._state, name))


def detect_planned(plan_path: str) -> None:
    """What a Beam worker does: the video of a plan file, then a file that says how that went.

    Raises:
      RuntimeError: the result cannot be written, so those of the other videos cannot either.
    """
    plan = read_json(plan_path)
    began = time.monotonic()
    outcome = {"video": plan["video"]}
    try:
        load_file_system(plan["saved_model"])
        load_file_system(plan["target"])
        load_file_system(plan["video"])
        outcome |= _make_result(plan, began)
    except _Failed as failure:
        outcome["failed"] = str(failure)
    except UserError as error:
        raise beam_pipeline.told(str(error)) from error
    outcome["seconds"] = round(time.monotonic() - began, 3)
    try:
        write_text(_outcome_path(plan_path), json.dumps(outcome), lasting=False)
    except (UserError, OSError, tf.errors.OpError) as error:
        raise beam_pipeline.told(str(error)) from error


class _Failed(Exception):
    """One video cannot be done."""


def _make_result(plan: dict[str, Any], began: float) -> dict[str, Any]:
    settings = BatchSettings.from_dict(plan["settings"])
    _check_target(plan["target"])
    detector = _detector(plan["saved_model"], plan["model"])
    with atomic_folder(plan["target"], _HIDDEN, last=NOTE) as folder:
        try:
            notes: list[str] = []
            summary = detect_video(
                detector,
                plan["video"],
                folder,
                **settings.of_detection(),
                video_id=plan["name"],
                log=notes.append,
            )
        except Exception as error:  # any: a dozen libraries have read what somebody made
            if has_no_room(error):
                raise
            if isinstance(error, UserError):
                raise _Failed(str(error).removeprefix(f"{plan['video']}: ")) from error
            raise _Failed(
                f"cannot be read ({type(error).__name__}: {first_line(error)})"
            ) from error
        note = {
            "video": plan["video"],
            "fingerprint": plan["fingerprint"],
            "keyframes": summary.num_keyframes,
            "detections": summary.num_detections,
            "stopped": summary.stopped,
            "notes": notes,
            "seconds": round(time.monotonic() - began, 3),
            "files": {name: os.path.getsize(os.path.join(folder, name)) for name in summary.files},
        }
        write_text(os.path.join(folder, NOTE), json.dumps(note))
    return note


def _check_target(target: str) -> None:
    if not tf.io.gfile.exists(target):
        return
    if not tf.io.gfile.isdir(target):
        raise _Failed(f"{target} is a file; move it away, or choose another `output`")
    foreign = sorted({*file_systems.names_in(target)} - {*RESULTS, NOTE})
    if foreign:
        raise _Failed(
            f"{target} holds {foreign[0]}, which is no result of this program; move it away, or "
            "choose another `output`"
        )


_loading = threading.Lock()
_kept: dict[str, Detector] = {}


def _keep(detector: Detector, fingerprint: str) -> None:
    with _loading:
        _kept.clear()
        _kept[fingerprint] = detector


def _detector(path: str, fingerprint: str) -> Detector:
    """The model of this process; loaded once, whatever the number of videos and threads."""
    with _loading:
        if fingerprint not in _kept:
            _kept.clear()
            _kept[fingerprint] = Detector(path)
        return _kept[fingerprint]


def _outcome_path(plan_path: str) -> str:
    return plan_path.replace(".plan.json", ".outcome.json")


@contextlib.contextmanager
def _told_as_they_come(plans: Sequence[str], log) -> Iterator[dict[str, dict[str, Any]]]:
    """Logs a line for each outcome that the workers write; gives them by plan, all at the end."""
    outcomes: dict[str, dict[str, Any]] = {}
    stop = threading.Event()

    def look() -> None:
        there = set(file_systems.names_in(os.path.dirname(plans[0])))
        for plan in plans:
            path = _outcome_path(plan)
            if plan not in outcomes and os.path.basename(path) in there:
                with contextlib.suppress(ValueError, tf.errors.OpError):
                    outcomes[plan] = read_json(path)
                    log(f"{len(outcomes)} of {len(plans)}: {_in_words(outcomes[plan])}")

    def watch() -> None:
        began = time.monotonic()
        while not stop.wait(min(0.5 + (time.monotonic() - began) / 60, 10)):
            with contextlib.suppress(tf.errors.OpError):
                look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        thread.join()
        look()


def _in_words(outcome: dict[str, Any]) -> str:
    video = batch_manifest.printable(outcome["video"])
    if "failed" in outcome:
        return f"{video}: FAILED: {outcome['failed']}"
    stopped = f", stopped early: {outcome['stopped']}" if outcome["stopped"] else ""
    return (
        f"{video}: {outcome['detections']} detections at {outcome['keyframes']} keyframes, "
        f"{outcome['seconds']:.1f} s{stopped}"
    )
