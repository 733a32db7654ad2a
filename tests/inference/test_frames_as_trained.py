"""From records through config and export to a video: the model sees frames as it was trained."""

import importlib.util
import signal
from pathlib import Path

import numpy as np
import pytest
from coded_video import coded_frame, read_code
from fake_detection_model import FakeDetectionModel
from PIL import Image

from avatx import config
from avatx.builders import experiment_builder, frame_settings_builder
from avatx.data.input.clip_source import RecordClips
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.clip_sampling import wanted_times
from avatx.data.video.frame_settings import FIELDS, FrameSettings
from avatx.data.video.video_writer import VideoWriter
from avatx.export import saved_model
from avatx.inference.detector import Detector

REPOSITORY = Path(__file__).parents[2]
NUM_FRAMES, FRAME_RATE = 6, 12.5
NUM_STORED = 40  # frames of the film and of the folder
TWO_STREAM = "two_stream { rgb { i3d {} } flow { i3d {} } }"
CONFIG = """
model { action_faster_rcnn {
  num_classes: 4
  clip { num_frames: 6 frame_rate: 12.5 }
  image_resizer { fixed_shape_resizer { height: 32 width: 48 } }
  trunk { TRUNK }
  first_stage_anchor_generator { grid_anchor_generator { scales: 1 aspect_ratios: 1 } }
  second_stage_box_predictor { i3d_box_predictor {} }
} }
train_config { batch_size: 2 num_steps: 10 optimizer { momentum_optimizer { learning_rate {
  constant_learning_rate { learning_rate: 0.01 } } } } }
train_input_reader { label_map_path: "FOLDER/labels.pbtxt"
  tf_record_input_reader { input_path: "FOLDER/records/*.tfrecord" } }
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A film of 25 frames a second and a folder of frames, both numbered and with a texture."""
    folder = tmp_path_factory.mktemp("videos")
    texture = np.random.default_rng(3).integers(0, 256, [12, 60, 1])
    texture = np.uint8(np.kron(texture, np.ones([4, 4, 3])))
    (folder / "dump").mkdir()
    with VideoWriter(str(folder / "film.mp4"), 25, 96, 160) as writer:
        for number in range(NUM_STORED):
            frame = coded_frame(number, height=96)
            frame[40:88] = texture[:, number : number + 160]  # moves a pixel a frame to the left
            frame[:32] = np.repeat(coded_frame(number)[:16], 2, axis=0)
            writer.write(frame)
            Image.fromarray(frame).save(folder / "dump" / f"{number + 1:04d}.jpg", quality=95)
    return folder


def exported(videos, folder, settings):
    """Records of both videos, the config that a training on them writes, and its export."""
    keyframe = settings.video_start_seconds + 1
    rows = [f"{name},{keyframe:g},0.1,0.2,0.5,0.9,1,0\n" for name in ("film", "dump")]
    (folder / "rows.csv").write_text("".join(rows))
    (folder / "labels.pbtxt").write_text('item { name: "stand" id: 1 }\n')
    create_ava_records(
        videos=[str(videos)],
        annotations=str(folder / "rows.csv"),
        label_map=str(folder / "labels.pbtxt"),
        output=str(folder / "records" / "set"),
        num_shards=1,
        settings=RecordSettings(settings, jpeg_quality=95),
        log=lambda line: None,
    )
    text = CONFIG.replace("FOLDER", str(folder))
    text = text.replace("TRUNK", TWO_STREAM if settings.optical_flow else "i3d {}")
    (folder / "given.config").write_text(text)
    experiment = experiment_builder.build(
        config.load(str(folder / "given.config")), str(folder / "model")
    )
    (folder / "pipeline.config").write_text(experiment.config_text)
    effective = config.load(str(folder / "pipeline.config"))
    model = FakeDetectionModel(input_channels=5 if settings.optical_flow else 3)
    known = frame_settings_builder.build(effective)
    export(model, folder / "saved_model", known)
    return known


def export(model, path, known):
    names = {1: "stand", 2: "walk", 4: "sit"}
    saved_model.export(model, NUM_FRAMES, FRAME_RATE, names, str(path), frame_settings=known)


