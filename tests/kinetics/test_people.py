"""The actions of Kinetics-400 of each person: against a slow plain form, exported, and for real."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from kinetics_parts import FRAMES, NAMES, FindBright, clips_with_people, make_classifier
from PIL import Image, ImageSequence

from avatx.checkpoints import i3d_sources, i3d_weights
from avatx.export import saved_model
from avatx.inference.detector import Detector
from avatx.inference.person_detector import PersonDetector
from avatx.kinetics import export
from avatx.kinetics.people import KineticsPeople, square_around
from avatx.pip_download import cache_directory

CRICKET = pathlib.Path(__file__).parents[3] / "shared/data/kinetics/v_CricketShot_g04_c01_rgb.gif"


@pytest.fixture(scope="module")
def model():
    return KineticsPeople(FindBright(), "image", make_classifier(), num_actions=3)


def detect(model, clips):
    found = model.postprocess(model.predict(model.preprocess(tf.constant(clips))))
    return tf.nest.map_structure(np.asarray, found)


def test_as_the_plain_form(model):
    """Square around the box in every frame, resized, the whole network, softmax, the best three."""
    clips = clips_with_people([(4, 6, 20, 14), (30, 36, 46, 50)])
    found = detect(model, clips)
    expected = []
    for top, left, bottom, right in [(4, 6, 20, 14), (30, 36, 46, 50)]:
        side = min(2 * max(bottom - top, right - left), 48)
        y = min(max(round((top + bottom - side) / 2), 0), 48 - side)
        x = min(max(round((left + right - side) / 2), 0), 64 - side)
        square = clips[0, :, y : y + side, x : x + side].astype(np.float32)
        large = tf.image.resize(square, [224, 224], antialias=True)
        scores = tf.nn.softmax(model._classifier(large[tf.newaxis] / 127.5 - 1.0)[0]).numpy()
        box = np.array([top / 48, left / 64, bottom / 48, right / 64])
        expected += [(scores[i], i + 1, box) for i in np.argsort(-scores)[:3]]
    expected.sort(key=lambda one: -one[0])
    assert found.num_detections == [6]
    np.testing.assert_allclose(found.scores[0, :6], [one[0] for one in expected], rtol=1e-4)
    assert found.classes[0, :6].tolist() == [one[1] for one in expected]
    np.testing.assert_allclose(found.boxes[0, :6], [one[2] for one in expected], atol=1e-6)


def test_nobody_and_one_by_one(model):
    """A clip without people has no detections; a batch is its clips one by one."""
    clips = np.concatenate(
        [clips_with_people(boxes) for boxes in ([(8, 8, 28, 24)], [], [(0, 0, 48, 64)])]
    )
    together = detect(model, clips)
    assert together.num_detections.tolist() == [3, 0, 3]
    for i in range(len(clips)):
        alone = detect(model, clips[i : i + 1])
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[i], other[0], rtol=1e-5, atol=1e-6)


def test_only_people_that_are_sure_and_no_more_than_asked():
    boxes = [(4, 6, 20, 14), (30, 36, 46, 50)]
    for options, count in (
        ({"max_people": 1}, 1),
        ({"min_person_score": 0.99}, 0),
        ({"person_class": 2}, 0),
    ):
        few = KineticsPeople(FindBright(), "image", make_classifier(), num_actions=2, **options)
        found = detect(few, clips_with_people(boxes))
        assert found.num_detections == [2 * count], options


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (5, 5)])
def test_a_square_lies_in_the_frame(size):
    random = np.random.default_rng(0)
    for _ in range(50):
        corners = np.sort(random.uniform(0, 1, [2, 2]), axis=0)
        top, left, side = (int(x) for x in square_around(corners.reshape(4), tf.constant(size)))
        assert top >= 0 and left >= 0 and side >= 1
        assert top + side <= size[0] and left + side <= size[1]


def test_exported_equals_in_memory(model, tmp_path):
    path = str(tmp_path / "saved_model")
    saved_model.export(model, FRAMES, 25.0, NAMES, path, frame_settings={"shorter_side": 48})
    detector = Detector(path)
    assert (detector.num_frames, detector.class_names) == (FRAMES, NAMES)
    clips = clips_with_people([(4, 6, 20, 14)])
    expected = detect(model, clips)
    (found,) = detector.detect(clips)
    np.testing.assert_allclose(found.scores, expected.scores[0, :3], rtol=1e-5)
    assert found.classes.tolist() == expected.classes[0, :3].tolist()


def test_the_names_are_those_of_the_logits():
    """DeepMind's order (../shared/data/kinetics/README.md): from 0 at 6, 62 and 227."""
    names = export.class_names()
    assert len(names) == 400 and sorted(names) == list(range(1, 401))
    assert [names[i + 1] for i in (6, 62, 227)] == [
        "arm wrestling",
        "cleaning pool",
        "playing cricket",
    ]


@pytest.mark.long
def test_the_real_network_sees_cricket():
    """Of the people in DeepMind's sample clip each has playing cricket among its five."""
    weights = cache_directory() / i3d_sources._PICKLE_NAME
    movenet = cache_directory() / "movenet"
    for path in (CRICKET, weights, movenet):
        if not path.exists():
            pytest.skip(f"{path} is not there")
    people = PersonDetector(str(movenet))
    real = KineticsPeople(
        people.signature, people.input_name, i3d_weights.load_classifier(str(weights))
    )
    frames = [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(Image.open(CRICKET))]
    found = detect(real, np.stack(frames[8:72])[np.newaxis])
    cricket = found.classes[0] == 228
    assert found.num_detections[0] >= 10
    assert cricket.sum() == found.num_detections[0] // 5 and found.scores[0, 0] > 0.9
