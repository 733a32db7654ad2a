"""How much there is in a set of records, found without decoding a frame."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from avatx.data.records import record, remote_files
from avatx.data.records.input_errors import explained
from avatx.data.records.manifest import NAME as MANIFEST
from avatx.data.records.manifest import read_manifest
from avatx.errors import UserError

SCANNED_BYTES = 1_000_000_000  # more than this is not read through just to be counted


@dataclasses.dataclass(frozen=True)
class DataStatistics:
    """Numbers of one set of records; None where finding out would mean reading it all.

    Attributes:
      labels_of_class: class id -> rows, classes without a row left out.
    """

    num_files: int
    num_keyframes: int | None = None
    num_keyframes_without_people: int | None = None
    num_boxes: int | None = None
    labels_of_class: dict[int, int] | None = None

    def lines(
        self, name: str, class_names: dict[int, str] | None = None
    ) -> tuple[tuple[str, str], ...]:
        """(heading, text) pairs for the print at the start."""
        if self.num_keyframes is None:
            return ((name, f"{self.num_files} files (no {MANIFEST} beside them to count from)"),)
        text = f"{self.num_keyframes:,} keyframes in {self.num_files} files"
        if self.labels_of_class is None:
            return ((name, text),)
        text += (
            f", {self.num_keyframes_without_people:,} without people; {self.num_boxes:,} "
            f"people, {sum(self.labels_of_class.values()):,} labels of "
            f"{len(self.labels_of_class)} classes"
        )
        most = sorted(self.labels_of_class.items(), key=lambda item: -item[1])
        classes = ", ".join(
            f"{(class_names or {}).get(class_id, class_id)} {count:,}" for class_id, count in most
        )
        return (name, text), (f"{name} labels", classes)


def describe(input_paths: Sequence[str], scanned_bytes: int = SCANNED_BYTES) -> DataStatistics:
    """Counts the records of `input_paths` (file patterns).

    Sets up to `scanned_bytes` are read through; of larger ones, and of remote ones, only the
    number of keyframes is known, from the manifest.json beside the files.

    Raises:
      UserError: no file matches, or what was read is no record.
    """
    files = remote_files.match_files(input_paths)
    if (
        all(not remote_files.scheme(path) for path in files)
        and sum(tf.io.gfile.stat(path).length for path in files) <= scanned_bytes
    ):
        return _scan(files)
    return DataStatistics(len(files), count_by_manifest(files))


def count_by_manifest(files: Sequence[str]) -> int | None:
    """Keyframes in `files` as the manifests beside them say; None unless all are in there."""
    counts = counts_by_manifest(files, "keyframes")
    return None if counts is None else sum(counts)


def counts_by_manifest(files: Sequence[str], what: str) -> list[int] | None:
    """ "keyframes" or "records" of each file by the manifests; None unless all are in there."""
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
                    (shard["shard"], shard["bytes"]): shard[what]
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


def _scan(files: list[str]) -> DataStatistics:
    def count(serialized):
        segment = record.parse(serialized)
        people = segment.boxes.with_flat_values(
            tf.concat(
                [
                    segment.boxes.flat_values,
                    tf.cast(segment.person_ids.flat_values[:, tf.newaxis], tf.float32),
                ],
                axis=1,
            )
        )
        return segment.class_ids.flat_values, people.flat_values, people.row_lengths()

    keyframes = empty = boxes = 0
    labels: dict[int, int] = {}
    with explained(files):
        for class_ids, people, lengths in (
            tf.data.TFRecordDataset(files).map(count).as_numpy_iterator()
        ):
            keyframes += len(lengths)
            empty += int((lengths == 0).sum())
            owner = np.repeat(np.arange(len(lengths)), lengths)[:, np.newaxis]
            boxes += len(np.unique(np.concatenate([owner, people], axis=1), axis=0))
            for class_id, rows in zip(*np.unique(class_ids, return_counts=True), strict=True):
                labels[int(class_id)] = labels.get(int(class_id), 0) + int(rows)
    return DataStatistics(len(files), keyframes, empty, boxes, labels)
