"""Each option of detect_video changes what is found or written, in the way that it says."""

import csv
import inspect
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from fake_detection_model import FakeDetectionModel
from PIL import Image

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records import record
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.frame_settings import FIELDS, FrameSettings
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference import video_detection
from avatx.inference.detector import ClipDetections, Detector

NUM_FRAMES, CLIP_RATE = 8, 5.0
VIDEO_RATE = 12  # frames a second: 83.3 ms
LENGTH = 40
STEP = 6  # grey levels from frame to frame
CLASS_NAMES = {1: "bend", 2: "stand", 4: "watch (a person)"}


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export") / "saved_model")
    model = FakeDetectionModel()
    saved_model.export(model, NUM_FRAMES, CLIP_RATE, CLASS_NAMES, folder, attention=True)
    return Detector(folder)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Frame i is grey of level 6 i."""
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    with VideoWriter(str(path), VIDEO_RATE, 64, 96, crf=5) as writer:
        for i in range(LENGTH):
            writer.write(np.full([64, 96, 3], STEP * i, np.uint8))
    return path


@pytest.fixture(autouse=True)
def small_drawings(monkeypatch):
    """What is drawn plays no part here, and large videos take long to encode."""
    monkeypatch.setattr(video_detection, "ANNOTATED_SHORTER_SIDE", 64)


class Spy:
    """A detector that keeps the clips that it is shown."""

    def __init__(self, detector, has_flow=False):
        self._detector, self.has_flow = detector, has_flow
        self.clips, self.calls = [], []

    def __getattr__(self, name):
        return getattr(self._detector, name)

    def detect(self, clips):
        self.calls.append(len(clips))
        self.clips += list(clips)
        return self._detector.detect(clips[..., :3])


def run(detector, video, output, has_flow=False, **options):
    spy = Spy(detector, has_flow)
    frames = {name: options.pop(name) for name in FIELDS if name in options}
    if has_flow:
        frames.setdefault("optical_flow", "dis")
    options["frame_settings"] = FrameSettings(**{"shorter_side": 0, **frames})
    options = {"score_threshold": 0.0, **options}
    summary = video_detection.detect_video(spy, str(video), str(output), **options)
    return spy, summary


def numbers(clips):
    """Which frame of the video each frame is, by its grey level."""
    return np.rint(np.asarray(clips)[..., 8, 8, 0].astype(float) / STEP).astype(int)


def test_every_option_is_changed_here():
    parameters = inspect.signature(video_detection.detect_video).parameters.values()
    names = {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}
    assert "frame_settings" in names
    # When a video begins on its csv's clock plays no part here; `log` has test_video_detection.py,
    # `boxes` test_boxes_of_video.py, `attended` tests/explorer/test_detected_first.py.
    elsewhere = {"frame_settings", "video_start_seconds", "log", "boxes", "attended"}
    names = (names | set(FIELDS)) - elsewhere
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert names <= tested, names - tested


def test_frames_of_an_unthinned_video(detector, video, tmp_path):
    """Keyframe 1 s is frame 12; 200 ms are 2.4 frames."""
    spy, _ = run(detector, video, tmp_path / "out")
    assert len(spy.clips) == 4
    assert numbers(spy.clips[1]).tolist() == [2, 5, 7, 10, 12, 14, 17, 19]


def test_max_frame_rate(detector, video, tmp_path):
    """The first frame of each quarter of a second: every third one."""
    spy, _ = run(detector, video, tmp_path / "out", max_frame_rate=4.0)
    # Wanted, in frames: 2.4, 4.8, 7.2, 9.6, 12, 14.4, 16.8, 19.2.
    assert numbers(spy.clips[1]).tolist() == [3, 6, 6, 9, 12, 15, 18, 18]
    assert set(numbers(spy.clips).ravel() % 3) == {0}


@pytest.mark.parametrize("rate", [0.0, 4.0, 7.0])
def test_frames_are_those_of_records_thinned_alike(detector, video, tmp_path, rate):
    spy, _ = run(detector, video, tmp_path / "out", max_frame_rate=rate)
    (tmp_path / "rows.csv").write_text("".join(f"walk,{s},0.1,0.2,0.5,0.9,1,0\n" for s in range(4)))
    (tmp_path / "labels.pbtxt").write_text('item { name: "bend" id: 1 }')
    create_ava_records(
        videos=[str(video.parent)],
        annotations=str(tmp_path / "rows.csv"),
        label_map=str(tmp_path / "labels.pbtxt"),
        output=str(tmp_path / "records" / "set"),
        num_shards=1,
        settings=RecordSettings(
            FrameSettings(shorter_side=0, max_frame_rate=rate), margin_seconds=1.0
        ),
        log=lambda line: None,
    )
    pattern = str(tmp_path / "records" / "set-*.tfrecord")
    clip = ClipShape(NUM_FRAMES, CLIP_RATE, 64, 96)
    batch = next(
        iter(
            build_dataset(
                KeyframeSource(default(InputOptions, (pattern,), 1), clip), 4, training=False
            )
        )
    )
    (serialized,) = tf.data.TFRecordDataset(tf.io.gfile.glob(pattern))
    assert len(record.decode(serialized.numpy()).frames) == {0.0: 40, 4.0: 14, 7.0: 23}[rate]
    np.testing.assert_array_equal(numbers(spy.clips), numbers(batch.clips))


def test_score_threshold(detector, video, tmp_path):
    _, everything = run(detector, video, tmp_path / "all")
    scores = [row["score"] for row in rows_of(tmp_path / "all")]
    threshold = sorted(scores)[4]
    _, some = run(detector, video, tmp_path / "some", score_threshold=threshold)
    kept = [score for score in scores if score >= threshold]  # one that is equal stays
    assert [row["score"] for row in rows_of(tmp_path / "some")] == kept
    assert (everything.num_detections, some.num_detections) == (12, len(kept))
    people = [
        action["score"]
        for keyframe in json.loads((tmp_path / "some" / "detections.json").read_text())["keyframes"]
        for person in keyframe["people"]
        for action in person["actions"]
    ]
    assert sorted(people) == pytest.approx(sorted(kept), abs=1e-6)


def rows_of(folder):
    names = ("video", "second", "x1", "y1", "x2", "y2", "class_id", "score")
    text = (folder / "detections.csv").read_text()
    return [
        {
            name: value if name == "video" else float(value)
            for name, value in zip(names, row, strict=True)
        }
        for row in csv.reader(io.StringIO(text))
    ]


def test_every(detector, video, tmp_path):
    _, summary = run(detector, video, tmp_path / "out", every=0.75)
    assert sorted({row["second"] for row in rows_of(tmp_path / "out")}) == [0, 0.75, 1.5, 2.25, 3]
    assert summary.num_keyframes == 5


def test_batch_size(detector, video, tmp_path):
    assert run(detector, video, tmp_path / "one")[0].calls == [1, 1, 1, 1]
    assert run(detector, video, tmp_path / "three", batch_size=3)[0].calls == [3, 1]


def test_shorter_side(detector, video, tmp_path):
    spy, _ = run(detector, video, tmp_path / "out", shorter_side=32)
    assert spy.clips[0].shape == (NUM_FRAMES, 32, 48, 3)
    content = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert (content["height"], content["width"]) == (64, 96)


def test_folder_frame_rate(detector, tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for i in range(20):
        Image.new("RGB", (64, 48), (STEP * i,) * 3).save(folder / f"{i:03}.png")
    slow, summary = run(detector, folder, tmp_path / "slow", folder_frame_rate=5)
    assert summary.num_keyframes == 4  # 0 to 3 of 3.8 s
    assert numbers(slow.clips[1]).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    fast, summary = run(detector, folder, tmp_path / "fast", folder_frame_rate=10)
    assert summary.num_keyframes == 2
    assert numbers(fast.clips[1]).tolist() == [2, 4, 6, 8, 10, 12, 14, 16]


def test_groundtruth(detector, video, tmp_path):
    (tmp_path / "truth.csv").write_text("walk,0001,0.1,0.2,0.3,0.9,2,0\n")
    run(detector, video, tmp_path / "plain")
    run(detector, video, tmp_path / "both", groundtruth=str(tmp_path / "truth.csv"))
    plain, both = (Image.open(tmp_path / name / "contact_sheet.jpg") for name in ("plain", "both"))
    assert both.size != plain.size


def test_attention(detector, video, tmp_path):
    run(detector, video, tmp_path / "without")
    assert not (tmp_path / "without" / "attention.jpg").exists()
    run(detector, video, tmp_path / "with", attention=True)
    assert (tmp_path / "with" / "attention.jpg").exists()


def test_attended(detector, video, tmp_path):
    told = []
    run(detector, video, tmp_path, score_threshold=0.9, attended=lambda *one: told.append(one))
    content = json.loads((tmp_path / "detections.json").read_text())
    assert len(told) == len(content["keyframes"]) == 4
    for number, (index, people, clip, detections, attention) in enumerate(told):
        assert (index, clip.timestamp) == (number, number)
        assert len(people) == len(content["keyframes"][number]["people"])
        # Of any score: proposals 2, 0 and 1, each of whose attention is its number everywhere.
        assert len(detections.scores) == 3
        assert attention.maps.max(axis=(1, 2, 3, 4, 5)).tolist() == [2, 0, 1]
    assert not all(people for _, people, *_ in told)
    spy = Spy(detector)
    spy.has_attention = False
    with pytest.raises(UserError, match="exported without attention; .* or leave `attended` out"):
        video_detection.detect_video(spy, str(video), str(tmp_path), attended=print)


def test_video_id(detector, video, tmp_path):
    run(detector, video, tmp_path, video_id="street/7")
    csv = (tmp_path / "detections.csv").read_text().splitlines()
    assert csv and {line.split(",")[0] for line in csv} == {"street/7"}
    assert '"video_id": "street/7"' in (tmp_path / "detections.json").read_text()


def test_optical_flow(detector, tmp_path):
    """A model with a flow stream is shown it, computed as asked for."""
    path = tmp_path / "noise.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (64, 140, 3), np.uint8)
    with VideoWriter(str(path), VIDEO_RATE, 64, 96, crf=5) as writer:
        for i in range(12):
            writer.write(np.repeat(np.repeat(noise, 2, 0), 2, 1)[:64, 3 * i : 3 * i + 96])
    clips = {}
    for method in ("dis", "farneback"):
        spy, _ = run(detector, path, tmp_path / method, has_flow=True, optical_flow=method)
        (clips[method],) = spy.clips
        assert clips[method].shape == (NUM_FRAMES, 64, 96, 5)
    assert not np.array_equal(clips["dis"][..., 3:], clips["farneback"][..., 3:])
    np.testing.assert_array_equal(clips["dis"][..., :3], clips["farneback"][..., :3])
    spy, _ = run(detector, path, tmp_path / "rgb")
    assert spy.clips[0].shape[-1] == 3


def test_progress(detector, video, tmp_path):
    seen = []
    run(detector, video, tmp_path / "out", progress=lambda *told: seen.append(told))
    times, durations = zip(*seen, strict=True)
    np.testing.assert_allclose(times, np.arange(LENGTH) / VIDEO_RATE, atol=1e-3)
    np.testing.assert_allclose(durations, LENGTH / VIDEO_RATE, atol=1e-3)


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("score_threshold", [0, 1], [-1e-9, 1.0001, float("nan")]),
        ("every", [1e-3], [0.99e-3, float("inf"), float("nan")]),
        ("batch_size", [1], [0]),
    ],
)
def test_ranges(name, good, bad):
    plain = {"score_threshold": 0.3, "every": 1.0, "batch_size": 1}
    for value in good:
        video_detection.check_arguments(**{**plain, name: value})
    for value in bad:
        with pytest.raises(UserError, match=name):
            video_detection.check_arguments(**{**plain, name: value})


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("folder_frame_rate", [1e-3], [0, float("inf"), float("nan")]),
        ("shorter_side", [0], [-1]),
        ("optical_flow", ["dis", "farneback"], ["tvl1"]),
        ("max_frame_rate", [0, 0.5], [-0.1, float("inf"), float("nan")]),
    ],
)
def test_ranges_of_frame_settings(name, good, bad):
    for value in good:
        assert getattr(FrameSettings(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(UserError, match=name):
            FrameSettings(**{name: value})


def test_a_flow_stream_needs_a_method(detector, video, tmp_path):
    with pytest.raises(UserError, match="optical_flow is empty"):
        run(detector, video, tmp_path / "out", has_flow=True, optical_flow="")


def test_csv_columns(detector, video, tmp_path):
    """Literal: x before y, the label map's id, the score last."""
    run(detector, video, tmp_path / "out")
    first = rows_of(tmp_path / "out")[0]
    assert (first["video"], first["second"]) == ("walk", 0)
    assert [first[name] for name in ("x1", "y1", "x2", "y2")] == pytest.approx([0.6, 0.2, 0.9, 0.8])
    assert first["class_id"] == 1 and 0.5 < first["score"] < 1


