"""A config as the Object Detection API ships it (faster_rcnn_resnet101_ava_v2.1), shortened."""

import numpy as np
import pytest
from google.protobuf import text_format

from avatx import config
from avatx.cli import tool
from avatx.config.detection_api import convert
from avatx.errors import UserError
from avatx.protos import pipeline_pb2
from avatx.protos.action_faster_rcnn_pb2 import SIGMOID_FOCAL
from avatx.protos.trunk_pb2 import FROZEN

THEIRS = """
# Faster R-CNN with Resnet-101 (v1), AVA v2.1
model {
  faster_rcnn {
    num_classes: 80
    image_resizer { keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 } }
    feature_extractor { type: 'faster_rcnn_resnet101' first_stage_features_stride: 16 }
    first_stage_anchor_generator {
      grid_anchor_generator {
        scales: [0.25, 0.5, 1.0, 2.0]
        aspect_ratios: 0.5
        aspect_ratios: 2.0
        height_stride: 16
        width_stride: 16
      }
    }
    first_stage_nms_iou_threshold: 0.7
    first_stage_max_proposals: 300
    first_stage_localization_loss_weight: 2.0
    initial_crop_size: 14
    second_stage_box_predictor {
      mask_rcnn_box_predictor { use_dropout: false dropout_keep_probability: 1.0 }
    }
    second_stage_post_processing {
      batch_non_max_suppression { iou_threshold: 0.6 max_total_detections: 300 }
      score_converter: SIGMOID
    }
  }
}
train_config: {
  batch_size: 2
  num_steps: 1500000
  optimizer { momentum_optimizer: {
    learning_rate { cosine_decay_learning_rate { learning_rate_base: .0003 warmup_steps: 100 } }
    momentum_optimizer_value: 0.9
  } }
  gradient_clipping_by_norm: 10.0
  fine_tune_checkpoint: "PATH_TO_BE_CONFIGURED/model.ckpt"
  fine_tune_checkpoint_type: "detection"
  data_augmentation_options { random_horizontal_flip { } }
  data_augmentation_options { random_rotation90 { } }
}
eval_config: { metrics_set: "pascal_voc_detection_metrics" num_examples: 57371 }
train_input_reader: {
  tf_record_input_reader { input_path: "train.record" }
  label_map_path: "ava.pbtxt"
}
eval_input_reader { label_map_path: "ava.pbtxt" shuffle: false }
"""


def test_what_is_the_same_is_kept_and_the_rest_is_told(tmp_path, capsys):
    source, output = tmp_path / "theirs.config", tmp_path / "ours.config"
    source.write_text(THEIRS)
    arguments = ["--pipeline_config_path", str(source), "--output", str(output)]
    assert tool("convert_config").main(arguments) == 0
    said = capsys.readouterr()
    assert "still to mend" not in said.err, said.err
    ours = config.load(str(output))
    model, train = ours.model.action_faster_rcnn, ours.train_config
    grid = model.first_stage_anchor_generator.grid_anchor_generator
    assert list(grid.scales) == [0.25, 0.5, 1, 2] and list(grid.aspect_ratios) == [0.5, 2]
    assert (model.num_classes, model.first_stage_max_proposals) == (80, 300)
    resizer = model.image_resizer.fixed_shape_resizer
    assert (resizer.height, resizer.width) == (600, 800)
    rate = train.optimizer.momentum_optimizer.learning_rate.cosine_decay_learning_rate
    assert rate.learning_rate_base == pytest.approx(0.0003)
    assert (train.batch_size, train.num_steps, train.fine_tune_checkpoint) == (2, 1500000, "")
    assert len(train.data_augmentation_options) == 1
    assert ours.train_input_reader.label_map_path == "ava.pbtxt"
    for what in (
        "model.faster_rcnn.feature_extractor (line 7): the trunk reads video",
        "train_config.fine_tune_checkpoint (line 38): weights of an image model",
        "train_config.fine_tune_checkpoint_type (line 39): of an image model's weights",
        "train_config.fine_tune_checkpoint: is missing: ",
        "train_config.data_augmentation_options.random_rotation90 (line 41)",
        "eval_config.num_examples (line 43): all keyframes",
        "second_stage_post_processing.score_converter (line 26)",
    ):
        assert what in said.err, said.err
    # What is frozen has to come from somewhere: the file itself says from where.
    assert not train.HasField("fine_tune_checkpoint_type")
    assert ours.model.action_faster_rcnn.trunk.batch_norm == FROZEN
    head = output.read_text().partition("\nmodel {")[0]
    assert '#   fine_tune_checkpoint: "kinetics/i3d"\n' in head and "FROZEN" in head
    with pytest.raises(UserError, match="is there already"):
        tool("convert_config").main(arguments)


