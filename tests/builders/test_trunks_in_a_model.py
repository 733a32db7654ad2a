"""Every trunk, from a text config, under every kind of head: a training step and detections."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from avatx import config
from avatx.builders import model_builder, trunk_builder
from avatx.core.structures import Groundtruth
from avatx.errors import UserError
from avatx.protos import model_pb2, trunk_pb2
from avatx.training.seed import set_random_seed

TRUNKS = {
    "movinet": 'movinet { model_id: "a0" } batch_norm: TRAINED',
    "resnet_3d": "resnet_3d { model_id: 50 }",
    "separable": "i3d { depth_multiplier: 0.125 separable: true } batch_norm: TRAINED",
}
TX = "num_layers: 1 num_heads: 1 depth: 8 query_reduction_depth: 8 feed_forward_depth: 16"
HEADS = {
    "tx": f"tx_box_predictor {{ {TX} }}",
    "i3d": "i3d_box_predictor {}",
    "tx_i3d": f"tx_i3d_box_predictor {{ tx {{ {TX} }} i3d {{}} }}",
}
DETECTOR = """
model { action_faster_rcnn {
  num_classes: 3
  clip { num_frames: 4 frame_rate: 4 }
  image_resizer { fixed_shape_resizer { height: 32 width: 48 } }
  trunk { %s }
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
  second_stage_box_predictor { %s }
} }
"""
CLIPS = tf.constant(np.random.default_rng(0).integers(0, 256, [2, 4, 32, 48, 3], np.uint8))
GROUNDTRUTH = Groundtruth(
    boxes=tf.constant([[[0.1, 0.1, 0.9, 0.4]], [[0.2, 0.5, 0.8, 0.9]]]),
    labels=tf.constant([[[1.0, 0, 1]], [[0, 1, 0]]]),
    num_boxes=tf.constant([1, 1]),
    sampling_seed=tf.constant([[1, 2], [3, 4]]),
)


def load(tmp_path, text):
    path = tmp_path / "pipeline.config"
    path.write_text(text)
    return config.load(str(path))


@pytest.mark.parametrize(
    "trunk, head",
    [("movinet", "tx"), ("movinet", "i3d"), ("resnet_3d", "tx_i3d"), ("separable", "tx_i3d")],
)
def test_a_detector_trains_and_detects(trunk, head, tmp_path):
    set_random_seed(1)
    loaded = load(tmp_path, DETECTOR % (TRUNKS[trunk], HEADS[head]))
    model = model_builder.build(loaded.model)
    with tf.GradientTape() as tape:
        predictions = model.predict(model.preprocess(CLIPS), GROUNDTRUTH, training=True)
        losses = model.loss(predictions, GROUNDTRUTH)
        total = tf.add_n(list(losses.values()))
    variables = model.trainable_variables
    gradients = tape.gradient(total, variables)
    assert not [v.name for v, g in zip(variables, gradients, strict=True) if g is None]
    assert np.isfinite(total)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_sub(0.01 * tf.convert_to_tensor(gradient))
    detections = model.postprocess(model.predict(model.preprocess(CLIPS)))
    assert np.isfinite(detections.scores).all()
    assert (detections.num_detections.numpy() > 0).all()


@pytest.mark.parametrize("trunk", ["movinet", "separable"])
def test_a_classifier_trains(trunk):
    classifier = text_format.Parse(
        "video_classifier { num_classes: 4 clip { num_frames: 4 frame_rate: 4 } "
        "image_resizer { fixed_shape_resizer { height: 32 width: 32 } } "
        f"trunk {{ {TRUNKS[trunk]} }} }}",
        model_pb2.DetectionModel(),
    )
    model = model_builder.build(classifier)
    with tf.GradientTape() as tape:
        logits = model(model.preprocess(CLIPS), training=True)
        loss = tf.reduce_mean(logits**2)
    assert logits.shape == (2, 4)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert model.trainable_variables and not any(gradient is None for gradient in gradients)


def test_the_builder_passes_id_batch_norm_and_momentum_on():
    text = 'movinet { model_id: "a2" } batch_norm: SYNC batch_norm_momentum: 0.5'
    trunk = trunk_builder.build(text_format.Parse(text, trunk_pb2.Trunk()))
    assert (trunk.model_id, trunk.batch_norm, trunk.batch_norm_momentum) == ("a2", "SYNC", 0.5)
    assert trunk.build_tail().output_depth == 640
    trunk = trunk_builder.build(text_format.Parse("resnet_3d { model_id: 101 }", trunk_pb2.Trunk()))
    assert (trunk.model_id, trunk.batch_norm) == (101, "FROZEN")
    assert len(trunk.blocks.child_names) == 1 + 3 + 4 + 23


@pytest.mark.parametrize(
    "trunk, problem",
    [
        ("resnet_3d { model_id: 51 }", "is '51': expected 50 or 101 or 152 or 200 or 270"),
        ('movinet { model_id: "A0" }', "is 'A0': expected a0 or a1 or a2 or a3 or a4 or a5"),
    ],
)
def test_a_wrong_id_is_refused_with_its_line(trunk, problem, tmp_path):
    with pytest.raises(UserError) as refused:
        load(tmp_path, DETECTOR % (trunk, HEADS["tx"]))
    assert str(refused.value).startswith(f"{tmp_path}/pipeline.config:6: ")
    assert str(refused.value).endswith(problem)
