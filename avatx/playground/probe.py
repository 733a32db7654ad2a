"""How far a linear classifier gets from a person's own crop.

Features are the crop (the keyframe's box) at the keyframe in grey, the strength of its edges in
four directions, and how much each of its pixels changes over the clip around it; a ridge
regression, whose strength is chosen on a tenth of the training videos, is fitted to each
class. Videos are rendered in memory, without a codec. Two more rows say what position adds
(the box's coordinates) and what the script knows of the person that pixels might not show.
"""

from typing import NamedTuple

import numpy as np

from avatx.playground import classes, dataset, labels, scene

_SIDE = 32  # the crop is resized to _SIDE x _SIDE
_CLIP_FRAMES = tuple(range(-20, 21, 4))  # about the keyframe: 0.8 s to either side
_STRENGTHS = (1e1, 1e2, 1e3, 1e4)


class Examples(NamedTuple):
    """N labelled people.

    crops [N, F] float32, boxes [N, 4] float32 yxyx, script [N, S] float32: three sets of
    features. targets [N, C] bool and eligible [N, C] bool, C as in `classes.NAMES`: the label,
    and whether what the person does allows it (all True for classes that are not context's).
    videos [N] int: which video.
    """

    crops: np.ndarray
    boxes: np.ndarray
    script: np.ndarray
    targets: np.ndarray
    eligible: np.ndarray
    videos: np.ndarray


def collect_examples(split: str, num_videos: int, seed: int) -> Examples:
    """All labelled people of the videos that `generate` would write."""
    from avatx.playground.rendering import SceneRenderer
    from avatx.playground.script import sample_scene

    columns: list[list[object]] = [[] for _ in Examples._fields]
    for index in range(num_videos):
        renderer = SceneRenderer(sample_scene(dataset.video_seed(seed, split, index)))
        people = {person.person_id: person for person in renderer.scene.people}
        for time in scene.KEYFRAME_TIMES:
            labelled = dataset.annotate(renderer, time)
            if not labelled:
                continue
            middle = round(time * scene.FRAME_RATE)
            frames = [
                renderer.frame(int(np.clip(middle + step, 0, renderer.num_frames - 1)))
                for step in _CLIP_FRAMES
            ]
            for one in labelled:
                person = people[one.person_id]
                row = (
                    _crop_features(frames, one.box),
                    one.box,
                    _script_features(person, time),
                    [class_id in one.class_ids for class_id in classes.NAMES],
                    [
                        class_id not in classes.CONTEXT_CLASSES
                        or labels.is_eligible(person, class_id, time)
                        for class_id in classes.NAMES
                    ],
                    index,
                )
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
    arrays = [np.array(column) for column in columns]
    return Examples(*(a.astype(np.float32) for a in arrays[:3]), *arrays[3:])


