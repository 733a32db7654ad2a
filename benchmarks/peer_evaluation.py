"""The official evaluator's matching and averaging on two csv files, as a process of its own.

    python benchmarks/peer_evaluation.py OFFICIAL groundtruth.csv detections.csv map.pbtxt out.json

OFFICIAL is the folder `mmaction/core/evaluation` of the wheel of mmaction2 0.24.1, which carries
ActivityNet's Evaluation/ava (Apache 2.0) for Python 3; nothing of it is in this project. Files are
read row by row and the 50 best rows of a keyframe kept, as ActivityNet's get_ava_performance.py
does; that script's rules are those of docs/evaluation.md. Needs numpy alone.
"""

import collections
import csv
import heapq
import json
import re
import sys

import numpy as np

MAX_ROWS_A_KEYFRAME = 50


def main(official: str, groundtruth: str, detections: str, label_map: str, output: str) -> None:
    # Names of numpy until 1.23, which the wheel uses.
    for name, kind in (("float", float), ("bool", bool), ("int", int)):
        setattr(np, name, kind)
    sys.path.insert(0, official)
    from ava_evaluation import object_detection_evaluation, standard_fields

    with open(label_map) as file:
        class_ids = [int(found) for found in re.findall(r"\bid:\s*(\d+)", file.read())]
    evaluator = object_detection_evaluation.PascalDetectionEvaluator(
        [{"id": class_id, "name": str(class_id)} for class_id in class_ids]
    )
    truth, found = standard_fields.InputDataFields, standard_fields.DetectionResultFields
    included = _read(groundtruth, set(class_ids), None)
    for key, rows in included.items():
        boxes, labels, _ = _columns(rows)
        evaluator.add_single_ground_truth_image_info(
            key, {truth.groundtruth_boxes: boxes, truth.groundtruth_classes: labels}
        )
    for key, rows in _read(detections, set(class_ids), MAX_ROWS_A_KEYFRAME).items():
        if key not in included:
            continue
        boxes, labels, scores = _columns(rows)
        evaluator.add_single_detected_image_info(
            key,
            {
                found.detection_boxes: boxes,
                found.detection_classes: labels,
                found.detection_scores: scores,
            },
        )
    metrics = evaluator.evaluate()
    by_class = {
        name.rsplit("/", 1)[1]: None if np.isnan(value) else float(value)
        for name, value in metrics.items()
        if "ByCategory" in name
    }
    with open(output, "w") as file:
        json.dump({"per_class": by_class}, file)


def _read(path: str, class_ids: set[int], most: int | None) -> dict[str, list[tuple]]:
    """By keyframe its rows (score, class, ymin, xmin, ymax, xmax), best first."""
    entries: dict[str, list[tuple]] = collections.defaultdict(list)
    with open(path, newline="") as file:
        for row in csv.reader(file):
            entry = entries[f"{row[0]},{float(row[1]):.6f}"]
            if int(row[6]) not in class_ids:
                continue
            xmin, ymin, xmax, ymax = map(float, row[2:6])
            score = float(row[7]) if len(row) == 8 else 1.0
            one = (score, int(row[6]), ymin, xmin, ymax, xmax)
            if most is None or len(entry) < most:
                heapq.heappush(entry, one)
            elif score > entry[0][0]:
                heapq.heapreplace(entry, one)
    return {key: sorted(rows, key=lambda row: -row[0]) for key, rows in entries.items()}


def _columns(rows: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    boxes = np.array([row[2:] for row in rows], float).reshape(-1, 4)
    return boxes, np.array([row[1] for row in rows], int), np.array([row[0] for row in rows])


if __name__ == "__main__":
    main(*sys.argv[1:])
