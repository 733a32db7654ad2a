"""A config as the Object Detection API ships it (faster_rcnn_resnet101_ava_v2.1), shortened."""

import pytest

from avatx import config
from avatx.cli import tool
from avatx.config.detection_api import convert
from avatx.errors import UserError
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


@pytest.mark.parametrize(
    "text, said",
    [
        ("model { ssd { num_classes: 3 } }", "model { ssd } where"),
        ("", "where model"),
        ("model { faster_rcnn { num_classes: } }", "line 1: num_classes has no value"),
        ("model { faster_rcnn {\n num_classes: 3 }", "model has no }"),
        ("model { faster_rcnn { } } }", "a } too many"),
        ("model\n ? x", "line 2: '? x' is no text format"),
    ],
)
def test_what_is_no_such_config_is_refused(text, said):
    with pytest.raises(UserError) as error:
        convert(text, "a.config")
    assert said in str(error.value)
