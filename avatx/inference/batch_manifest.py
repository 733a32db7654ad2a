"""manifest.json of a batch of videos: which result is whose, and what failed and why.

It is made of the notes that lie in the results, of older runs too, and of what failed in this one.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from avatx import file_systems
from avatx.data.records.record_shard import read_json, write_text
from avatx.errors import UserError
from avatx.inference.batch_plan import BatchSettings
from avatx.inference.video_outputs import NOTE

NAME = "manifest.json"
_OF_NOTE = ("keyframes", "detections", "seconds", "stopped", "notes")
_MOST_TOLD = 10


def check_output(output: str) -> None:
    """Raises UserError where `output` is no folder, or holds another program's manifest."""
    if tf.io.gfile.exists(output) and not tf.io.gfile.isdir(output):
        raise UserError(f"output {output}: is a file; give a folder")
    path = os.path.join(output, NAME)
    if not tf.io.gfile.exists(path):
        return
    try:
        if isinstance(read_json(path)["videos"], dict):
            return
    except (ValueError, KeyError, TypeError, tf.errors.OpError):
        pass
    raise UserError(
        f"{path} is not a manifest of detections; move it away or choose another `output`"
    )


def read_notes(output: str) -> dict[str, dict[str, Any]]:
    """Name of a result in `output` -> the note that lies in it."""
    notes = {}
    for name in file_systems.names_in(output):
        try:
            note = read_json(os.path.join(output, name, NOTE)) if name[0] != "." else None
        except (ValueError, tf.errors.OpError):
            continue
        keys = ("video", "fingerprint", "files", *_OF_NOTE)
        if isinstance(note, dict) and all(key in note for key in keys):
            notes[name] = note
    return notes


def is_whole(target: str, note: Mapping[str, Any] | None, fingerprint: str | None) -> bool:
    """Whether the result `target` need not be made again."""
    if note is None or fingerprint is None or note["fingerprint"] != fingerprint:
        return False
    try:
        return all(
            tf.io.gfile.stat(os.path.join(target, name)).length == length
            for name, length in note["files"].items()
        )
    except (tf.errors.OpError, AttributeError):
        return False


def make(
    videos: Sequence[str],
    notes: Mapping[str, dict[str, Any]],
    failed: Mapping[str, dict[str, Any]],
    settings: BatchSettings,
    saved_model: str,
) -> dict[str, Any]:
    """What manifest.json holds.

    Args:
      videos: of this run; others, whose results lie there, are listed after them.
      notes: see `read_notes`.
      failed: video -> `failed`, the reason, and `seconds`.
      settings: of this run.
      saved_model: of this run.
    """
    names = {note["video"]: name for name, note in notes.items()}
    entries: dict[str, dict[str, Any]] = {}
    for video in dict.fromkeys([*videos, *names]):
        if video in failed:
            entry = {key: failed[video][key] for key in ("failed", "seconds")}
            if video in names:
                entry["older_result"] = names[video]
        else:
            note = notes[names[video]]
            entry = {"result": names[video], **{key: note[key] for key in _OF_NOTE}}
            entry["files"] = sorted(note["files"])
        entries[printable(video)] = entry
    results = [entry for entry in entries.values() if "result" in entry]
    totals = {
        "videos": len(entries),
        "results": len(results),
        "failed": len(entries) - len(results),
        **{key: sum(entry[key] for entry in results) for key in ("keyframes", "detections")},
        "seconds": round(sum(entry["seconds"] for entry in entries.values()), 3),
    }
    return {
        "saved_model": saved_model,
        "settings": settings.to_dict(),
        "totals": totals,
        "videos": entries,
    }


def write(output: str, manifest: Mapping[str, Any]) -> None:
    """Writes manifest.json, whole or not at all."""
    write_text(os.path.join(output, NAME), json.dumps(manifest, indent=1) + "\n")


def summary(manifest: Mapping[str, Any]) -> list[str]:
    """It in a few lines for the terminal."""
    totals = manifest["totals"]
    lines = [
        f"{totals['results']} of {totals['videos']} videos have a result, {totals['made_now']} of "
        f"them made now: {totals['detections']} detections at {totals['keyframes']} keyframes, "
        f"{totals['seconds']:.1f} s of work"
    ]
    entries = manifest["videos"].items()
    stopped = [f"  {video}: {entry['stopped']}" for video, entry in entries if entry.get("stopped")]
    if stopped:
        lines += [f"{len(stopped)} break off and were read up to there:", *_some(stopped)]
    noted = [f"  {video}: {note}" for video, entry in entries for note in entry.get("notes", [])]
    if noted:
        lines += ["NOTED:", *_some(noted)]
    failed = [f"  {video}: {entry['failed']}" for video, entry in entries if "failed" in entry]
    if failed:
        lines += [f"FAILED: {len(failed)} videos", *_some(failed)]
    return lines


def printable(path: str) -> str:
    """A path whose bytes may be no UTF-8, as it can be printed and written."""
    return path.encode("utf-8", "backslashreplace").decode()


def _some(lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - _MOST_TOLD} more: see the manifest"]
    return lines[:_MOST_TOLD] + (more if len(lines) > _MOST_TOLD else [])
