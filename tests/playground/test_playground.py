import collections
import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from avatx import playground
from avatx.data.annotations.ava_csv import read_annotations, read_excluded_timestamps
from avatx.data.annotations.concerned_csv import read_concerned
from avatx.data.annotations.label_map import read_label_map
from avatx.errors import UserError
from avatx.playground import classes, dataset, labels, probe, scene, script
from avatx.playground.rendering import SceneRenderer
from avatx.playground.script import sample_scene

av = pytest.importorskip("av")

ROOT = Path(__file__).resolve().parents[2]
SHARED_LIST = ROOT.parent / "shared/data/ava/ava_action_list_v2.1_for_activitynet_2018.pbtxt.txt"
SIZE = np.array([scene.FRAME_HEIGHT, scene.FRAME_WIDTH])


def _scenes(count, seed=0):
    return [sample_scene(dataset.video_seed(seed, "train", index)) for index in range(count)]


def _crop(box):
    """Slices of the pixels that a normalised box touches."""
    top_left = np.floor(box[:2] * SIZE + 1e-6).astype(int)
    bottom_right = np.ceil(box[2:] * SIZE - 1e-6).astype(int)
    return tuple(slice(low, high) for low, high in zip(top_left, bottom_right, strict=True))


def _people(some_scene):
    return {person.person_id: person for person in some_scene.people}


def _labelled(renderer):
    """(time, LabelledPerson) of all labelled people at all keyframes."""
    for time in scene.KEYFRAME_TIMES:
        for labelled in dataset.annotate(renderer, time) or []:
            yield time, labelled


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playground")
    summary = playground.generate(folder, "train", 3, seed=5, num_workers=1)
    return folder, summary


def _decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# --- the context classes cannot be told from the person's own pixels ---


@pytest.mark.parametrize("class_id", classes.CONTEXT_CLASSES)
def test_the_same_crop_occurs_with_and_without_the_label(class_id):
    identical = tried = 0
    for some_scene in _scenes(80):
        renderer = SceneRenderer(some_scene)
        for time, labelled in _labelled(renderer):
            if class_id not in labelled.class_ids:
                continue
            person = _people(some_scene)[labelled.person_id]
            other_scene = labels.without_label(some_scene, person, class_id, time)
            other_labels = labels.labels_at(other_scene, time)[person.person_id]
            assert class_id not in other_labels
            # What the person does is labelled as before.
            own = set(labelled.class_ids) - set(classes.CONTEXT_CLASSES)
            assert own == set(other_labels) - set(classes.CONTEXT_CLASSES)
            other = SceneRenderer(other_scene)
            crop = _crop(labelled.box)
            middle = round(time * scene.FRAME_RATE)
            clip = range(middle - 12, middle + 13, 3)
            pairs = [(renderer.frame(index), other.frame(index)) for index in clip]
            assert any((one != two).any() for one, two in pairs)
            # Where the target reaches into the box the crops may differ; mostly it does not.
            identical += all((one[crop] == two[crop]).all() for one, two in pairs)
            tried += 1
            break
        if tried == 12:
            break
    assert tried == 12
    assert identical >= 8


def test_context_labels_do_not_go_with_the_pose_or_what_is_held():
    counts = collections.defaultdict(lambda: [0, 0])
    for some_scene in _scenes(1500, seed=11):
        for time in scene.KEYFRAME_TIMES[1::3]:
            at_time = labels.labels_at(some_scene, time)
            for person in some_scene.people:
                act = person.act_at(time)
                for class_id in classes.CONTEXT_CLASSES:
                    if labels.is_eligible(person, class_id, time):
                        for trait in (
                            act.pose,
                            act.held,
                            f"faces {act.facing}",
                            f"tall {person.look.height > 80}",
                        ):
                            count = counts[class_id, trait]
                            count[0] += class_id in at_time[person.person_id]
                            count[1] += 1
    for class_id in classes.CONTEXT_CLASSES:
        rates = {
            trait: with_label / total
            for (some_class, trait), (with_label, total) in counts.items()
            if some_class == class_id and total >= 60
        }
        assert len(rates) >= 6
        assert min(rates.values()) > 0.05
        # 0.13 is what so few keyframes, which share videos, scatter by.
        assert max(rates.values()) - min(rates.values()) < 0.13, (class_id, rates)


