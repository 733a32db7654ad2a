"""detect_video on real video files with a small exported detector."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_detection_model import FakeDetectionModel
from PIL import Image, ImageColor

from avatx.core.people import Action, Person
from avatx.data.annotations import ava_csv
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.keyframe_clips import keyframe_clips
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference import video_detection, video_outputs
from avatx.inference.detector import ClipDetections, Detector
from avatx.inference.video_outputs import KeyframeDetections
from avatx.pictures.colours import class_colours

REPOSITORY = Path(__file__).parents[2]
FILES = ["annotated.mp4", "contact_sheet.jpg", "detections.csv", "detections.json"]
FILES += ["tracks.csv"]
CLASS_NAMES = {1: "bend", 2: "stand", 4: "watch (a person)"}


@pytest.fixture(scope="module")
def export_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    saved_model.export(
        FakeDetectionModel(), 8, 12.5, CLASS_NAMES, str(folder / "saved_model"), attention=True
    )
    return str(folder)


@pytest.fixture(scope="module")
def detector(export_folder):
    return Detector(export_folder)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "street_01.mp4", seconds=2.2)


def write_video(path, seconds, height=90, width=121):
    with VideoWriter(str(path), 25, height, width) as writer:
        for i in range(round(25 * seconds)):
            writer.write(np.full([height, width, 3], (3 * i) % 256, np.uint8))
    return str(path)


def load_tool():
    path = REPOSITORY / "tools" / "detect_video.py"
    spec = importlib.util.spec_from_file_location("detect_video_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_writes_csv_json_video_and_pictures(detector, video, tmp_path):
    output = tmp_path / "out"
    summary = video_detection.detect_video(detector, video, str(output), score_threshold=0.0)
    assert sorted(os.listdir(output)) == summary.files == FILES
    assert summary == (3, 9, FILES, None, None)

    table = ava_csv.read_detections(output / "detections.csv")
    assert table.video_names == ["street_01"]
    assert sorted(set(table.timestamp.tolist())) == [0, 1, 2]
    with VideoReader(video) as reader:
        clips = list(keyframe_clips(reader.frames(), 1.0, 8, 12.5))
    for clip in clips:
        rows = table.timestamp == clip.timestamp
        (expected,) = detector.detect(clip.frames[np.newaxis])
        np.testing.assert_array_equal(table.boxes[rows].astype(np.float32), expected.boxes)
        np.testing.assert_array_equal(table.class_id[rows], expected.classes)
        np.testing.assert_array_equal(table.score[rows].astype(np.float32), expected.scores)

    content = json.loads((output / "detections.json").read_text(encoding="utf-8"))
    assert content["classes"] == {"1": "bend", "2": "stand", "4": "watch (a person)"}
    assert [keyframe["timestamp"] for keyframe in content["keyframes"]] == [0, 1, 2]
    people = content["keyframes"][0]["people"]
    # Two of the three boxes are one person's.
    assert [len(person["actions"]) for person in people] == [1, 2]
    assert people[1]["box"] == pytest.approx([0.1, 0.1, 0.9, 0.4])
    assert [action["name"] for action in people[1]["actions"]] == ["stand", "watch (a person)"]
    assert content["stopped"] is None and content["duration"] == pytest.approx(2.2)


def test_a_folder_with_holes_has_no_keyframes_in_them(detector, tmp_path):
    """Five pictures over two minutes, at 30 a second: of 121 keyframes two have a picture."""
    from PIL import Image

    folder = tmp_path / "film"
    folder.mkdir()
    for number in (1, 2, 3, 1801, 3616):  # 0, 0.033, 0.067, 60 and 120.5 s
        Image.new("RGB", (64, 48), (number % 256, 90, 90)).save(folder / f"img_{number:05d}.png")
    told = []
    summary = video_detection.detect_video(
        detector, str(folder), str(tmp_path / "out"), score_threshold=0.0, log=told.append
    )
    assert summary.num_keyframes == 2
    content = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert [keyframe["timestamp"] for keyframe in content["keyframes"]] == [0, 60]
    assert content["notes"] == told and len(told) == 3
    assert told[0].startswith("3611 of the numbers 1 to 3616 are absent")
    assert told[1].startswith("119 keyframes left out: no frame is within 0.017 s of them")
    assert "frames of clips" in told[2] and "are missing" in told[2]


def test_annotated_video_plays_in_a_browser(detector, video, tmp_path):
    import av

    video_detection.detect_video(detector, video, str(tmp_path), score_threshold=0.0)
    path = str(tmp_path / "annotated.mp4")
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        times = float(stream.duration * stream.time_base)
    assert times == pytest.approx(2.2, abs=0.05) and len(frames) == 55
    # Enlarged so that the text is readable, sizes even.
    assert frames[0].shape == (480, 652, 3)
    content = Path(path).read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    # The source is grey; boxes and labels are coloured, as their classes are.
    colours = [ImageColor.getrgb(c) for c in set(class_colours(detector.class_names).values())]
    for frame in frames:
        coloured = frame[np.ptp(frame.astype(int), axis=-1) > 60].astype(int)
        assert len(coloured) > 500
        nearest = min(np.abs(np.median(coloured, axis=0) - one).max() for one in colours)
        assert nearest < 20


def test_batches_and_rates_give_the_same(detector, video, tmp_path):
    tables = []
    for batch_size in (1, 2, 8):
        output = tmp_path / str(batch_size)
        summary = video_detection.detect_video(
            detector, video, str(output), every=0.3, score_threshold=0.0, batch_size=batch_size
        )
        assert summary.num_keyframes == 8  # 0, 0.3 .. 2.1
        tables.append((output / "detections.csv").read_text())
    assert tables[0].startswith("street_01,0000,") and "street_01,0.3," in tables[0]
    # Another batch size may sum in another order.
    rows = [[line.split(",") for line in table.splitlines()] for table in tables]
    for other in rows[1:]:
        assert [row[:2] + row[6:7] for row in other] == [row[:2] + row[6:7] for row in rows[0]]
        np.testing.assert_allclose(
            np.array([row[2:6] + row[7:] for row in other], float),
            np.array([row[2:6] + row[7:] for row in rows[0]], float),
            atol=1e-5,
        )


def test_threshold_leaves_out_lower_scores_everywhere(detector, video, tmp_path):
    summary = video_detection.detect_video(detector, video, str(tmp_path), score_threshold=1.0)
    assert summary.num_detections == 0
    assert (tmp_path / "detections.csv").read_text() == ""
    content = json.loads((tmp_path / "detections.json").read_text())
    assert [keyframe["people"] for keyframe in content["keyframes"]] == [[], [], []]
    assert (tmp_path / "tracks.csv").read_text().count("\n") == 1  # its header
    # The video grows lighter: the best of all is at its last keyframe.
    everything = video_detection.detect_video(detector, video, str(tmp_path), score_threshold=0)
    assert everything.highest is None
    scores = json.loads((tmp_path / "detections.json").read_text())["keyframes"][2]["people"]
    best = max(person["actions"][0]["score"] for person in scores)
    assert summary.highest == (pytest.approx(best, abs=1e-6), "bend", 2.0)


def test_the_tool_says_which_threshold_would_show_something():
    highest = video_detection.Highest(0.2876, "walk", 3.5)
    assert video_detection.nothing_shown(highest, 0.3) == (
        "nothing has a score of 0.3 or more: the highest is 0.2876, walk at 3.5 s; "
        "`score_threshold` 0.28 would show it"
    )
    low = video_detection.Highest(0.00237, "walk", 0.0)
    assert video_detection.nothing_shown(low, 0.3).endswith("threshold` 0.0023 would show it")


def test_times_are_the_same_in_every_file(detector, video, tmp_path):
    """As of a long film with keyframes close to each other: six digits are too few."""
    person = Person(np.array([0.1, 0.2, 0.5, 0.9], np.float32), (Action(2, "stand", 0.5),), 1)
    found = ClipDetections(person.box[np.newaxis], np.array([2]), np.array([0.5]))
    keyframes = [KeyframeDetections(time, found, [person]) for time in (1000.125, 10000.04)]
    video_outputs.write_csv(str(tmp_path / "a.csv"), "film", keyframes)
    video_outputs.write_tracks(str(tmp_path / "b.csv"), "film", keyframes)
    rows = [(tmp_path / name).read_text().splitlines() for name in ("a.csv", "b.csv")]
    times = [[row.split(",")[1] for row in lines[-2:]] for lines in rows]
    assert times == [["1000.125", "10000.04"]] * 2


@pytest.mark.parametrize("size", [(20, 900), (900, 20)])
def test_a_very_long_frame(detector, tmp_path, size):
    """Enlarged for its text to a shorter side of 480 it would be 21,600 pixels long."""
    film = write_video(tmp_path / "long.mp4", 1.0, *size)
    video_detection.detect_video(detector, film, str(tmp_path / "out"), score_threshold=0)
    with VideoReader(str(tmp_path / "out" / "annotated.mp4")) as reader:
        assert max(reader.size) == 4096


def test_what_no_encoder_takes_is_one_line(tmp_path):
    with pytest.raises(UserError, match="a video of 20000 x 16 pixels cannot be encoded"):
        with VideoWriter(str(tmp_path / "a.mp4"), 25, 16, 20000) as writer:
            writer.write(np.zeros([16, 20000, 3], np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_stands_alone_on_stderr(export_folder, tmp_path, capfd):
    (tmp_path / "zero.mp4").write_bytes(b"")
    flags = ["--saved_model", export_folder, "--output", str(tmp_path / "out")]
    with pytest.raises(UserError, match="zero.mp4"):
        load_tool().main([*flags, "--video", str(tmp_path / "zero.mp4")])
    assert capfd.readouterr().err == ""  # no bar of what never began


def test_a_name_that_is_no_text_gives_a_video_id_that_is(tmp_path):
    assert video_outputs.name_video('films/bad\udcff,"a".mp4') == "bad___a_"


def test_people_have_numbers_in_json_and_csv(detector, video, tmp_path):
    video_detection.detect_video(detector, video, str(tmp_path), score_threshold=0, every=0.25)
    content = json.loads((tmp_path / "detections.json").read_text())
    tracks = [{p["track"] for p in keyframe["people"]} for keyframe in content["keyframes"]]
    assert len(tracks) == 9 and all(one == {1, 2} for one in tracks)  # they do not move
    header, *rows = (tmp_path / "tracks.csv").read_text().splitlines()
    assert header == "video_id,timestamp,x1,y1,x2,y2,action_id,score,track_id"
    people = [
        (f"{k['timestamp']:g}", f"{p['box'][1]:.6f}", str(a["id"]), str(p["track"]))
        for k in content["keyframes"]
        for p in k["people"]
        for a in p["actions"]
    ]
    cells = [row.split(",") for row in rows]
    assert [(row[1], row[2], row[6], row[8]) for row in cells] == people


def test_groundtruth_and_attention_pictures(detector, video, tmp_path):
    annotations = tmp_path / "annotations.csv"
    annotations.write_text(
        "street_01,0001,0.100,0.200,0.300,0.900,2,0\n"
        "street_01,0001,0.100,0.200,0.300,0.900,1,0\n"
        "other,0001,0.1,0.2,0.3,0.9,2,0\nstreet_01,0002\n"
    )
    video_detection.detect_video(detector, video, str(tmp_path / "plain"))
    video_detection.detect_video(
        detector, video, str(tmp_path / "both"), groundtruth=str(annotations), attention=True
    )
    plain = Image.open(tmp_path / "plain" / "contact_sheet.jpg")
    both = Image.open(tmp_path / "both" / "contact_sheet.jpg")
    assert plain.size[0] < both.size[0] and plain.size[1] < both.size[1]  # 3 and 6 tiles
    assert min(Image.open(tmp_path / "both" / "attention.jpg").size) > 300


def test_the_model_sees_frames_as_records_store_them(detector, tmp_path, monkeypatch):
    video = write_video(tmp_path / "large.mp4", 0.5, 120, 160)
    seen = []
    original = detector.detect
    monkeypatch.setattr(detector, "detect", lambda clips: seen.append(clips) or original(clips))
    video_detection.detect_video(
        detector, video, str(tmp_path / "out"), frame_settings=FrameSettings(shorter_side=48)
    )
    with VideoReader(video) as reader:
        stored = [reader.to_rgb(picture, (48, 64)) for _, picture in reader.span(0, 10**9)]
        size = reader.size
    assert size == (120, 160)
    # Keyframe 0: half of the clip lies before the video; then every second frame.
    np.testing.assert_array_equal(seen[0][0], [stored[i] for i in [0, 0, 0, 0, 0, 2, 4, 6]])
    with VideoReader(str(tmp_path / "out" / "annotated.mp4")) as annotated:
        assert annotated.size == (480, 640)


def test_folder_of_frames(detector, tmp_path):
    folder = tmp_path / "clip_7"
    folder.mkdir()
    for i in range(20):
        Image.new("RGB", (64, 48), (i, i, i)).save(folder / f"frame_{i + 1:05}.png")
    summary = video_detection.detect_video(
        detector,
        str(folder) + "/",
        str(tmp_path / "out"),
        frame_settings=FrameSettings(folder_frame_rate=10),
    )
    assert summary.num_keyframes == 2
    text = (tmp_path / "out" / "detections.csv").read_text()
    assert text.startswith("clip_7,")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"score_threshold": 1.5}, "score_threshold 1.5: expected 0 to 1"),
        ({"score_threshold": float("nan")}, "score_threshold nan"),
        ({"every": 0}, "every 0"),
        ({"every": float("inf")}, "every inf"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"groundtruth": "/nowhere.csv"}, "/nowhere.csv"),
    ],
)
def test_bad_options_leave_nothing(detector, video, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        video_detection.detect_video(detector, video, str(tmp_path / "out"), **options)
    assert os.listdir(tmp_path) == []


def test_unreadable_videos_leave_nothing(detector, video, tmp_path):
    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "empty.mp4").touch()
    (inputs / "text.mp4").write_text("not a video")
    (inputs / "empty_folder").mkdir()
    for name in ["absent.mp4", "empty.mp4", "text.mp4", "empty_folder"]:
        with pytest.raises(UserError, match=name):
            video_detection.detect_video(detector, str(inputs / name), str(tmp_path / "out"))
    assert os.listdir(tmp_path) == ["in"]


def test_truncated_video_gives_what_there_is_and_says_so(detector, tmp_path):
    path = tmp_path / "long.mp4"
    write_video(path, 8)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    summary = video_detection.detect_video(detector, str(path), str(tmp_path / "out"))
    assert 0 < summary.num_keyframes < 8
    assert summary.stopped
    assert json.loads((tmp_path / "out" / "detections.json").read_text())["stopped"]


def test_output_that_cannot_be_written(detector, video, tmp_path):
    (tmp_path / "file").touch()
    for output in [tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")]:
        with pytest.raises(UserError, match="cannot be written"):
            video_detection.detect_video(detector, video, str(output))


def test_failure_midway_keeps_the_older_results(detector, video, tmp_path, monkeypatch):
    video_detection.detect_video(detector, video, str(tmp_path))
    before = {name: (tmp_path / name).read_bytes() for name in FILES}

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(video_detection, "write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        video_detection.detect_video(detector, video, str(tmp_path), score_threshold=0.9)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_ctrl_c_ends_a_live_source_and_keeps_what_was_seen(detector, tmp_path, monkeypatch):
    class Camera:
        """Endless; ctrl-C is pressed at 2.6 s."""

        size, frame_rate, duration, error, end_time = (48, 64), None, None, None, None
        frame_times, events = None, frozenset()

        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def span(self, start, end):
            for i in range(10_000):
                if i == 65:
                    os.kill(os.getpid(), signal.SIGINT)
                yield i * 40_000, None

        def to_rgb(self, picture, size):
            return np.full([*size, 3], 90, np.uint8)

    monkeypatch.setattr(video_detection, "VideoReader", Camera)
    summary = video_detection.detect_video(detector, "rtsp://camera/1", str(tmp_path))
    assert summary.stopped == "interrupted" and summary.num_keyframes == 3
    assert sorted(os.listdir(tmp_path)) == FILES
    # Afterwards ctrl-C is ctrl-C again.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_wrong_models_are_named(tmp_path):
    import tensorflow as tf

    with pytest.raises(UserError, match="no such folder"):
        Detector(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="is a file; a SavedModel is the folder"):
        Detector(__file__)
    with pytest.raises(UserError, match="not a SavedModel"):
        Detector(str(tmp_path))
    module = tf.Module()
    module.double = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"double": module.double})
    with pytest.raises(UserError, match="no signature serving_default or metadata.*double"):
        Detector(str(tmp_path / "other"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"\xff\x00 nothing")
    with pytest.raises(UserError, match="cannot be loaded"):
        Detector(str(tmp_path / "broken"))


def test_attention_needs_an_export_with_attention(video, tmp_path):
    saved_model.export(FakeDetectionModel(), 8, 12.5, CLASS_NAMES, str(tmp_path / "m"))
    with pytest.raises(UserError, match="without attention"):
        video_detection.detect_video(
            Detector(str(tmp_path / "m")), video, str(tmp_path / "out"), attention=True
        )
    assert not (tmp_path / "out").exists()


def test_command_line(export_folder, video, tmp_path, capsys):
    tool = load_tool()
    previous = signal.getsignal(signal.SIGTERM)
    try:
        code = tool.main(
            [
                "--saved_model",
                export_folder,
                "--video",
                video,
                "--output",
                str(tmp_path / "out"),
                "--score_threshold",
                "0.5",
                "--every",
                "2",
            ]
        )
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert code == 0 and sorted(os.listdir(tmp_path / "out")) == FILES
    assert "2 keyframes" in capsys.readouterr().out


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_killed_command_leaves_nothing(export_folder, tmp_path, number, code):
    video = write_video(tmp_path / "long.mp4", 100, 48, 64)
    output = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            str(REPOSITORY / "tools" / "detect_video.py"),
            "--saved_model",
            export_folder,
            "--video",
            video,
            "--output",
            str(output),
            "--every",
            "0.05",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        deadline = time.monotonic() + 120
        while not output.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert not output.exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_export_that_is_not_finite_is_refused(tmp_path, bad):
    model = FakeDetectionModel()
    model.boxes[1, 2].assign(bad)
    saved_model.export(model, 8, 12.5, CLASS_NAMES, str(tmp_path / "saved_model"))
    with pytest.raises(UserError, match="saved_model: 1 of the 2 variables .* are not finite"):
        Detector(str(tmp_path))
