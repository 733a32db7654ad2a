"""Recall of proposals: of the model as it sees clips, not of raw pixels."""

import types

import measure_proposals
import numpy as np
from tiny_experiment import NUM_EVAL_CLIPS, make_eval_dataset, make_model


def test_the_overlaps_are_those_of_the_model_s_proposals(monkeypatch):
    model = make_model()
    options = types.SimpleNamespace(batch_size=2)
    made = types.SimpleNamespace(
        eval=options, make_eval_dataset=lambda size, context: make_eval_dataset(size, context)
    )
    monkeypatch.setattr(measure_proposals.experiment_builder, "build", lambda *_, **__: made)
    trained = types.SimpleNamespace(model=model, config=None)
    found = list(measure_proposals._overlaps(trained))
    expected = []
    for batch in make_eval_dataset(1, None):
        proposals = model.predict(model.preprocess(batch.clips)).proposals
        people = batch.groundtruth.boxes[0, : int(batch.groundtruth.num_boxes[0])].numpy()
        boxes = proposals.boxes[0].numpy()
        overlap = np.array([[iou(person, box) for box in boxes] for person in people])
        overlap = overlap.reshape(len(people), len(boxes))
        overlap[:, int(proposals.num_proposals[0]) :] = -1
        if len(people) and bool(batch.valid[0]):
            expected.append(overlap)
    assert 0 < len(found) == len(expected) <= NUM_EVAL_CLIPS
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def iou(one, other):
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    common = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return common / (sum(areas) - common)


def test_recall_by_hand():
    overlaps = np.array([[0.2, 0.6, 0.8], [0.5, 0.1, -1.0], [0.0, 0.0, 0.49]])
    assert measure_proposals.recalls(overlaps, [1, 3]) == {1: [1 / 3, 0.0], 3: [2 / 3, 1 / 3]}
