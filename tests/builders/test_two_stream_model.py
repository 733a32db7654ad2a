"""A detector with a flow stream, from config to video: training, weights, export, inference."""

import numpy as np
import pytest
import tensorflow as tf

from avatx import config
from avatx.builders import input_reader_builder, model_builder, summary, training_builder
from avatx.core.structures import Batch, Groundtruth, Keyframes
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.optical_flow import with_flow
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference import video_detection
from avatx.inference.detector import Detector
from avatx.training import fine_tuning
from avatx.training.evaluation_pictures import EvaluationPictures
from avatx.trunks import i3d

CONFIG = """
model { action_faster_rcnn {
  num_classes: 3
  clip { num_frames: 4 frame_rate: 25 }
  image_resizer { fixed_shape_resizer { height: 32 width: 48 } }
  trunk { two_stream {
    rgb { i3d { depth_multiplier: 0.05 final_endpoint: "Mixed_4f" } }
    flow { i3d { depth_multiplier: 0.05 final_endpoint: "Mixed_4f" } batch_norm: TRAINED }
  } }
  location_embedding { depth: 8 }
  first_stage_anchor_generator { grid_anchor_generator {
    height: 16 width: 16 scales: 1 aspect_ratios: 1
  } }
  first_stage_box_predictor_depth: 8
  first_stage_max_proposals: 4
  second_stage_batch_size: 4
  initial_crop_size: 4
  maxpool_kernel_size: 2
  maxpool_stride: 2
  second_stage_box_predictor { tx_i3d_box_predictor {
    tx { num_layers: 1 num_heads: 1 depth: 8 query_reduction_depth: 8 feed_forward_depth: 16 }
    i3d {}
  } }
} }
train_config {
  batch_size: 2
  num_steps: 10
  optimizer { momentum_optimizer { learning_rate {
    constant_learning_rate { learning_rate: 0.01 }
  } } }
}
"""
TRUNK = "model.action_faster_rcnn.trunk."
GROUNDTRUTH = Groundtruth(
    boxes=tf.constant([[[0.1, 0.1, 0.9, 0.4]], [[0.2, 0.5, 0.8, 0.9]]]),
    labels=tf.constant([[[1.0, 0, 1]], [[0, 1, 0]]]),
    num_boxes=tf.constant([1, 1]),
    sampling_seed=tf.constant([[1, 2], [3, 4]]),
)


def load(tmp_path, text=CONFIG, overrides=()):
    path = tmp_path / "pipeline.config"
    path.write_text(text)
    return config.load(str(path), overrides)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    built = model_builder.build(load(tmp_path_factory.mktemp("config")).model)
    generator = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign_add(generator.normal(0, 0.03, variable.shape))  # far from ties
    return built


def clips(count=2, height=32, width=48):
    return np.random.default_rng(3).integers(0, 256, [count, 4, height, width, 5], np.uint8)


def test_the_config_decides_the_channels(tmp_path, model):
    loaded = load(tmp_path)
    assert input_reader_builder.build_clip_shape(loaded.model.action_faster_rcnn).channels == 5
    assert model.input_channels == 5
    # The trunk of its own batch norm: RGB's is frozen, flow's is trained.
    assert model.trunk.flow.Conv3d_1a_7x7.batch_norm.mode == "TRAINED"
    assert model.trunk.rgb.Conv3d_1a_7x7.batch_norm.mode == "FROZEN"
    assert summary.summarize(loaded)["shapes"]["clip"] == [4, 32, 48, 5]


def test_preprocess_maps_all_channels(model):
    given = model.preprocess(tf.constant(clips(1, 20, 30)))
    assert given.shape == (1, 4, 32, 48, 5)
    flat = model.preprocess(tf.fill([1, 4, 20, 30, 5], tf.constant(127.5)))
    np.testing.assert_array_equal(flat, tf.zeros_like(flat))  # no motion is zero


@pytest.mark.long
def test_a_training_step_reaches_both_streams(model):
    with tf.GradientTape() as tape:
        predictions = model.predict(
            model.preprocess(tf.constant(clips())), GROUNDTRUTH, training=True
        )
        loss = tf.add_n(list(model.loss(predictions, GROUNDTRUTH).values()))
    assert np.isfinite(loss.numpy())
    variables = model.trunk.rgb.trainable_variables + model.trunk.flow.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None and np.any(np.asarray(gradient) != 0), variable.name


