"""One evaluation of a model: an evaluation dataset in, detections.csv and metrics.json out."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from avatx import file_systems
from avatx.core.structures import Batch, Detections, decode_video_id
from avatx.data.annotations import ava_csv
from avatx.data.annotations.ava_table import AvaTable, keyframe_key
from avatx.data.annotations.label_map import LabelMap
from avatx.data.records import repeated_keyframes
from avatx.evaluation import coverage, report
from avatx.evaluation.diagnosis import diagnose
from avatx.evaluation.frame_map import evaluate
from avatx.evaluation.impossible_rows import impossible_rows
from avatx.evaluation.localization import evaluate_localization
from avatx.evaluation.metrics import IOU_THRESHOLDS, METRICS_SETS
from avatx.progress import Progress, first_batch
from avatx.results import print_result

METRICS_FILE = "metrics.json"
DETECTIONS_FILE = "detections.csv"


# Arrays of this machine -> those of each machine that takes part; all come to it at once.
Exchange = Callable[[Sequence[np.ndarray]], list[list[np.ndarray]]]


class Evaluated(NamedTuple):
    """What running a model over a dataset gives."""

    groundtruth: AvaTable  # the boxes of the dataset's records
    detections: AvaTable
    keyframes: list[tuple[str, float]]  # (video id, seconds) of every clip run


class TableCollector:
    """Turns batches into the columns of two `AvaTable`s."""

    def __init__(self):
        self.keyframes: list[tuple[str, float]] = []
        self._seen: set[tuple[str, float]] = set()
        self._groundtruth = _Columns()
        self._detections = _Columns()

    def add(self, batch: Batch, detections: Detections) -> None:
        """Adds the valid clips of one replica's batch; all fields are numpy arrays.

        Raises:
          UserError: a keyframe was added before.
        """
        for i in np.flatnonzero(batch.valid):
            video_id = decode_video_id(batch.keyframes.video_id[i])
            keyframe = keyframe_key(video_id, float(batch.keyframes.timestamp[i]))
            if keyframe in self._seen:
                raise repeated_keyframes.refusal(keyframe)
            self._seen.add(keyframe)
            self.keyframes.append(keyframe)
            count = int(batch.groundtruth.num_boxes[i])
            person, label = np.nonzero(batch.groundtruth.labels[i, :count])
            boxes = batch.groundtruth.boxes[i, person]
            self._groundtruth.add(keyframe, boxes, label + 1, np.full(len(person), -1))
            count = int(detections.num_detections[i])
            self._detections.add(
                keyframe,
                detections.boxes[i, :count],
                detections.classes[i, :count],
                detections.scores[i, :count],
            )

    def result(self) -> Evaluated:
        """The tables of all that was added."""
        groundtruth = self._groundtruth
        detections = self._detections
        annotated = set(groundtruth.keyframes)
        return Evaluated(
            AvaTable.from_columns(
                *groundtruth.columns(),
                person_id=groundtruth.last(),
                empty_keyframes=[k for k in self.keyframes if k not in annotated],
            ),
            AvaTable.from_columns(*detections.columns(), score=detections.last()),
            self.keyframes,
        )


class _Columns:
    def __init__(self):
        self.keyframes: list[tuple[str, float]] = []
        self._boxes, self._class_id, self._last = [], [], []

    def add(self, keyframe, boxes, class_id, last) -> None:
        self.keyframes += [keyframe] * len(boxes)
        self._boxes.append(boxes)
        self._class_id.append(class_id)
        self._last.append(last)

    def columns(self) -> tuple[list[str], list[float], np.ndarray, np.ndarray]:
        video_id = [video for video, _ in self.keyframes]
        timestamp = [seconds for _, seconds in self.keyframes]
        boxes = np.concatenate(self._boxes) if self._boxes else np.zeros([0, 4])
        return video_id, timestamp, boxes, self._concatenate(self._class_id)

    def last(self) -> np.ndarray:
        return self._concatenate(self._last)

    @staticmethod
    def _concatenate(parts) -> np.ndarray:
        return np.concatenate(parts) if parts else np.zeros([0])


def run_model(
    step,
    dataset,
    strategy: tf.distribute.Strategy,
    observe=None,
    exchange: Exchange = lambda arrays: [list(arrays)],
    progress: Progress | None = None,
) -> Evaluated:
    """Runs a model over a dataset.

    Args:
      step: `Batch` of all replicas -> `Detections` of all replicas.
      dataset: distributed, of `Batch`; ends.
      strategy: where the replicas are.
      observe: called with the `Batch` and the `Detections` of each replica; numpy arrays, but
        for the clips, which are tensors on their device.
      exchange: called once a batch where several machines share the dataset, so that each has the
        results of all; one after the other their parts are the batch.
      progress: counts keyframes.
    """
    collector = TableCollector()
    with first_batch(progress) as first_is_done:
        for batch in dataset:
            detections = step(batch)
            small = batch._replace(clips=())  # the clips themselves stay where they are
            columns = tf.nest.flatten((small, detections))
            local = [strategy.experimental_local_results(column) for column in columns]
            clips = strategy.experimental_local_results(batch.clips)
            own = []
            for replica in range(len(clips)):
                arrays = [np.asarray(column[replica]) for column in local]
                own += arrays
                if observe is not None:
                    inputs, found = tf.nest.pack_sequence_as((small, detections), arrays)
                    observe(inputs._replace(clips=clips[replica]), found)
            for arrays in exchange(own):
                for i in range(0, len(arrays), len(columns)):
                    one = arrays[i : i + len(columns)]
                    collector.add(*tf.nest.pack_sequence_as((small, detections), one))
            first_is_done()
            if progress is not None:
                progress.add(len(collector.keyframes) - progress.done)
    if progress is not None:
        progress.end()
    return collector.result()


class Scores(NamedTuple):
    """The numbers of an evaluation."""

    metrics: dict[str, Any]  # of `frame_map.evaluate`, `localization.evaluate_localization`
    findings: list[str]  # what `diagnosis.diagnose` says

    def headline(self) -> dict[str, float | None]:
        """The numbers of `METRICS_SETS` that were computed, by name."""
        names = [name for names in METRICS_SETS.values() for name in names]
        return {name: self.metrics[name] for name in names if name in self.metrics}


def score(evaluated: Evaluated, label_map: LabelMap, options) -> Scores:
    """Scores what a model found.

    Args:
      evaluated: from `run_model`.
      label_map: the classes that are scored.
      options: `avatx.training.options.EvalOptions`; its `groundtruth_path` is scored against
        where it names a file, the boxes of the records otherwise.
    """
    groundtruth, detections = evaluated.groundtruth, evaluated.detections
    if options.groundtruth_path:
        groundtruth = ava_csv.read_annotations(options.groundtruth_path)
    excluded = None
    if options.excluded_timestamps_path:
        excluded = ava_csv.read_excluded_timestamps(options.excluded_timestamps_path)
    which = {"excluded": excluded, "keyframes": evaluated.keyframes}
    rules = dict(protocol=options.protocol, **which)
    metrics = {"protocol": options.protocol}
    findings = coverage.unmatched_exclusions(excluded, groundtruth, detections, evaluated.keyframes)
    if options.groundtruth_path:
        findings += coverage.unevaluated_keyframes(
            groundtruth, options.groundtruth_path, evaluated.keyframes, excluded
        )
    if "ava_frame_map" in options.metrics_set:
        iou = options.iou_threshold
        metrics = evaluate(groundtruth, detections, label_map, iou_threshold=iou, **rules)
        if options.groundtruth_path:  # what people wrote; the rest is ours
            findings += impossible_rows(groundtruth, label_map, options.groundtruth_path)
        findings += diagnose(metrics, groundtruth, detections, label_map, **which)
    if "action_agnostic_localization" in options.metrics_set:
        metrics.update(evaluate_localization(groundtruth, detections, **rules))
    return Scores(metrics, findings)


def write_results(
    output_dir: str, evaluated: Evaluated, scores: Scores, step: int | None = None
) -> None:
    """Writes detections.csv and metrics.json, each whole or not at all.

    Args:
      output_dir: made if it is not there.
      evaluated: the detections.
      scores: the metrics.
      step: of the checkpoint, for metrics.json.
    """
    file_systems.make_folder(output_dir, "output_dir")
    path = os.path.join(output_dir, DETECTIONS_FILE)
    ava_csv.write_detections(path, evaluated.detections)
    content = {"step": step, "num_keyframes": len(evaluated.keyframes), **scores.metrics}
    report.write_json(os.path.join(output_dir, METRICS_FILE), content)


def print_results(scores: Scores, table: bool = True) -> None:
    """Prints the numbers and the findings; `table`: with a line for every class."""
    lines, notes = [], []
    if set(scores.metrics) & set(IOU_THRESHOLDS):
        lines.append(report.localization_line(scores.metrics))
    if "mAP" in scores.metrics and table:
        report.print_report(scores.metrics, scores.findings)
    elif "mAP" in scores.metrics:
        lines.append(report.summary_line(scores.metrics))
        notes = [f"note: {finding}" for finding in scores.findings]
    for line in lines:
        print_result(line)
    for note in notes:
        print(note, file=sys.stderr)
