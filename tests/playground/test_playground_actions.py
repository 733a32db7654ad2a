"""The playground's classification set: balanced, the same from the same seed, labels true."""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from avatx.errors import UserError
from avatx.playground import action_script, actions, classes, dataset, labels
from avatx.playground.action_script import ACTIONS, CLIP_SIDE, NUM_FRAMES
from avatx.playground.rendering import SceneRenderer, _paint_mask
from avatx.playground.skeleton import figure

av = pytest.importorskip("av")

# What else the detection playground would label the person of a clip.
CLASS_OF = {
    "answer_phone": classes.ANSWER_PHONE,
    "bend": classes.BEND,
    "hold": classes.HOLD,
    "read": classes.READ,
    "sit": classes.SIT,
    "stand": classes.STAND,
    "walk": classes.WALK,
}


def clips(count, split="train"):
    return [actions.make_clip(7, split, index) for index in range(count)]


def test_labels_are_what_the_person_does_all_the_time():
    poses = collections.defaultdict(set)
    for clip in clips(450):
        (person,) = clip.scene.people
        (act,) = person.acts
        given = labels.labels_at(clip.scene, clip.first_frame / 25 + 1.0)[0]
        poses[clip.action].add(act.pose)
        if clip.action in CLASS_OF:
            assert CLASS_OF[clip.action] in given
        # Of two doings that the set tells apart the person never does both, poses aside.
        objects = [c for c in given if c in classes.OBJECT_CLASSES]
        assert len(objects) + (act.activity in ("wave", "speak")) == int(
            clip.action not in ("stand", "sit", "walk", "bend")
        )
        assert (act.activity == "wave") == (clip.action == "hand_wave")
        assert (act.activity == "speak") == (clip.action == "talk")
    assert {len(poses[pose]) for pose in ("stand", "sit", "walk", "bend")} == {1}
    assert poses["answer_phone"] == {"stand", "sit", "walk"}
    assert poses["hold"] == {"stand", "sit", "walk", "bend"}
    assert all({"stand", "sit"} <= poses[name] for name in ("read", "hand_wave", "talk"))


def test_the_person_is_in_the_window_and_as_tall_as_said():
    outside = []
    for clip in clips(90):
        (person,) = clip.scene.people
        assert 45 <= person.look.height <= 110
        for index in list(clip.frame_indices)[::8]:
            time = index / 25
            dx, dy = clip.scene.camera.offset_at(time)
            mask = np.zeros((600, 600), np.uint8)  # the frame begins at (96, 96)
            for shape in figure(person, time):
                if shape.is_body:
                    _paint_mask(mask, shape, 1, dx, dy)
            inside = clip.window(mask[96:, 96:]).sum()
            assert inside > 0.1 * 45 * 45 / 3
            outside.append(1 - inside / mask.sum())
    assert max(outside) < 0.35 and np.mean(outside) < 0.01


def test_no_seed_is_a_detection_videos_or_anothers():
    states = set()
    for split in ("train", "val"):
        for index in range(50):
            for seed in (dataset.video_seed(7, split, index), actions.clip_seed(7, split, index)):
                states.add(tuple(seed.generate_state(4)))
    assert len(states) == 200


def test_written_clips_are_balanced_and_the_same_from_the_same_seed(tmp_path):
    first = actions.generate_actions(tmp_path / "a", "val", 10, 3, num_workers=1)
    assert first == {action: 1 + (action == ACTIONS[0]) for action in ACTIONS}
    paths = sorted((tmp_path / "a" / "val").glob("*/*.mp4"))
    assert len(paths) == 10
    actions.generate_actions(tmp_path / "b", "val", 4, 3, num_workers=1)
    for path in (tmp_path / "b" / "val").glob("*/*.mp4"):  # fewer clips, the same ones
        other = tmp_path / "a" / "val" / path.parent.name / path.name
        assert path.read_bytes() == other.read_bytes()
    with av.open(str(paths[0])) as container:
        stream = container.streams.video[0]
        frame_rate = stream.average_rate  # a closed container's stream has none from PyAV 19 on
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == NUM_FRAMES and frame_rate == 12.5
    clip = actions.make_clip(3, "val", int(paths[0].stem[4:]))
    renderer = SceneRenderer(clip.scene)
    for frame, index in zip(frames, clip.frame_indices, strict=True):
        painted = clip.window(renderer.frame(index))
        assert frame.shape == painted.shape == (CLIP_SIDE, CLIP_SIDE, 3)
        assert np.abs(frame.astype(float) - painted).mean() < 12  # H.264


def test_a_new_run_replaces_an_old_one_and_nothing_else(tmp_path):
    actions.generate_actions(tmp_path, "train", 3, num_workers=1)
    actions.generate_actions(tmp_path, "train", 1, num_workers=1)
    assert len(list(tmp_path.glob("train/*/*.mp4"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    (tmp_path / "train" / "mine.txt").write_text("")
    with pytest.raises(UserError, match="mine.txt"):
        actions.generate_actions(tmp_path, "train", 1, num_workers=1)
    with pytest.raises(UserError, match="expected one of: train, val"):
        actions.generate_actions(tmp_path, "test", 1)


def test_clips_move_unlike_one_another():
    starts = {clip.first_frame for clip in clips(40)}
    assert len(starts) > 20 and max(starts) <= 200
    assert set(action_script._POSES) == set(ACTIONS)


def test_a_file_in_the_place_of_a_split_is_named(tmp_path):
    (tmp_path / "val").write_text("mine")
    with pytest.raises(UserError, match="val: is a file; move it away"):
        actions.generate_actions(tmp_path, "val", 1, num_workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["val"]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("number, said", [(signal.SIGINT, ["interrupted"]), (signal.SIGTERM, [])])
def test_what_is_interrupted_says_it_once_and_leaves_nothing(tmp_path, number, said):
    """Ctrl-C reaches the workers, too; neither they nor their semaphores are heard of."""
    tool = pathlib.Path(__file__).parents[2] / "tools" / "make_playground.py"
    flags = ["--kind", "actions", "--split", "train", "--num_videos", "9000", "--num_workers", "2"]
    process = subprocess.Popen(
        [sys.executable, str(tool), *flags, "--output", str(tmp_path / "made")],
        env={**os.environ, "PYTHONPATH": str(tool.parents[1])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not any(tmp_path.rglob("*.mp4")):
        time.sleep(0.05)
    os.killpg(process.pid, number)
    lines = process.communicate()[1].splitlines()
    assert [line for line in lines if not line.startswith("generating ")] == said
    assert process.returncode == 128 + number and not any(tmp_path.iterdir())