def test_flow_matters(model):
    given = clips()
    still = given.copy()
    still[..., 3:] = 128
    features = [
        model.trunk(model.preprocess(tf.constant(one)), training=False).numpy()
        for one in (given, still)
    ]
    depth = model.trunk.rgb.output_depth
    np.testing.assert_array_equal(features[0][..., :depth], features[1][..., :depth])
    assert not np.allclose(features[0][..., depth:], features[1][..., depth:])


# Weights.


def test_an_evaluation_shows_the_clips(model):
    batch = Batch(
        clips=tf.constant(clips()),
        groundtruth=GROUNDTRUTH,
        keyframes=Keyframes(np.zeros([2, 128], np.uint8), np.array([1.0, 2.0])),
        valid=np.array([True, True]),
    )
    detections = model.postprocess(model.predict(model.preprocess(batch.clips)))
    shown = EvaluationPictures(model, {1: "one", 2: "two", 3: "three"}, 1)
    shown.add(batch, tf.nest.map_structure(np.asarray, detections))
    assert [name.split("/")[0] for name in shown._pictures] == ["clips", "attention"]
    assert all(picture.shape[-1] == 3 for picture in shown._pictures.values())


def write_checkpoint(folder, name, channels, seed):
    classifier = i3d.I3DClassifier(num_classes=2, depth_multiplier=0.05)
    classifier.build([None, None, None, None, channels])
    generator = np.random.default_rng(seed)
    for variable in classifier.variables:
        variable.assign(generator.uniform(0.1, 1.0, variable.shape))
    path = tf.train.Checkpoint(trunk=classifier.trunk, tail=classifier.tail).write(
        str(folder / name)
    )
    return path, classifier


def fine_tune(tmp_path, **fields):
    overrides = [f"train_config.{name}={value}" for name, value in fields.items()]
    loaded = load(tmp_path, overrides=overrides)
    built = model_builder.build(loaded.model)
    options = training_builder.build_train_options(loaded.train_config)
    return built, fine_tuning.initialize(built, options)