def detect(monkeypatch, folder, video, *flags):
    """The clip around second 1 that tools/detect_video.py gives the model."""
    seen = []
    original = Detector.detect
    monkeypatch.setattr(
        Detector, "detect", lambda self, clips: seen.append(clips) or original(self, clips)
    )
    spec = importlib.util.spec_from_file_location(
        "detect_video_tool", REPOSITORY / "tools" / "detect_video.py"
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    arguments = ["--saved_model", folder, "--video", video, "--output", folder / "out", *flags]
    previous = signal.getsignal(signal.SIGTERM)
    try:
        assert tool.main([str(argument) for argument in arguments]) == 0
    finally:
        signal.signal(signal.SIGTERM, previous)
    return seen[1][0]


def stored(folder, video_id, settings):
    """The clip around the keyframe that training sees."""
    keyframe = round((settings.video_start_seconds + 1) * 1e6)
    offsets = wanted_times(0, NUM_FRAMES, FRAME_RATE)
    source = RecordClips([str(folder / "records" / "*.tfrecord")], bool(settings.optical_flow))
    source.prepare([(video_id, keyframe)], offsets)
    return source.clip(video_id, keyframe, offsets).frames


@pytest.mark.parametrize(
    "settings, film, dump",
    [
        (FrameSettings(0, 25.0), [19, 21, 23, 25, 27, 29], [19, 21, 23, 25, 27, 29]),
        (FrameSettings(48, 12.5), [19, 21, 23, 25, 27, 29], [9, 10, 11, 12, 13, 14]),
        (FrameSettings(64, 25.0, 5.0), [20, 20, 25, 25, 25, 30], [20, 20, 25, 25, 25, 30]),
        (
            FrameSettings(0, 25.0, 0.0, "", 900.0),
            [19, 21, 23, 25, 27, 29],
            [19, 21, 23, 25, 27, 29],
        ),
        (
            FrameSettings(0, 12.5, 0.0, "farneback"),
            [19, 21, 23, 25, 27, 29],
            [9, 10, 11, 12, 13, 14],
        ),
    ],
    ids=["usual", "small-12.5", "thinned", "late", "farneback"],
)
def test_without_flags_frames_are_those_of_the_records(
    videos, tmp_path, monkeypatch, capsys, settings, film, dump
):
    known = exported(videos, tmp_path, settings)
    assert known == settings.to_dict()
    assert Detector(str(tmp_path)).frame_settings == settings.to_dict()
    for video_id, path, codes in (("film", "film.mp4", film), ("dump", "dump", dump)):
        expected = stored(tmp_path, video_id, settings)
        found = detect(monkeypatch, tmp_path, videos / path)
        assert found.shape == expected.shape
        for clip in (found, expected):
            assert [read_code(frame[..., :3]) for frame in clip] == codes
        difference = np.abs(found.astype(int) - expected)  # records are JPEG, once more
        assert difference[..., :3].mean() < 4
        if settings.optical_flow:
            assert difference[..., 3:].mean() < 1
    shown = capsys.readouterr().err
    assert "--" not in shown


GIVEN = {
    "shorter_side": ("48", "frames of 64 pixels"),
    "folder_frame_rate": ("25", "folders at 12.5 frames a second"),
    "max_frame_rate": ("5", "all frames of a video"),
    "optical_flow": ("dis", "optical flow by farneback"),
}


def test_a_flag_overrides_and_says_so(videos, tmp_path, monkeypatch, capsys):
    trained = FrameSettings(64, 12.5, 0.0, "farneback", 900.0)
    export(FakeDetectionModel(input_channels=5), tmp_path / "saved_model", trained.to_dict())
    usual = detect(monkeypatch, tmp_path, videos / "dump")
    assert "the model was trained" not in capsys.readouterr().err
    same = [f"--{name}={getattr(trained, name)}" for name in GIVEN]
    np.testing.assert_array_equal(detect(monkeypatch, tmp_path, videos / "dump", *same), usual)
    assert "the model was trained" not in capsys.readouterr().err
    for name, (value, words) in GIVEN.items():
        other = detect(monkeypatch, tmp_path, videos / "dump", f"--{name}", value)
        assert other.shape != usual.shape or np.any(other != usual)
        line = f"--{name} {value}: the model was trained on {words}\n"
        assert line in capsys.readouterr().err


def test_every_field_of_the_export_is_read_back(tmp_path):
    trained = FrameSettings(64, 29.97, 12.3, "dis", 900.1).to_dict()
    for name in FIELDS:
        path = tmp_path / name
        export(FakeDetectionModel(), path, {**dict.fromkeys(FIELDS), name: trained[name]})
        known = Detector(str(path)).frame_settings
        assert known == {**dict.fromkeys(FIELDS), name: trained[name]}
        assert type(known[name]) is type(trained[name])


def test_an_older_export_says_nothing_and_defaults_are_those_of_before(
    videos, tmp_path, monkeypatch, capsys
):
    names = {1: "stand", 2: "walk", 4: "sit"}
    saved_model.export(
        FakeDetectionModel(), NUM_FRAMES, FRAME_RATE, names, str(tmp_path / "saved_model")
    )
    detector = Detector(str(tmp_path))
    assert detector.frame_settings == dict.fromkeys(FIELDS)
    outputs = detector._signatures["metadata"].structured_outputs
    assert set(outputs) == {"num_frames", "frame_rate", "class_ids", "class_names"}
    found = detect(monkeypatch, tmp_path, videos / "dump", "--shorter_side", "0")
    assert [read_code(frame) for frame in found] == [23, 25, 28, 30, 32, 35]  # 30 a second
    assert "the model was trained" not in capsys.readouterr().err
