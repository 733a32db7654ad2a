"""Made-up groundtruth and detections of any number of videos."""

import pathlib

import numpy as np

from avatx.data.annotations.ava_csv import write_annotations, write_detections
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap, write_label_map

KEYFRAMES_A_VIDEO = 897
LABEL_MAP = LabelMap({i: f"class {i}" for i in range(1, 61)})


def make_tables(keyframes: int, detections_a_person: int = 50) -> tuple[AvaTable, AvaTable]:
    """Random people with two labels each, and detections of many classes on and beside them.

    A tenth of the detections have a label of their person: of a mAP near 0 the evaluation goes on
    to look for the cause, which no good file costs.

    Args:
      keyframes: how many; a video has `KEYFRAMES_A_VIDEO`.
      detections_a_person: rows, half of them of each of two boxes.
    """
    rng = np.random.default_rng(0)
    people = rng.integers(1, 4, keyframes)
    keyframe = np.repeat(np.arange(keyframes), people)
    corner = rng.random((len(keyframe), 2)) * 0.5
    boxes = np.concatenate([corner, corner + 0.1 + rng.random(corner.shape) * 0.4], axis=1)

    labels = rng.integers(1, 61, (len(boxes), 2))

    def table(person, shift, class_id, **last):
        at = keyframe[person]
        return AvaTable.from_columns(
            [f"video_{i:04d}" for i in (at // KEYFRAMES_A_VIDEO).tolist()],
            902.0 + at % KEYFRAMES_A_VIDEO,
            np.round(np.clip(boxes[person] + shift, 0, 1), 3),
            class_id,
            **last,
        )

    labelled = np.repeat(np.arange(len(boxes)), 2)
    detected = np.repeat(np.arange(len(boxes)), detections_a_person)
    each = detections_a_person // 2
    shift = np.repeat(rng.normal(0, 0.04, (len(detected) // each, 4)), each, axis=0)
    # No two alike (up to ten million), for a file's order among equals is nobody's rule.
    score = np.round((rng.permutation(len(detected)) + 1) / (len(detected) + 1), 7)
    class_id = rng.integers(1, 61, len(detected))
    right = np.flatnonzero(rng.random(len(detected)) < 0.1)
    class_id[right] = labels[detected[right], rng.integers(0, 2, len(right))]
    return (
        table(labelled, 0.0, labels.reshape(-1)),
        table(detected, shift, class_id, score=score),
    )


def write_files(directory: str, keyframes: int) -> list[str]:
    """`make_tables` as files: groundtruth, detections, label map."""
    paths = [str(pathlib.Path(directory, name)) for name in ("gt.csv", "det.csv", "map.pbtxt")]
    groundtruth, detections = make_tables(keyframes)
    write_annotations(paths[0], groundtruth)
    write_detections(paths[1], detections)
    write_label_map(paths[2], LABEL_MAP)
    return paths
