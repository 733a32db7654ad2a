"""An evaluation's numbers by class for TensorBoard: curves of AP, who is taken for whom."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.confusion import confusion
from avatx.evaluation.evaluation_run import Evaluated
from avatx.evaluation.matching import match_detections
from avatx.evaluation.people import find_people
from avatx.evaluation.protocol import get_protocol
from avatx.pictures.charts import matrix_picture
from avatx.training.summaries import write_pictures, write_scalars


def write_class_curves(metrics: Mapping[str, Any], step: int) -> None:
    """A point of `AP/<class>` each, to TensorFlow's default summary writer.

    Args:
      metrics: of `frame_map.evaluate`, or without `per_class`: then nothing is written. A class
        without groundtruth has no curve.
      step: of the weights.
    """
    classes = metrics.get("per_class", {}).values()
    curves = {f"AP/{one['name']}": one["ap"] for one in classes if one["ap"] is not None}
    write_scalars(curves, step)


def write_confusion(
    evaluated: Evaluated, label_map: LabelMap, protocol: str, iou_threshold: float, step: int
) -> None:
    """The picture `confusion`, over the boxes of the records; none where nobody was found."""
    matched = match_detections(
        evaluated.groundtruth,
        evaluated.detections,
        label_map,
        get_protocol(protocol),
        iou_threshold,
        keyframes=evaluated.keyframes,
    )
    people = find_people(matched, evaluated.groundtruth, label_map)
    picture = confusion_picture(
        confusion(matched, people, evaluated.detections, label_map, iou_threshold), label_map
    )
    if picture is not None:
        write_pictures({"confusion": picture}, step)


def confusion_picture(content: Mapping[str, Any], label_map: LabelMap) -> np.ndarray | None:
    """[H, W, 3] uint8 of `avatx.evaluation.confusion.confusion`; None where nobody was found."""
    rows = [i for i, row in enumerate(content["matrix"]) if row is not None]
    if not rows:
        return None
    names = [label_map.names[content["class_ids"][i]] for i in rows]
    columns = [len(content["class_ids"]), *rows]
    shares = [[content["matrix"][i][j] for j in columns] for i in rows]
    return matrix_picture(names, ["nothing", *names], shares, "does", "taken for (percent)")
