"""What TensorBoard shows at an evaluation, read back from real event files."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_experiment import make_model, tiny_experiment

from avatx.core.cell_view import evenly
from avatx.core.people import Person
from avatx.training import evaluation_pictures, run
from avatx.training.evaluation_pictures import EvaluationPictures, _attention_strip


def read_pictures(directory) -> dict:
    """name -> {step: [H, W, 3] uint8} of a directory's event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    events.Reload()
    pictures = {}
    for name in events.Tags()["tensors"]:
        if not name.startswith(("clips/", "attention/")):
            continue
        for event in events.Tensors(name):
            encoded = tf.make_ndarray(event.tensor_proto)[2]
            picture = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
            pictures.setdefault(name, {})[event.step] = picture
    return pictures


def with_pictures(experiment, count):
    options = dataclasses.replace(experiment.eval, num_visualizations=count)
    return dataclasses.replace(experiment, eval=options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model folder, evaluated after two steps and after four, each time with three pictures."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    run.train_and_eval(with_pictures(tiny_experiment(folder, interval=2), 3))
    return folder


def test_every_evaluation_shows_the_same_clips(trained, tmp_path):
    pictures = read_pictures(trained / "eval")
    clips = [f"clip{i + 1}_video{i}@{900 + i}" for i in range(3)]
    assert set(pictures) == {f"{kind}/{clip}" for kind in ("clips", "attention") for clip in clips}
    for name, steps in pictures.items():
        assert set(steps) == {2, 4}, name
        for picture in steps.values():
            assert picture.shape[1] > 2 * picture.shape[0] * 0.9 and picture.std() > 10
    # The groundtruth, on the left, does not change; and the scalars are where they were.
    first = pictures[f"clips/{clips[0]}"]
    half = first[2].shape[1] // 2
    np.testing.assert_array_equal(first[2][:, : half - 10], first[4][:, : half - 10])

    # A checkpoint evaluated on its own is shown too, and 0 turns pictures off.
    run.evaluate(with_pictures(tiny_experiment(tmp_path / "alone"), 1), str(trained))
    alone = read_pictures(tmp_path / "alone" / "eval")
    assert set(alone) == {f"attention/{clips[0]}", f"clips/{clips[0]}"}
    np.testing.assert_array_equal(alone[f"clips/{clips[0]}"][4], first[4])
    run.evaluate(tiny_experiment(tmp_path / "none"), str(trained))
    assert read_pictures(tmp_path / "none" / "eval") == {}


def test_two_replicas_show_what_one_shows(trained, tmp_path, start_python):
    code = """
import dataclasses, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from avatx.training import distribution, run
distribution.make_strategy = lambda name: tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
run.make_strategy = distribution.make_strategy
from tiny_experiment import tiny_experiment
experiment = tiny_experiment(sys.argv[1])
options = dataclasses.replace(experiment.eval, num_visualizations=3)
run.evaluate(dataclasses.replace(experiment, eval=options), sys.argv[2])
"""
    process = start_python(code, tmp_path / "two", trained)
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    one, two = (read_pictures(folder / "eval") for folder in (trained, tmp_path / "two"))
    assert len(one) == 6 and set(one) == set(two)
    for name in one:
        difference = np.abs(one[name][4].astype(int) - two[name][4])
        assert np.mean(difference > 8) < 0.01


def test_neighbouring_keyframes_of_a_video_are_not_shown_twice():
    pictures = EvaluationPictures(None, {}, 4)
    videos = [np.full([4], i, np.uint8) for i in (0, 0, 0, 1, 1) + (2,) * 21]
    taken = [i for i, video in enumerate(videos) if pictures._is_new(video)]
    assert taken == [0, 3, 5, 15, 25]


def test_the_attention_shown_is_that_of_the_largest_persons_proposal():
    truth = [Person(np.array([0.1, 0.7, 0.2, 0.8]), ()), Person(np.array([0.4, 0.6, 1, 1]), ())]
    boxes = np.array([[0.1, 0.7, 0.2, 0.8], [0.42, 0.6, 1, 1], [0, 0, 0.3, 0.3]])
    maps = np.zeros([3, 2, 3, 4], np.float32)
    maps[0, 0, 2, 0] = maps[2, 1, 1, 1] = 1
    maps[1, 0, 0, 0], maps[1, 1, 0, 1] = 0.75, 0.25
    cells = evenly((2, 3, 4), 8)
    sheet = _attention_strip(np.full([8, 300, 400, 3], 90, np.uint8), truth, boxes, maps, cells)
    first, second = (part.astype(int).sum(-1)[:320] for part in np.split(sheet, 2, axis=1))
    assert first[30:80, 30:80].max() > 450 > second[30:80, 130:180].max() > first[250:290, 30].max()


def made_batch(count=4):
    from tiny_experiment import make_clip

    return tf.nest.map_structure(
        lambda *parts: tf.stack(parts).numpy(), *(make_clip(i) for i in range(count))
    )


def test_attention_is_drawn_where_the_models_cells_look(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        evaluation_pictures, "_attention_strip", lambda *given: drawn.append(given[-1])
    )
    model, batch = make_model(), made_batch()
    detections = model.postprocess(model.predict(model.preprocess(batch.clips)))
    pictures = EvaluationPictures(model, {1: "one"}, 1)
    pictures.add(batch, tf.nest.map_structure(np.asarray, detections))
    # A convolution of stride 2 in time, three strides of 2 in space: frame 2 i + 1, pixel 8 i + 7.
    ((first, stride, size),) = drawn
    assert first.tolist() == [1, 7, 7] and stride.tolist() == [2, 8, 8]
    assert size.tolist() == [8, 48, 48]


def test_without_a_proposal_there_is_no_attention_to_show():
    model, batch = make_model(), made_batch()
    stage = model.proposal_stage
    stage.options = dataclasses.replace(stage.options, nms_score_threshold=1.0)
    detections = model.postprocess(model.predict(model.preprocess(batch.clips)))
    pictures = EvaluationPictures(model, {1: "one"}, 1)
    pictures.add(batch, tf.nest.map_structure(np.asarray, detections))
    assert [name.split("/")[0] for name in pictures._pictures] == ["clips"]


def test_only_the_clips_shown_are_kept_and_none_afterwards():
    class Clips:
        def __init__(self, clips):
            self.clips, self.looked_at = clips, []

        def __getitem__(self, index):
            self.looked_at.append(index)
            return self.clips[index]

    model, batch = make_model(), made_batch()
    batch.groundtruth.num_boxes[0] = 0  # nobody there: not shown
    detections = model.postprocess(model.predict(model.preprocess(batch.clips)))
    detections = tf.nest.map_structure(np.asarray, detections)
    clips = Clips(batch.clips)
    pictures = EvaluationPictures(model, {1: "one"}, 2)
    for _ in range(2):
        pictures.add(batch._replace(clips=clips), detections)
    assert clips.looked_at == [1, 2]
    pictures.write(0)  # without a writer: nowhere
    assert not pictures._pictures
