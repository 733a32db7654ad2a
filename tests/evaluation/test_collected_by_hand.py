"""What is collected of batches: ids, boxes and keyframes of valid clips, and what is written."""

import json

import numpy as np
import pytest
from default_options import default

from avatx.core.structures import VIDEO_ID_BYTES, Batch, Detections, Groundtruth, Keyframes
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation import evaluation_run
from avatx.training.options import EvalOptions

NAMES = LabelMap({1: "sit", 3: "walk"})
ONE, TWO, NONE = [0.1, 0.2, 0.5, 0.6], [0.3, 0.1, 0.9, 0.4], [0.0] * 4


def video_id(name):
    padded = name.encode().ljust(VIDEO_ID_BYTES, b"\0")
    return np.frombuffer(padded, np.uint8)


@pytest.fixture
def collected():
    """Two clips and a filler: two people and three labels; nobody."""
    batch = Batch(
        clips=(),
        groundtruth=Groundtruth(
            boxes=np.float32([[ONE, TWO, NONE], [NONE] * 3, [ONE, ONE, ONE]]),
            labels=np.float32([[[1, 0, 1], [0, 0, 1], [0, 0, 0]], [[0] * 3] * 3, [[1] * 3] * 3]),
            num_boxes=np.array([2, 0, 3]),
            sampling_seed=np.zeros([3, 2], np.int32),
        ),
        keyframes=Keyframes(
            video_id=np.stack([video_id(name) for name in ("a", "b", "a")]),
            timestamp=np.array([902.5, 7.0, 902.5]),
        ),
        valid=np.array([True, True, False]),
    )
    detections = Detections(
        boxes=np.float32([[TWO, ONE], [ONE, TWO], [ONE, ONE]]),
        classes=np.array([[3, 1], [1, 1], [1, 1]], np.int32),
        scores=np.float32([[0.75, 0.25], [0.5, 0.125], [0.9, 0.9]]),
        multiclass_scores=np.zeros([3, 2, 3], np.float32),
        proposal_index=np.zeros([3, 2], np.int32),
        num_detections=np.array([2, 1, 2]),
    )
    collector = evaluation_run.TableCollector()
    collector.add(batch, detections)
    return collector.result()


def test_groundtruth_has_a_row_a_label(collected):
    table = collected.groundtruth
    assert table.video_id.tolist() == ["a", "a", "a"]
    assert table.timestamp.tolist() == [902.5] * 3
    np.testing.assert_allclose(table.boxes, [ONE, ONE, TWO], atol=1e-6)
    assert table.class_id.tolist() == [1, 3, 3]
    assert table.person_id.tolist() == [-1, -1, -1]
    assert table.empty_keyframes == [("b", 7.0)]


def test_detections_without_padding(collected):
    table = collected.detections
    assert list(zip(table.video_id, table.timestamp, strict=True)) == [
        ("a", 902.5),
        ("a", 902.5),
        ("b", 7.0),
    ]
    np.testing.assert_allclose(table.boxes, [TWO, ONE, ONE], atol=1e-6)
    assert table.class_id.tolist() == [3, 1, 1]
    assert table.score.tolist() == [0.75, 0.25, 0.5]
    assert collected.keyframes == [("a", 902.5), ("b", 7.0)]


def test_what_is_written(collected, tmp_path):
    scores = evaluation_run.score(collected, NAMES, default(EvalOptions))
    evaluation_run.write_results(str(tmp_path / "new"), collected, scores, step=70)
    metrics = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert (metrics["step"], metrics["num_keyframes"]) == (70, 2)
    # Class 1 is found below a false one on the empty keyframe; class 3 once of two.
    assert metrics["per_class"]["1"]["ap"] == 0.5 and metrics["per_class"]["3"]["ap"] == 0.5
    lines = (tmp_path / "new" / "detections.csv").read_text().splitlines()
    assert [line.split(",")[:2] + line.split(",")[6:] for line in lines] == [
        ["a", "902.5", "3", "0.75"],
        ["a", "902.5", "1", "0.25"],
        ["b", "0007", "1", "0.5"],
    ]
    assert [float(part) for part in lines[0].split(",")[2:6]] == pytest.approx([0.1, 0.3, 0.4, 0.9])


def test_nothing_collected():
    result = evaluation_run.TableCollector().result()
    assert len(result.groundtruth) == len(result.detections) == 0 and result.keyframes == []


def test_a_keyframe_that_is_there_twice_is_named():
    def batch(*seconds):
        count = len(seconds)
        names = np.stack([video_id("a")] * count)
        groundtruth = Groundtruth(
            np.zeros([count, 1, 4], np.float32), np.zeros([count, 1, 3]), np.zeros(count, int), ()
        )
        valid = np.array([one is not None for one in seconds])
        times = np.array([one or 0.0 for one in seconds])
        return Batch((), groundtruth, Keyframes(names, times), valid)

    def found(number):
        columns = (np.zeros([number, 1, *more]) for more in ([4], [], [], [3], []))
        return Detections(*columns, num_detections=np.zeros(number, int))

    collector = evaluation_run.TableCollector()
    collector.add(batch(1.0, 2.0), found(2))
    collector.add(batch(3.0, None, None), found(3))  # a batch is filled up
    with pytest.raises(UserError, match="^keyframe a,0002 is there twice .* input_path"):
        collector.add(batch(4.0, 2.0), found(2))
