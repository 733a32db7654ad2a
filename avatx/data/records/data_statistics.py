"""How much there is in a set of records of either kind, found without decoding a frame."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from avatx.data.records import record, remote_files
from avatx.data.records.input_errors import explained
from avatx.data.records.manifest import NAME as MANIFEST
from avatx.data.records.manifest import read_manifest
from avatx.data.records.scanning import SCANNED_BYTES, takes_seconds
from avatx.data.video import reading_event
from avatx.data.video.missing_frames import MissingFrames
from avatx.errors import UserError

# What is counted -> where the manifest says how many of it a file holds.
_FIELDS = {"keyframes": "keyframes", "videos": "records"}


@dataclasses.dataclass(frozen=True)
class DataStatistics:
    """Numbers of one set of records; None where finding out would mean reading it all.

    Attributes:
      unit: what is counted: "keyframes", or "videos" that are labelled as a whole.
      num_files: files of records.
      num_examples: keyframes or videos.
      labels_of_class: class id -> rows or videos, classes without any left out.
      num_keyframes_without_people: of keyframes only.
      num_boxes: of keyframes only: people.
      num_repeated: of keyframes only: those that were there before in the set.
      missing: frames of clips that no frame of the video is near to; None where nobody looked.
      holed_videos: where nobody looked, the videos whose frames are not all there by the manifest.
    """

    unit: str
    num_files: int
    num_examples: int | None = None
    labels_of_class: dict[int, int] | None = None
    num_keyframes_without_people: int | None = None
    num_boxes: int | None = None
    num_repeated: int = 0
    missing: MissingFrames | None = None
    holed_videos: tuple[str, ...] = ()

    def _holes(self, name: str) -> tuple[tuple[str, str], ...]:
        if not self.holed_videos:
            return ()
        number = len(self.holed_videos)
        return (
            (
                f"{name} frames",
                f"{number} video{'s' * (number > 1)} of which some frames are not there, see "
                f"{MANIFEST}: "
                + ", ".join(self.holed_videos[:5])
                + (", ..." if number > 5 else ""),
            ),
        )

    def lines(
        self, name: str, class_names: dict[int, str] | None = None
    ) -> tuple[tuple[str, str], ...]:
        """(heading, text) pairs for the print at the start."""
        if self.num_examples is None:
            return ((name, f"{self.num_files} files (no {MANIFEST} beside them to count from)"),)
        text = f"{self.num_examples:,} {self.unit} in {self.num_files} files"
        if self.labels_of_class is None:
            return ((name, text), *self._holes(name))
        if self.unit == "keyframes":
            text += (
                f", {self.num_keyframes_without_people:,} without people; {self.num_boxes:,} "
                f"people, {sum(self.labels_of_class.values()):,} labels"
            )
        text += f" of {len(self.labels_of_class)} classes"
        most = sorted(self.labels_of_class.items(), key=lambda item: -item[1])
        classes = ", ".join(
            f"{(class_names or {}).get(class_id, class_id)} {count:,}" for class_id, count in most
        )
        lines = [(name, text), (f"{name} labels", classes)]
        if self.num_repeated:
            lines.append(
                (
                    f"{name} repeats",
                    f"{self.num_repeated:,} keyframes are there more than once: are these records "
                    "of two writings, in one folder?",
                )
            )
        if self.missing is None or not self.missing.number:
            return tuple(lines)
        return *lines, (f"{name} frames", self.missing.in_words())


def _holed_by_manifest(files: Sequence[str]) -> tuple[str, ...]:
    """Ids of videos of which a manifest beside the files notes that frames are absent or lost."""
    holed = set()
    for folder in {os.path.dirname(path) for path in files}:
        names = {os.path.basename(path) for path in files if os.path.dirname(path) == folder}
        for entry in read_manifest(folder)["records"].values():
            if not {shard["shard"] for shard in entry["shards"]} & names:
                continue
            for video_id, facts in entry.get("videos", {}).items():
                kinds = {event[0] for event in facts.get("events", [])}
                if kinds & {reading_event.HOLES, reading_event.DAMAGED}:
                    holed.add(video_id)
    return tuple(sorted(holed))


def describe(
    input_paths: Sequence[str],
    unit: str,
    scanned_bytes: int = SCANNED_BYTES,
    clip: tuple[int, float] | None = None,
) -> DataStatistics:
    """Counts the records of `input_paths`.

    Sets up to `scanned_bytes` are read through; of larger ones, and of remote ones, only the
    number of examples is known, from the manifest.json beside the files.

    Args:
      input_paths: file patterns.
      unit: "keyframes", or "videos" for records of labelled videos.
      scanned_bytes: sets of so many bytes are read through.
      clip: (frames, frames a second) of a clip, to count frames that are missing.

    Raises:
      UserError: no file matches, or what was read is no record.
    """
    files = remote_files.match_files(input_paths)
    if takes_seconds(files, scanned_bytes):
        return _scan(files, unit, clip)
    counts = counts_by_manifest(files, unit)
    if counts is None:
        return DataStatistics(unit, len(files))
    return DataStatistics(unit, len(files), sum(counts), holed_videos=_holed_by_manifest(files))


def count_videos(files: Sequence[str]) -> list[int]:
    """Labelled videos in each file: of the manifests beside them, else by reading them through.

    Raises:
      UserError: a file is corrupt.
    """
    counts = counts_by_manifest(files, "videos")
    if counts is not None:
        return counts
    with explained(files):
        return [sum(1 for _ in tf.data.TFRecordDataset(path)) for path in files]


def counts_by_manifest(files: Sequence[str], unit: str) -> list[int] | None:
    """How many of `unit` each file holds by the manifests; None unless all are in there."""
    field = _FIELDS[unit]
    manifests: dict[str, dict[tuple[str, int], int]] = {}
    counts = []
    for path in files:
        folder, name = os.path.split(path)
        if remote_files.scheme(path) in ("http", "https"):
            return None
        if folder not in manifests:
            try:
                entries = read_manifest(folder)["records"].values()
                # The size too: a file made anew by something else is not what was counted.
                manifests[folder] = {
                    (shard["shard"], shard["bytes"]): shard[field]
                    for entry in entries
                    for shard in entry["shards"]
                }
            except (UserError, KeyError, TypeError, AttributeError):
                return None  # nobody is obliged to have a manifest
        size = tf.io.gfile.stat(path).length
        found = manifests[folder].get(
            (os.path.splitext(name)[0], size), manifests[folder].get((name, size))
        )
        if found is None:
            return None
        counts.append(found)
    return counts


def _scan(files: list[str], unit: str, clip: tuple[int, float] | None) -> DataStatistics:
    labels: dict[int, int] = {}
    frames = MissingFrames(*clip) if clip else None

    def count(class_ids: np.ndarray) -> None:
        for class_id, rows in zip(*np.unique(class_ids, return_counts=True), strict=True):
            labels[int(class_id)] = labels.get(int(class_id), 0) + int(rows)

    with explained(files):
        if unit == "videos":
            examples = 0
            for class_id, video_id, timestamps in _parsed(files, _labelled):
                examples += 1
                count(np.array([class_id]))
                if frames:
                    frames.add_video(video_id.decode(errors="replace"), timestamps)
            found = DataStatistics(unit, len(files), examples, labels)
        else:
            keyframes = empty = boxes = 0
            seen: set[tuple[bytes, int]] = set()
            for class_ids, people, lengths, video_id, *times in _parsed(files, _rows):
                keyframes += len(lengths)
                seen.update((video_id, int(time)) for time in times[1])
                empty += int((lengths == 0).sum())
                owner = np.repeat(np.arange(len(lengths)), lengths)[:, np.newaxis]
                boxes += len(np.unique(np.concatenate([owner, people], axis=1), axis=0))
                count(class_ids)
                if frames:
                    frames.add_segment(video_id.decode(errors="replace"), *times)
            found = DataStatistics(
                unit, len(files), keyframes, labels, empty, boxes, keyframes - len(seen)
            )
    return dataclasses.replace(found, missing=frames)


def _parsed(files: list[str], parse: Callable[[tf.Tensor], Any]) -> Iterator:
    """What `parse`, in a graph, makes of every record of the files."""
    return tf.data.TFRecordDataset(files).map(parse).as_numpy_iterator()


def _labelled(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Of a labelled video: its class id, its own id, times of its frames [F]."""
    video = record.parse_labelled_video(serialized)
    return video.class_id, video.video_id, video.timestamps


def _rows(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Of a segment: class ids [R], boxes with person ids [R, 5], rows of each keyframe [K], its
    video's id, times of frames [F] and of keyframes [K], and the video's frames a second."""
    segment = record.parse(serialized)
    people = tf.concat(
        [
            segment.boxes.flat_values,
            tf.cast(segment.person_ids.flat_values[:, tf.newaxis], tf.float32),
        ],
        axis=1,
    )
    return (
        segment.class_ids.flat_values,
        people,
        segment.boxes.row_lengths(),
        segment.video_id,
        segment.timestamps,
        segment.keyframe_timestamps,
        segment.frame_rate,
    )