def converted(**changes: str):
    """Of `THEIRS` with some texts in place of others: the config, and what was done by field."""
    text = THEIRS
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    found = convert(text, "theirs.config")
    config_ = text_format.Parse(found.text, pipeline_pb2.PipelineConfig())
    return config_, dict(found.changed), {field: why for field, _, why in found.dropped}


def test_what_is_left_out_means_what_it_means_there():
    """Their protos' defaults, where ours are others (optimizer.proto, preprocessor.proto)."""
    config_, changed, _ = converted(
        crop=("random_rotation90 { }", "random_crop_image { max_area: 0.9 }")
    )
    optimizer = config_.train_config.optimizer
    schedule = optimizer.momentum_optimizer.learning_rate.cosine_decay_learning_rate
    assert schedule.learning_rate_base == np.float32(0.0003) and schedule.warmup_steps == 100
    assert schedule.total_steps == 4_000_000
    assert schedule.warmup_learning_rate == np.float32(0.0002)
    assert optimizer.use_moving_average
    crop = config_.train_config.data_augmentation_options[1].random_crop_image
    assert (crop.min_area, crop.max_area) == (np.float32(0.1), np.float32(0.9))
    assert crop.overlap_threshold == np.float32(0.3)
    model = config_.model.action_faster_rcnn
    assert model.HasField("second_stage_add_groundtruth_boxes")
    assert not model.second_stage_add_groundtruth_boxes
    of = "train_config.optimizer.momentum_optimizer.learning_rate.cosine_decay_learning_rate"
    for field in (
        f"{of}.total_steps",
        f"{of}.warmup_learning_rate",
        "train_config.optimizer.use_moving_average",
        "train_config.data_augmentation_options.random_crop_image.min_area",
        "model.faster_rcnn.second_stage_add_groundtruth_boxes",
    ):
        assert "in that API" in changed[field]
    assert f"{of}.warmup_steps" not in changed  # it is there
    assert (
        "begin at 0.01"
        in changed["model.action_faster_rcnn.second_stage_class_prediction_bias_init"]
    )

    steps = "manual_step_learning_rate { schedule { step: 9 } }"
    cosine = "cosine_decay_learning_rate { learning_rate_base: .0003 warmup_steps: 100 }"
    config_, changed, _ = converted(rate=(cosine, steps), batch=("batch_size: 2\n", "\n"))
    schedule = config_.train_config.optimizer.momentum_optimizer.learning_rate
    schedule = schedule.manual_step_learning_rate
    assert schedule.initial_learning_rate == np.float32(0.002)
    assert schedule.schedule[0].learning_rate == np.float32(0.002)
    assert config_.train_config.batch_size == 32


def test_losses_and_crops_that_are_here_are_kept():
    head = "second_stage_box_predictor {"
    focal = "second_stage_classification_loss { weighted_sigmoid_focal { gamma: 1.5 alpha: 0.4 } }"
    crop = "random_crop_image { overlap_thresh: 0.2 min_object_covered: 0.7 }"
    config_, _, dropped = converted(
        loss=(head, f"{focal} {head}"), crop=("random_rotation90 { }", crop)
    )
    model = config_.model.action_faster_rcnn
    assert model.second_stage_classification_loss == SIGMOID_FOCAL
    assert model.second_stage_focal_loss_gamma == np.float32(1.5)
    assert model.second_stage_focal_loss_alpha == np.float32(0.4)
    crop_ = config_.train_config.data_augmentation_options[1].random_crop_image
    assert crop_.overlap_threshold == np.float32(0.2)
    field = "train_config.data_augmentation_options.random_crop_image.min_object_covered"
    assert dropped[field] == "our crop has no such field"
    softmax = "second_stage_classification_loss { weighted_softmax { } }"
    _, _, dropped = converted(loss=(head, f"{softmax} {head}"))
    why = dropped["model.faster_rcnn.second_stage_classification_loss.weighted_softmax"]
    assert "sigmoids" in why


