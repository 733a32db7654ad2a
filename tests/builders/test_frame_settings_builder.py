"""Frame settings from config and records, and into the effective config."""

import dataclasses

import pytest
from small_records import keyframe, segment, write

from avatx import config
from avatx.builders import experiment_builder, frame_settings_builder
from avatx.data.video.frame_settings import FIELDS, FrameSettings
from avatx.errors import UserError
from avatx.protos import pipeline_pb2
from avatx.training import run

CLIP = "model.action_faster_rcnn.clip"
TRAIN = FrameSettings(256, 12.5, 29.97, "", 900.0)
FLOW = {"method": "farneback"}
CONFIG = """
model { action_faster_rcnn {
  num_classes: 3
  clip { num_frames: 4 frame_rate: 25 }
  image_resizer { fixed_shape_resizer { height: 32 width: 48 } }
  trunk { TRUNK }
  first_stage_anchor_generator { grid_anchor_generator { scales: 1 aspect_ratios: 1 } }
  second_stage_box_predictor { i3d_box_predictor {} }
} }
train_config { batch_size: 2 num_steps: 10 optimizer { momentum_optimizer { learning_rate {
  constant_learning_rate { learning_rate: 0.01 } } } } }
train_input_reader { label_map_path: "FOLDER/labels.pbtxt"
  tf_record_input_reader { input_path: "FOLDER/train-*" } }
eval_input_reader { label_map_path: "FOLDER/labels.pbtxt"
  tf_record_input_reader { input_path: "FOLDER/eval-*" } }
"""
I3D = "i3d { }"
TWO_STREAM = "two_stream { rgb { i3d {} } flow { i3d {} } }"


def put(folder, name, provenance):
    one = segment("v", [keyframe(0)], num_frames=2)
    return write(folder / name, [dataclasses.replace(one, provenance=provenance)])


def load(folder, *overrides, trunk=I3D):
    (folder / "labels.pbtxt").write_text('item { name: "stand" id: 1 }\n')
    text = CONFIG.replace("FOLDER", str(folder)).replace("TRUNK", trunk)
    (folder / "pipeline.config").write_text(text)
    return config.load(str(folder / "pipeline.config"), overrides)


def filled(loaded):
    frames = frame_settings_builder.RecordFrames.read(loaded)
    return frame_settings_builder.build(frames.filled(loaded))


def test_a_config_says_what_is_set_and_nothing_else(tmp_path):
    loaded = load(tmp_path, f"{CLIP}.frame_settings.shorter_side=0")
    assert frame_settings_builder.build(loaded) == {**dict.fromkeys(FIELDS), "shorter_side": 0}
    text = '{ folder_frame_rate: 12.5 max_frame_rate: 29.97 optical_flow: "dis" }'
    known = frame_settings_builder.build(load(tmp_path, f"{CLIP}.frame_settings={text}"))
    assert known["folder_frame_rate"] == 12.5 and known["max_frame_rate"] == 29.97  # no float32
    assert known["optical_flow"] == "dis" and known["video_start_seconds"] is None


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("shorter_side", "-1", "at least 0"),
        ("folder_frame_rate", "0", r"in \(0, 1e\+06\)"),
        ("folder_frame_rate", "1e6", r"in \(0, 1e\+06\)"),
        ("max_frame_rate", "-0.5", r"in \[0, 1e\+06\)"),
        ("video_start_seconds", "1e9", "in "),
        ("optical_flow", "tvl1", "dis or farneback or nothing"),
    ],
)
def test_a_config_out_of_range_is_refused(tmp_path, field, value, expected):
    with pytest.raises(
        UserError, match=f"{CLIP}.frame_settings.{field} is .*: expected {expected}"
    ):
        load(tmp_path, f"{CLIP}.frame_settings.{field}={value}")