def test_each_stream_starts_from_its_own_checkpoint(tmp_path):
    rgb_path, rgb = write_checkpoint(tmp_path, "rgb", 3, 1)
    flow_path, flow = write_checkpoint(tmp_path, "flow", 2, 2)
    built, lines = fine_tune(
        tmp_path, fine_tune_checkpoint=rgb_path, fine_tune_flow_checkpoint=flow_path
    )
    tail = built.box_predictor.tail
    for part, source in (
        (built.trunk.rgb, rgb.trunk),
        (built.trunk.flow, flow.trunk),
        (tail.rgb, rgb.tail),
        (tail.flow, flow.tail),
    ):
        assert len(part.variables) == len(source.variables)
        for ours, theirs in zip(part.variables, source.variables, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    text = "\n".join(lines)
    assert rgb_path in text and flow_path in text


def test_one_stream_may_start_from_scratch(tmp_path):
    rgb_path, rgb = write_checkpoint(tmp_path, "rgb", 3, 1)
    built, lines = fine_tune(tmp_path, fine_tune_checkpoint=rgb_path)
    np.testing.assert_array_equal(
        built.trunk.rgb.Conv3d_1a_7x7.kernel, rgb.trunk.Conv3d_1a_7x7.kernel
    )
    assert any("flow trunk is trained from scratch" in line for line in lines)


def test_rgb_weights_do_not_fit_the_flow_trunk(tmp_path):
    path, _ = write_checkpoint(tmp_path, "rgb", 3, 1)
    with pytest.raises(UserError, match="Conv3d_1a_7x7/kernel is .*3, 8.* there"):
        fine_tune(tmp_path, fine_tune_flow_checkpoint=path)


@pytest.mark.parametrize(
    "overrides, words",
    [
        (
            [TRUNK + "batch_norm=SYNC"],
            "batch_norm is set beside two_stream: set it in its rgb and ",
        ),
        ([TRUNK + "two_stream.flow.i3d.final_endpoint=Mixed_3c"], "expected the same of both"),
        (
            [
                "train_config.fine_tune_checkpoint_type=detection",
                "train_config.fine_tune_flow_checkpoint=x",
            ],
            "which fills both streams",
        ),
    ],
)
def test_contradictions_are_one_line(tmp_path, overrides, words):
    with pytest.raises(UserError, match=words):
        model_builder.build(load(tmp_path, overrides=overrides).model)


def test_what_needs_two_streams_says_so(tmp_path):
    after = CONFIG[CONFIG.index("\n  location") :]
    rgb_only = CONFIG[: CONFIG.index("two_stream")] + "i3d {} }" + after
    with pytest.raises(UserError, match="the model's trunk is not two_stream"):
        load(tmp_path, rgb_only, ["train_config.fine_tune_flow_checkpoint=x"])
    flow = CONFIG[CONFIG.index("flow {") : CONFIG.index("\n  } }")]
    nested = CONFIG.replace(flow, "flow { two_stream { rgb { i3d {} } flow { i3d {} } } }")
    with pytest.raises(UserError, match="two_stream.flow is two_stream itself"):
        load(tmp_path, nested)
    lone = CONFIG[: CONFIG.index("    flow {")] + "} }" + after
    with pytest.raises(UserError, match="two_stream.flow is missing"):
        load(tmp_path, lone)


# Export and inference.


@pytest.fixture(scope="module")
def detector(model, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export"))
    saved_model.export(model, 4, 25.0, {1: "stand", 2: "walk", 3: "sit"}, folder)
    return Detector(folder)


def test_the_saved_model_takes_five_channels_and_is_the_model(model, detector):
    given = clips(2, 40, 50)
    predictions = model.predict(model.preprocess(tf.constant(given)))
    expected = model.postprocess(predictions)
    assert detector.has_flow
    for clip, found in enumerate(detector.detect(given)):
        count = int(expected.num_detections[clip])
        assert len(found.scores) == count > 0
        np.testing.assert_allclose(found.boxes, expected.boxes[clip, :count], atol=1e-4)
        np.testing.assert_allclose(found.scores, expected.scores[clip, :count], atol=1e-4)


def test_jpeg_frames_cannot_carry_flow(model, detector):
    assert "serving_jpeg" not in tf.saved_model.load(detector.path).signatures
    assert not saved_model.serves_jpeg(model)


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_detect_video_gives_the_model_the_flow_of_the_video(detector, tmp_path, method):
    generator = np.random.default_rng(4)
    picture = np.uint8(np.kron(generator.integers(0, 256, [24, 40, 3]), np.ones([4, 4, 1])))
    with VideoWriter(str(tmp_path / "v.mp4"), 25, 80, 120) as writer:
        for index in range(30):
            writer.write(picture[:80, index : index + 120])
    taken = []
    detect = detector.detect
    detector.detect = lambda given: taken.append(given) or detect(given)
    try:
        result = video_detection.detect_video(
            detector,
            str(tmp_path / "v.mp4"),
            str(tmp_path / "out"),
            score_threshold=0.0,
            frame_settings=FrameSettings(shorter_side=40, optical_flow=method),
        )
    finally:
        del detector.detect
    assert result.num_keyframes == 2 and result.stopped is None
    with VideoReader(str(tmp_path / "v.mp4")) as reader:
        frames = list(with_flow(reader.frames(size=(40, 60)), method))
    np.testing.assert_array_equal(
        taken[1][0], np.stack([both for _, both in frames[23:27]])
    )  # around second 1
    assert np.median(taken[1][..., 3]) < 128  # the picture moves to the left


def test_detect_video_refuses_another_method(detector, tmp_path):
    none = FrameSettings()
    with pytest.raises(UserError, match="optical_flow is empty, .*: expected dis or farneback"):
        video_detection.detect_video(detector, "v.mp4", str(tmp_path), frame_settings=none)
    with pytest.raises(UserError, match="optical_flow tvl1: expected dis or farneback"):
        FrameSettings(optical_flow="tvl1")
    with pytest.raises(UserError, match="max_frame_rate -1"):
        FrameSettings(max_frame_rate=-1)