def test_json_facts(detector, video, tmp_path):
    run(detector, video, tmp_path / "out", every=0.75, score_threshold=0.25)
    content = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert content["video"] == str(video) and content["video_id"] == "walk"
    assert (content["every"], content["score_threshold"]) == (0.75, 0.25)
    assert content["frame_rate"] == pytest.approx(12)
    assert content["duration"] == pytest.approx(LENGTH / VIDEO_RATE, abs=1e-3)
    assert content["saved_model"] == detector.path
    assert [keyframe["timestamp"] for keyframe in content["keyframes"]] == [0, 0.75, 1.5, 2.25, 3]


def test_detections_above():
    found = ClipDetections(
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([5, 6, 7]),
        np.array([0.9, 0.5, 0.1]),
    ).above(0.5)
    assert found.scores.tolist() == [0.9, 0.5]
    assert found.classes.tolist() == [5, 6]
    assert found.boxes[:, 0].tolist() == [0, 4]


@pytest.mark.parametrize(
    "path, name",
    [
        ("a/film.v2.mp4", "film.v2"),
        ('a/x,"y".mp4', "x__y_"),
        ("rtsp://camera/1", "1"),
        ("/", "video"),
    ],
)
def test_names_of_videos(path, name):
    assert video_detection.name_video(path) == name


def test_the_name_of_a_folder_keeps_its_dots(tmp_path):
    (tmp_path / "clip.7").mkdir()
    assert video_detection.name_video(f"{tmp_path}/clip.7/") == "clip.7"