def test_the_probe_finds_what_is_there_and_nothing_else():
    rng = np.random.default_rng(0)
    targets = rng.random((600, 2)) < 0.3
    features = rng.normal(size=(600, 5)).astype(np.float32)
    features[:, 2] += 4 * targets[:, 0]  # tells the first class; nothing tells the second
    groups = np.arange(600) // 6
    scores = probe.ridge_scores(features[:300], targets[:300], features[300:], groups[:300])
    areas = [probe.area_under_curve(scores[:, c], targets[300:, c]) for c in range(2)]
    assert areas[0] > 0.95 and abs(areas[1] - 0.5) < 0.12
    positive, negative = scores[targets[300:, 1], 1], scores[~targets[300:, 1], 1]
    np.testing.assert_allclose(areas[1], (positive[:, None] > negative).mean())
    assert probe.average_precision(scores[:, 0], targets[300:, 0]) > 0.9


# --- boxes and labels ---


def test_boxes_are_the_extent_of_what_the_person_changes():
    import dataclasses

    checked = 0
    for some_scene in _scenes(12):
        renderer = SceneRenderer(some_scene)
        for time, labelled in _labelled(renderer):
            person = _people(some_scene)[labelled.person_id]
            act = person.act_at(time)
            if act.held or act.activity in ("read", "phone"):
                continue  # held things are not part of the box
            empty = dataclasses.replace(
                some_scene, people=tuple(p for p in some_scene.people if p is not person)
            )
            index = round(time * scene.FRAME_RATE)
            changed = (renderer.frame(index) != SceneRenderer(empty).frame(index)).any(-1)
            rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            extent = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
            # Anti-aliased edges reach a pixel further than the body's mask.
            np.testing.assert_allclose(labelled.box * np.tile(SIZE, 2), extent, atol=2)
            checked += 1
    assert checked > 20


def test_people_outside_the_frame_are_not_labelled_and_half_outside_is_excluded():
    outcomes = collections.Counter()
    for some_scene in _scenes(60):
        renderer = SceneRenderer(some_scene)
        for time in scene.KEYFRAME_TIMES:
            people = dataset.annotate(renderer, time)
            if people is None:
                outcomes["excluded"] += 1
                continue
            shown = renderer.visible_people(round(time * scene.FRAME_RATE))
            for labelled in people:
                assert shown[labelled.person_id].outside_share <= 0.45
                assert shown[labelled.person_id].visible_share >= 0.3
            outcomes["empty" if not people else "people"] += 1
    total = sum(outcomes.values())
    assert 0 < outcomes["excluded"] < 0.06 * total
    assert 0.005 * total < outcomes["empty"] < 0.1 * total


def test_every_class_is_frequent_enough():
    counts, boxes = collections.Counter(), 0
    for some_scene in _scenes(400, seed=3):
        for time in scene.KEYFRAME_TIMES[::4]:
            for person in some_scene.people:
                if 0 < person.x_at(time) < scene.FRAME_WIDTH:
                    boxes += 1
                    counts.update(labels.labels_at(some_scene, time)[person.person_id])
    assert set(counts) == set(classes.NAMES)
    assert min(counts.values()) > 0.03 * boxes
    assert sum(counts[class_id] for class_id in classes.POSE_CLASSES) == boxes


@pytest.mark.skipif(not SHARED_LIST.exists(), reason="AVA's class list (../shared) is absent")
def test_ids_and_names_are_avas():
    official = read_label_map(SHARED_LIST).names
    assert {class_id: official[class_id] for class_id in classes.NAMES} == classes.NAMES


# --- files ---