def test_the_effective_config_says_what_the_training_records_say(tmp_path):
    put(tmp_path, "train-0", TRAIN.to_provenance())
    put(tmp_path, "train-1", {"shorter_side": 256, "max_frame_rate": 29.97})
    put(tmp_path, "eval-0", FrameSettings().to_provenance())
    loaded = load(tmp_path)
    assert filled(loaded) == TRAIN.to_dict()
    assert not loaded.model.action_faster_rcnn.clip.HasField("frame_settings")
    put(tmp_path, "train-2", dataclasses.replace(TRAIN, shorter_side=400).to_provenance())
    assert filled(loaded) == {**TRAIN.to_dict(), "shorter_side": None}  # they do not agree
    given = load(tmp_path, f"{CLIP}.frame_settings.shorter_side=128")
    assert filled(given) == {**TRAIN.to_dict(), "shorter_side": 128}


def test_flow_is_of_interest_to_a_model_with_a_flow_stream(tmp_path):
    put(tmp_path, "train-0", TRAIN.to_provenance(FLOW))
    assert filled(load(tmp_path, trunk=TWO_STREAM))["optical_flow"] == "farneback"
    assert filled(load(tmp_path))["optical_flow"] == ""


def test_records_that_are_not_there_or_say_nothing(tmp_path):
    loaded = load(tmp_path)
    assert filled(loaded) == dict.fromkeys(FIELDS)
    put(tmp_path, "train-0", {})
    frames = frame_settings_builder.RecordFrames.read(loaded)
    assert frames.filled(loaded) == loaded
    assert frames.check(training=True, evaluating=True) == []


def experiment(folder, *overrides, trunk=I3D):
    return experiment_builder.build(load(folder, *overrides, trunk=trunk), str(folder / "model"))


def test_an_experiment_checks_the_records_that_its_run_reads(tmp_path):
    put(tmp_path, "train-0", TRAIN.to_provenance())
    put(tmp_path, "eval-0", dataclasses.replace(TRAIN, shorter_side=400).to_provenance())
    (line,) = experiment(tmp_path).check_frames(True, True)
    assert "eval-0 hold frames of 400 pixels, and the model's training has frames of 256" in line
    assert experiment(tmp_path).check_frames(True, False) == []
    (line,) = experiment(tmp_path, f"{CLIP}.frame_rate=30").check_frames(True, False)
    assert line.startswith("clip.frame_rate is 30, and the records hold at most 29.97 frames")
    other = experiment(tmp_path, f"{CLIP}.frame_settings.shorter_side=400")
    with pytest.raises(UserError, match="frame_settings.shorter_side: the config says frames of"):
        other.check_frames(True, False)
    assert other.check_frames(False, True) == []


def test_a_run_ends_before_anything_is_written_where_records_are_wrong(tmp_path, capsys):
    put(tmp_path, "train-0", TRAIN.to_provenance())
    put(tmp_path, "eval-0", TRAIN.to_provenance())
    with pytest.raises(UserError, match="train-0: holds no optical flow"):
        run.train(experiment(tmp_path, trunk=TWO_STREAM))
    with pytest.raises(UserError, match="eval-0: holds no optical flow"):
        run.evaluate(experiment(tmp_path, trunk=TWO_STREAM), write_checkpoint(tmp_path))
    assert not (tmp_path / "model").exists()


def write_checkpoint(folder):
    for name in ("ckpt-1.index", "ckpt-1.data-00000-of-00001"):
        (folder / name).write_bytes(b"")
    return str(folder / "ckpt-1")


def test_the_effective_config_is_what_a_run_writes(tmp_path):
    put(tmp_path, "train-0", TRAIN.to_provenance())
    text = experiment(tmp_path).config_text
    (tmp_path / "written.config").write_text(text)
    again = config.load(str(tmp_path / "written.config"))
    assert frame_settings_builder.build(again) == TRAIN.to_dict()
    assert isinstance(again, pipeline_pb2.PipelineConfig)