def _crop_features(frames, box) -> np.ndarray:
    import cv2

    size = (scene.FRAME_HEIGHT, scene.FRAME_WIDTH) * 2
    top, left, bottom, right = (int(round(c * s)) for c, s in zip(box, size, strict=True))
    crops = np.stack(
        [
            cv2.resize(
                cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_RGB2GRAY),
                (_SIDE, _SIDE),
                interpolation=cv2.INTER_AREA,
            )
            for frame in frames
        ]
    ).astype(np.float32)
    grey = crops[len(frames) // 2]
    grey = (grey - grey.mean()) / (grey.std() + 1)
    dy, dx = np.gradient(grey)
    strength, direction = np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi
    edges = [
        cv2.resize(
            strength * (np.abs(direction - middle) < np.pi / 8),
            (16, 16),
            interpolation=cv2.INTER_AREA,
        )
        for middle in np.pi * np.array([1, 3, 5, 7]) / 8
    ]
    change = crops.std(0) / (crops.std() + 1)
    return np.concatenate([part.ravel() for part in (grey, *edges, change)])


def _script_features(person, time) -> np.ndarray:
    """What the person does, holds, wears and how large it is, and products of pairs of these."""
    act, look = person.act_at(time), person.look
    poses, activities = ("stand", "walk", "sit", "bend"), ("idle", "speak", "wave", "read", "phone")
    plain = np.array(
        [act.pose == pose for pose in poses]
        + [act.activity == activity for activity in activities]
        + [act.held == held for held in (None, "box", "bag")]
        + [person.facing_at(time) == side for side in (-1, 0, 1)]
        + [look.height / 100, look.build, look.tempo, look.long_sleeves, look.long_hair, look.hat]
        + [channel / 255 for channel in (*look.shirt, *look.trousers)],
        np.float64,
    )
    return np.concatenate([plain, np.outer(plain, plain)[np.triu_indices(len(plain))]])


def ridge_scores(train_features, train_targets, features, groups) -> np.ndarray:
    """Scores [N, C] of a ridge regression to each column of `train_targets` [M, C].

    The strength is the one with the least squared error on a tenth of `groups` [M].
    """
    mean, deviation = train_features.mean(0), train_features.std(0) + 1e-3
    train = (train_features - mean) / deviation
    test = (features - mean) / deviation
    targets = train_targets - train_targets.mean(0)
    held_out = groups % 10 == 0
    errors = [
        np.square(
            _ridge(train[~held_out], targets[~held_out], strength, train[held_out])
            - targets[held_out]
        ).mean()
        for strength in _STRENGTHS
    ]
    return _ridge(train, targets, _STRENGTHS[int(np.argmin(errors))], test)


def _ridge(train, targets, strength, test):
    gram = train.T @ train + strength * np.eye(train.shape[1], dtype=train.dtype)
    return test @ np.linalg.solve(gram, train.T @ targets.astype(train.dtype))


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mean precision at the positives; NaN without any."""
    ranked = positive[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean()) if ranked.any() else float("nan")


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative (ROC); NaN without one of them."""
    if positive.all() or not positive.any():
        return float("nan")
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    num_positive = positive.sum()
    excess = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(excess / (num_positive * (len(scores) - num_positive)))


def probe(train: Examples, val: Examples) -> dict[int, dict[str, float]]:
    """Per class id: `prior` and `ap` over all people; for context classes also, among those
    people whose own doing allows the class, `eligible_prior` and, each from a probe trained
    among them only, `eligible_ap` and the ROC areas `auc_crop`, `auc_crop_and_box`, `auc_script`.
    """
    scores = ridge_scores(train.crops, train.targets, val.crops, train.videos)
    results = {}
    for column, class_id in enumerate(classes.NAMES):
        positive = val.targets[:, column]
        result = {
            "prior": float(positive.mean()),
            "ap": average_precision(scores[:, column], positive),
        }
        if class_id in classes.CONTEXT_CLASSES:
            result.update(_probe_eligible(train, val, column))
        results[class_id] = result
    return results


def probe_script(num_videos: int, seed: int) -> dict[int, dict[str, float]]:
    """What the generator's own knowledge of a person tells, on many videos that are not painted.

    Per context class id, among eligible people of `num_videos` train and as many val videos:
    `eligible_prior`, and ROC areas `auc_script` (pose, activity, thing held, side faced, size,
    clothes) and `auc_position` (place in the frame, with the side faced).
    """
    train, val = (_collect_script(split, num_videos, seed) for split in dataset.SPLITS)
    results = {}
    for class_id in classes.CONTEXT_CLASSES:
        script, position, targets, videos = train[class_id]
        val_script, val_position, positive, _ = val[class_id]
        results[class_id] = {"eligible_prior": float(positive.mean())}
        for name, fit, test in (
            ("auc_script", script, val_script),
            ("auc_position", position, val_position),
        ):
            scores = ridge_scores(fit, targets[:, None].astype(float), test, videos)[:, 0]
            results[class_id][name] = area_under_curve(scores, positive)
    return results


def _collect_script(split, num_videos, seed):
    from avatx.playground.script import sample_scene

    rows: dict[int, list[tuple[np.ndarray, list[float], bool, int]]] = {
        class_id: [] for class_id in classes.CONTEXT_CLASSES
    }
    for index in range(num_videos):
        a_scene = sample_scene(dataset.video_seed(seed, split, index))
        for time in scene.KEYFRAME_TIMES[1::3]:
            at_time = labels.labels_at(a_scene, time)
            for person in a_scene.people:
                x, facing = person.x_at(time) / scene.FRAME_WIDTH - 0.5, person.facing_at(time)
                place = [x, x * x, abs(x), facing, facing * x, facing * x * abs(x), person.ground]
                for class_id, of_class in rows.items():
                    if abs(x) < 0.5 and labels.is_eligible(person, class_id, time):
                        of_class.append(
                            (
                                _script_features(person, time),
                                place,
                                class_id in at_time[person.person_id],
                                index,
                            )
                        )
    return {
        class_id: tuple(map(np.array, zip(*of_class, strict=True)))
        for class_id, of_class in rows.items()
    }


def _probe_eligible(train: Examples, val: Examples, column: int) -> dict[str, float]:
    fit, test = train.eligible[:, column], val.eligible[:, column]
    positive = val.targets[test, column]
    # Coordinates, their squares and products, repeated so that the penalty spares them.
    places = [
        np.tile(np.concatenate([b, b**2, b[:, :1] * b[:, 1:], b[:, 1:2] * b[:, 2:]], 1), 10)
        for b in (train.boxes[fit], val.boxes[test])
    ]
    features = {
        "crop": (train.crops[fit], val.crops[test]),
        "crop_and_box": tuple(
            np.concatenate([crops, place], 1)
            for crops, place in zip((train.crops[fit], val.crops[test]), places, strict=True)
        ),
        "script": (train.script[fit], val.script[test]),
    }
    result = {"eligible_prior": float(positive.mean())}
    for name, (train_features, val_features) in features.items():
        scores = ridge_scores(
            train_features, train.targets[fit, column : column + 1], val_features, train.videos[fit]
        )[:, 0]
        result[f"auc_{name}"] = area_under_curve(scores, positive)
        if name == "crop":
            result["eligible_ap"] = average_precision(scores, positive)
    return result