def test_files_are_avas_format_and_agree_with_each_other(generated):
    folder, summary = generated
    table = read_annotations(folder / "train.csv")
    excluded = read_excluded_timestamps(folder / "train_excluded_timestamps.csv")
    names = read_label_map(folder / "label_map.pbtxt").names
    videos = sorted(path.stem for path in (folder / "videos").iterdir())
    assert videos == ["train_0000", "train_0001", "train_0002"]
    assert set(table.class_id.tolist()) <= set(names) == set(classes.NAMES)
    assert (table.boxes >= 0).all() and (table.boxes <= 1).all()
    assert (table.boxes[:, 2:] > table.boxes[:, :2]).all()
    assert (table.person_id >= 0).all()
    with_people = {
        (table.video_names[v], t)
        for v, t in zip(table.video_index.tolist(), table.timestamp.tolist(), strict=True)
    }
    groups = [with_people, set(table.empty_keyframes), excluded]
    assert set().union(*groups) == {(v, t) for v in videos for t in scene.KEYFRAME_TIMES}
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert summary.num_videos == 3
    assert summary.num_keyframes == len(with_people) + len(table.empty_keyframes)
    assert sum(summary.num_labels.values()) == len(table)
    with open(folder / "train.csv", newline="") as file:
        assert {len(row) for row in csv.reader(file)} <= {2, 8}


def test_the_concerned_are_named_for_every_label_about_a_person(generated):
    folder, _ = generated
    table = read_annotations(folder / "train.csv")
    rows = zip(
        table.video_id,
        table.timestamp,
        table.class_id.tolist(),
        table.person_id.tolist(),
        strict=True,
    )
    about_people = {row for row in rows if row[2] in (69, 74, 79, 80)}
    concerns = read_concerned(folder / "train_concerned.csv")
    assert {tuple(concern[:4]) for concern in concerns} == about_people
    assert len(concerns) == len(about_people) > 3
    for concern in concerns:
        index = int(concern.video_id.removeprefix("train_"))
        some_scene = sample_scene(dataset.video_seed(5, "train", index))
        people = _people(some_scene)
        carrier, other = people[concern.person_id], people[concern.concerned_id]
        # On the side that the carrier faces, and nobody nearer there.
        distance = {
            person.person_id: (person.x_at(concern.timestamp) - carrier.x_at(concern.timestamp))
            * carrier.facing_at(concern.timestamp)
            for person in some_scene.people
        }
        assert distance[other.person_id] > 0
        assert distance[other.person_id] == min(d for d in distance.values() if d > 0)


def test_videos_show_the_scene_at_its_times(generated):
    folder, _ = generated
    frames = _decode(folder / "videos" / "train_0001.mp4")
    renderer = SceneRenderer(sample_scene(dataset.video_seed(5, "train", 1)))
    assert len(frames) == renderer.num_frames == scene.DURATION * scene.FRAME_RATE
    for index in (0, 100, 249):
        error = np.abs(frames[index].astype(float) - renderer.frame(index)).mean()
        other = np.abs(frames[index].astype(float) - renderer.frame((index + 60) % 250)).mean()
        assert error < 8 and error < other


def test_same_seed_same_bytes_whatever_the_number_of_workers_or_videos(generated, tmp_path):
    folder, _ = generated
    playground.generate(tmp_path, "train", 2, seed=5, num_workers=2)
    before, again = _contents(folder), _contents(tmp_path)
    for name in ("videos/train_0000.mp4", "videos/train_0001.mp4", "label_map.pbtxt"):
        assert again[name] == before[name]
    kept = [line for line in before["train.csv"].splitlines() if b"train_0002" not in line]
    assert again["train.csv"].splitlines() == kept


def test_splits_and_seeds_have_videos_of_their_own():
    scenes = [
        sample_scene(dataset.video_seed(seed, split, index))
        for seed in (0, 1)
        for split in ("train", "val")
        for index in range(3)
    ]
    assert len({some_scene.noise_seed for some_scene in scenes}) == len(scenes)
    assert len({some_scene.camera for some_scene in scenes}) == len(scenes)


def _one_frame_video(task):
    """Stands in for the rendering of a whole video, which these tests do not look at."""
    work, split, index, seed, _ = task
    with open(os.path.join(work, f"{split}_{index:04d}.mp4"), "w") as file:
        file.write(f"seed {seed}")
    return index, [[] for _ in scene.KEYFRAME_TIMES]