@pytest.mark.parametrize(
    "text, said",
    [
        ("model { ssd { num_classes: 3 } }", "model { ssd } where"),
        ("", "where model"),
        ("model { faster_rcnn { num_classes: } }", "line 1: num_classes has no value"),
        ("model { faster_rcnn {\n num_classes: 3 }", "model has no }"),
        ("model { faster_rcnn { } } }", "a } too many"),
        ("model\n ? x", "line 2: '? x' is no text format"),
        ("model { faster_rcnn: 3 }", "where model"),
        ("model { faster_rcnn { x: [1, 2", "line 1: x has no ]"),
        (
            "model { faster_rcnn {} }\ntrain_input_reader { label_map_path: 'C:\\users' }",
            "line 2: label_map_path is",
        ),
    ],
)
def test_what_is_no_such_config_is_refused(text, said):
    with pytest.raises(UserError) as error:
        convert(text, "a.config")
    assert said in str(error.value)


def test_texts_in_pieces_and_with_escapes_are_whole():
    old = 'label_map_path: "ava.pbtxt"\n}'
    new = "label_map_path: \"C:\\\\a/\"  # a long path\n 'g\\303\\274n.pbtxt'\n}"
    config_, _, _ = converted(label_map=(old, new))
    assert config_.train_input_reader.label_map_path == "C:\\a/gün.pbtxt"


@pytest.mark.parametrize(
    "old, new, field",
    [
        (
            "second_stage_box_predictor {",
            "second_stage_classification_loss { weighted_sigmoid_focal { gamma: x } }"
            " second_stage_box_predictor {",
            "model.faster_rcnn.second_stage_classification_loss.weighted_sigmoid_focal.gamma",
        ),
        (
            "min_dimension: 600",
            "min_dimension: many",
            "model.faster_rcnn.image_resizer.keep_aspect_ratio_resizer.min_dimension",
        ),
        ("train_config: {", "eval_config: 3 train_config: {", "eval_config"),
    ],
)
def test_a_value_that_is_none_is_dropped_and_told(old, new, field):
    _, _, dropped = converted(bad=(old, new))
    assert "is no" in dropped[field]


def test_what_the_api_s_other_models_have_becomes_ours():
    """A pyramid of features has anchors of several scales, and resizers are of six kinds."""
    grid = THEIRS[THEIRS.index("grid_anchor") : THEIRS.index("first_stage_nms")].rstrip()[:-1]
    pyramid = "multiscale_anchor_generator { min_level: 2 aspect_ratios: [1.0, 2.0] }\n"
    keep = "keep_aspect_ratio_resizer { min_dimension: 600 max_dimension: 1024 }"
    config_, changed, dropped = converted(
        anchors=(grid, pyramid), size=(keep, "identity_resizer { }")
    )
    model = config_.model.action_faster_rcnn
    ours = model.first_stage_anchor_generator.grid_anchor_generator
    assert list(ours.scales) == [0.25, 0.5, 1, 2] and list(ours.aspect_ratios) == [0.5, 1, 2]
    assert "for your people" in changed["model.faster_rcnn.first_stage_anchor_generator"]
    assert "model.faster_rcnn.first_stage_anchor_generator.multiscale_anchor_generator" in dropped
    resizer = model.image_resizer.fixed_shape_resizer
    assert (resizer.height, resizer.width) == (400, 400)
    assert "own shape" in changed["model.faster_rcnn.image_resizer.identity_resizer"]
    # A field of a resizer is dropped as any other, and told.
    padded = keep.replace(" }", " pad_to_max_dimension: true }")
    _, _, dropped = converted(size=(keep, padded))
    field = "model.faster_rcnn.image_resizer.keep_aspect_ratio_resizer.pad_to_max_dimension"
    assert dropped[field] == "there is no such field here"
