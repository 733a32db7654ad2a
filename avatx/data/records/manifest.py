"""manifest.json: what was made from which video, and what is missing and why.

One file a folder of records; `records` holds an entry for each output prefix in that folder, so
that `train` and `val` may lie side by side.
"""

import os
from collections import Counter
from typing import Any

import tensorflow as tf

from avatx.data.records.record_plan import RecordPlan
from avatx.data.records.record_shard import add_facts, read_json, write_text
from avatx.data.video.reading_event import in_words
from avatx.errors import UserError

NAME = "manifest.json"


def read_manifest(folder: str) -> dict[str, Any]:
    """The manifest of `folder`, an empty one if there is none.

    Raises:
      UserError: there is a manifest.json that this project did not write.
    """
    path = os.path.join(folder, NAME)
    if not tf.io.gfile.exists(path):
        return {"records": {}}
    try:
        manifest = read_json(path)
        if isinstance(manifest["records"], dict):
            return manifest
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path} is not a manifest of records; move it away or choose another `output`")


def write_manifest(folder: str, name: str, entry: dict[str, Any]) -> str:
    """Replaces the entry of the output `name`; gives the manifest's path."""
    import json

    manifest = read_manifest(folder)
    manifest["records"][name] = entry
    path = os.path.join(folder, NAME)
    write_text(path, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return path


def make_entry(
    plan: RecordPlan,
    results: list[dict[str, Any]],
    settings: dict[str, Any],
    inputs: dict[str, Any],
) -> dict[str, Any]:
    """Everything worth knowing about one output.

    Args:
      plan: what there was to write.
      results: a `write_shard` result for each shard, with its `shard` name.
      settings: see `RecordSettings`.
      inputs: paths of csv, label map and videos.
    """
    videos: dict[str, Any] = {}
    skipped: dict[tuple, list[float]] = {}
    totals = Counter({"records": 0, "keyframes": 0, "frames": 0, "bytes": 0, "jpeg_bytes": 0})
    for result in results:
        totals.update({name: result[name] for name in totals})
        add_facts(videos, result["videos"])
        for skip in result["skipped"]:
            key = skip["video_id"], skip["reason"]
            skipped.setdefault(key, []).extend(skip["timestamps"])
    for facts in videos.values():
        if "events" in facts:
            facts["notes"] = in_words(facts["events"])
    return {
        "unit": plan.unit,
        "settings": settings,
        "inputs": inputs,
        "totals": dict(totals),
        "skipped": [
            {
                "video_id": video_id,
                "reason": reason,
                "num_keyframes": len(timestamps),
                "timestamps": sorted(timestamps),
            }
            for (video_id, reason), timestamps in sorted(skipped.items())
        ],
        "missing_videos": sorted(plan.missing),
        "dropped_rows_of_unknown_classes": {
            str(class_id): count for class_id, count in plan.dropped_classes.items()
        },
        "excluded_keyframes": plan.excluded_keyframes,
        "videos": videos,
        "shards": [
            {
                name: result[name]
                for name in ("shard", "fingerprint", "records", "keyframes", "frames", "bytes")
            }
            for result in results
        ],
    }


def summary(entry: dict[str, Any]) -> list[str]:
    """The manifest's entry in a few lines for the terminal."""
    totals = entry["totals"]
    unit = entry.get("unit", "keyframes")
    number = totals["keyframes" if unit == "keyframes" else "records"]
    lines = [
        (
            f"{number} keyframes of {len(entry['videos'])} videos in {totals['records']} records,"
            if unit == "keyframes"
            else f"{number} labelled videos,"
        )
        + f" {len(entry['shards'])} shards, {totals['bytes'] / 1e6:.1f} MB"
        + (f" ({totals['bytes'] / number / 1e3:.0f} kB a {unit[:-1]})" if number else "")
    ]
    if entry["excluded_keyframes"]:
        lines.append(f"{entry['excluded_keyframes']} excluded keyframes left out")
    dropped = entry["dropped_rows_of_unknown_classes"]
    if dropped:
        lines.append(
            f"{sum(dropped.values())} rows dropped whose class is not in the label map: "
            f"{_some(list(dropped))}"
        )
    damaged = [video_id for video_id, facts in entry["videos"].items() if "damage" in facts]
    if damaged:
        lines.append(
            f"{len(damaged)} videos break off and were read up to there: {_some(sorted(damaged))}"
        )
    lines += _notes(entry["videos"])
    skipped = entry["skipped"]
    if skipped:
        number = sum(skip["num_keyframes"] for skip in skipped)
        videos = len({skip["video_id"] for skip in skipped})
        lines.append(
            f"MISSING: {number} keyframes of {videos} videos"
            if unit == "keyframes"
            else f"MISSING: {number} videos"
        )
        lines += [
            f"  {skip['video_id']}: "
            + (f"{skip['num_keyframes']} keyframes: " if unit == "keyframes" else "")
            + skip["reason"]
            for skip in skipped[:10]
        ]
        if len(skipped) > 10:
            lines.append(f"  and {len(skipped) - 10} more: see the manifest")
    return lines


def _notes(videos: dict[str, Any]) -> list[str]:
    """What happened while videos were read; of many videos, the first."""
    noted = [
        f"  {video_id}: {note}"
        for video_id, facts in sorted(videos.items())
        for note in facts.get("notes", [])
    ]
    if not noted:
        return []
    number = sum(1 for facts in videos.values() if facts.get("notes"))
    more = [f"  and {len(noted) - 10} more: see the manifest"] if len(noted) > 10 else []
    return [f"NOTED of {number} video{'s' * (number > 1)}:", *noted[:10], *more]


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