def test_a_run_that_fails_changes_nothing_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_make_video", _one_frame_video)
    playground.generate(tmp_path, "train", 3, seed=1, num_workers=1)
    before = _contents(tmp_path)

    def fail(task):
        if task[2] == 1:
            raise RuntimeError("stop")
        return _one_frame_video(task)

    monkeypatch.setattr(dataset, "_make_video", fail)
    with pytest.raises(RuntimeError):
        playground.generate(tmp_path, "train", 3, seed=2, num_workers=1)
    assert _contents(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == [
        "label_map.pbtxt",
        "train.csv",
        "train_concerned.csv",
        "train_excluded_timestamps.csv",
        "videos",
    ]


def test_another_run_replaces_its_own_split_only(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_make_video", _one_frame_video)
    playground.generate(tmp_path, "train", 3, seed=1, num_workers=1)
    before = _contents(tmp_path)
    (tmp_path / ".train_unfinished_x").mkdir()  # what kill -9 leaves
    playground.generate(tmp_path, "val", 2, seed=1, num_workers=1)
    assert before.items() <= _contents(tmp_path).items()
    playground.generate(tmp_path, "train", 1, seed=2, num_workers=1)
    after = _contents(tmp_path)
    assert sorted(os.listdir(tmp_path / "videos")) == [
        "train_0000.mp4",
        "val_0000.mp4",
        "val_0001.mp4",
    ]
    assert after["videos/train_0000.mp4"] == b"seed 2"
    assert not list(tmp_path.glob(".*"))


# --- users' mistakes ---


@pytest.mark.parametrize(
    "change, message",
    [
        ({"split": "test"}, "train, val"),
        ({"num_videos": 0}, "num_videos is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"num_workers": 0}, "num_workers is 0"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    arguments = {"output": tmp_path / "out", "split": "train", "num_videos": 1, "seed": 0}
    with pytest.raises(UserError, match=message):
        playground.generate(**{**arguments, **change})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_an_output_that_cannot_be_written_is_one_line(tmp_path, output):
    (tmp_path / "file").write_text("x")
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools/make_playground.py"),
            "--output",
            str(tmp_path / output),
            "--split",
            "val",
            "--num_videos",
            "1",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and str(tmp_path / "file") in result.stderr
    assert os.listdir(tmp_path) == ["file"]


def test_a_crowd_is_six_people_and_more_of_many_sizes():
    scenes = [
        sample_scene(dataset.video_seed(4, "train", index), script.CASTS["crowd"])
        for index in range(40)
    ]
    counts = [len(one.people) for one in scenes]
    heights = [person.look.height / scene.FRAME_HEIGHT for one in scenes for person in one.people]
    assert np.mean(counts) > 7 and np.mean([count >= 6 for count in counts]) > 0.85
    assert max(counts) <= 11 and 0.2 <= min(heights) < 0.25 and 0.55 < max(heights) <= 0.6
    # Who is larger stands lower in the picture.
    grounds = [person.ground for one in scenes for person in one.people]
    assert np.corrcoef(heights, grounds)[0, 1] > 0.9


def test_a_group_is_more_people_in_the_same_surroundings():
    few, group = (
        [
            sample_scene(dataset.video_seed(4, "train", index), script.CASTS[cast])
            for index in range(200)
        ]
        for cast in ("few", "group")
    )
    people = [np.mean([len(one.people) for one in scenes]) for scenes in (few, group)]
    assert 1.4 < people[1] / people[0] < 1.8
    screens = [np.mean([len(one.screens) for one in scenes]) for scenes in (few, group)]
    assert screens[1] / people[1] == pytest.approx(screens[0] / people[0], rel=0.2)


def test_a_cast_that_is_none_is_named(tmp_path):
    with pytest.raises(UserError, match="cast is 'many'; expected one of: few, group, crowd"):
        playground.generate(tmp_path, "train", 1, cast="many")
    assert not os.listdir(tmp_path)
