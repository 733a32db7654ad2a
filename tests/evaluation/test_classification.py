"""Top-1 and top-5 over whole videos, against a plain computation."""

import numpy as np
import pytest

from avatx.evaluation.classification import VideoScores

VIDEOS, VIEWS, CLASSES = 12, 6, 9
NAMES = {i + 1: f"class {i + 1}" for i in range(CLASSES)}


@pytest.fixture
def views():
    """scores [VIDEOS, VIEWS, CLASSES] whose rows sum to 1, labels [VIDEOS]."""
    noise = np.random.default_rng(0)
    labels = noise.integers(0, CLASSES - 1, VIDEOS)  # the last class has no video
    logits = noise.normal(size=[VIDEOS, VIEWS, CLASSES])
    logits[np.arange(VIDEOS), :, labels] += 0.2
    scores = np.exp(logits)
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32), labels


def collect(views, order, batch_size=5, padding=0):
    scores, labels = views
    collected = VideoScores()
    order = list(order) + [order[0]] * padding
    valid = [True] * (len(order) - padding) + [False] * padding
    for begin in range(0, len(order), batch_size):
        part = order[begin : begin + batch_size]
        video, view = np.array(part).T
        collected.add(
            scores[video, view], labels[video], video, view, valid[begin : begin + batch_size]
        )
    return collected


def every_view():
    return [(video, view) for video in range(VIDEOS) for view in range(VIEWS)]


def test_equals_the_plain_computation(views):
    scores, labels = views
    metrics = collect(views, every_view()).metrics(NAMES)
    means = scores.astype(float).mean(axis=1)
    best = np.argsort(-means, axis=1)
    right = {k: (best[:, :k] == labels[:, None]).any(axis=1) for k in (1, 5)}
    assert metrics["top_1"] == right[1].mean() and metrics["top_5"] == right[5].mean()
    assert 0 < metrics["top_1"] < metrics["top_5"] < 1  # the example separates them
    assert (metrics["num_videos"], metrics["num_views"]) == (VIDEOS, VIDEOS * VIEWS)
    for class_id, one in metrics["per_class"].items():
        of_class = labels == int(class_id) - 1
        assert one["num_videos"] == of_class.sum()
        assert one["top_1"] == (right[1][of_class].mean() if of_class.any() else None)
    accuracies = [one["top_1"] for one in metrics["per_class"].values() if one["num_videos"]]
    assert metrics["mean_class_accuracy"] == pytest.approx(np.mean(accuracies))
    # A single view says less than all of them.
    alone = collect(views, [(video, 0) for video in range(VIDEOS)]).metrics(NAMES)
    assert alone["top_1"] != metrics["top_1"]


@pytest.mark.parametrize("batch_size, padding, seed", [(1, 0, 1), (7, 6, 2), (72, 3, 3)])
def test_order_batches_padding_and_repetition_change_nothing(views, batch_size, padding, seed):
    expected = collect(views, every_view()).metrics(NAMES)
    order = np.random.default_rng(seed).permutation(every_view()).tolist()
    order = [tuple(one) for one in order] + [(0, 0)]  # one view twice
    assert collect(views, order, batch_size, padding).metrics(NAMES) == expected


def test_a_class_without_a_name_counts_like_any_other(views):
    metrics = collect(views, every_view()).metrics(NAMES)
    first = min(class_id for class_id, one in metrics["per_class"].items() if one["num_videos"])
    fewer = {class_id: name for class_id, name in NAMES.items() if str(class_id) != first}
    found = collect(views, every_view()).metrics(fewer)
    assert found["per_class"][first] == {**metrics["per_class"][first], "name": ""}
    assert found["mean_class_accuracy"] == pytest.approx(metrics["mean_class_accuracy"])


def test_equal_scores_and_no_numbers_are_no_hits():
    collected = VideoScores()
    scores = np.array([[0.5, 0.5], [0.5, 0.5], [np.nan, np.nan]])
    collected.add(scores, [0, 1, 0], [0, 1, 2], [0, 0, 0], [True] * 3)
    assert collected.ranks() == {0: 0, 1: 1, 2: 2}


def test_scores_are_the_mean_of_the_views_there_are():
    collected = VideoScores()
    scores = np.array([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5]])
    collected.add(scores, [0, 0, 1], [3, 3, 8], [2, 5, 4], [True] * 3)
    means = collected.mean_scores()
    assert {video: mean.tolist() for video, mean in means.items()} == {3: [0.5, 0.5], 8: [0.5, 0.5]}


def test_no_video():
    metrics = VideoScores().metrics(NAMES)
    assert metrics["top_1"] is None and metrics["num_videos"] == 0
