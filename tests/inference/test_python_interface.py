"""avatx.load(...): typed results of videos, of arrays and of cameras, from a small export."""

import json
import pickle
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel

import avatx
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference import action_detector
from avatx.inference.results import DetectedPerson
from avatx.inference.video_detection import detect_video

CLASS_NAMES = {1: "bend", 2: "stand", 4: "watch (a person)"}


@pytest.fixture(scope="module")
def export_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    saved_model.export(FakeDetectionModel(), 8, 12.5, CLASS_NAMES, str(folder / "saved_model"))
    return folder


@pytest.fixture(scope="module")
def detector(export_folder):
    return avatx.load(export_folder)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "street_01.mp4"
    with VideoWriter(str(path), 25, 90, 122) as writer:
        for i in range(55):
            writer.write(np.full([90, 122, 3], 4 * i, np.uint8))
    return path


def grey_clip(value, frames=8, height=20, width=30):
    return np.full([frames, height, width, 3], value, np.uint8)


def test_knows_what_it_was_trained_on(detector):
    assert detector.labels == ("bend", "stand", "watch (a person)")
    assert (detector.num_frames, detector.frame_rate) == (8, 12.5)
    # Frames at -4 to 3 twelve-and-a-halfths of a second.
    assert detector.lookahead == pytest.approx(0.24)
    assert "3 labels, clips of 8 frames, 12.5 a second" in repr(detector)


def test_a_video_gives_what_detect_video_writes(detector, video, tmp_path):
    result = detector.detect(video, score_threshold=0.0, batch_size=2)
    detect_video(detector.model, str(video), str(tmp_path / "out"), score_threshold=0.0)
    written = json.loads((tmp_path / "out" / "detections.json").read_text(encoding="utf-8"))

    assert (result.video, result.stopped, result.labels) == ("street_01", None, detector.labels)
    assert [keyframe.time for keyframe in result] == [0.0, 1.0, 2.0] and len(result) == 3
    assert (result[1], result[-2:]) == (result.keyframes[1], result.keyframes[1:])
    for keyframe, other in zip(result, written["keyframes"], strict=True):
        assert len(keyframe.people) == len(other["people"]) == 2
        for person, expected in zip(keyframe.people, other["people"], strict=True):
            assert person.box == pytest.approx(expected["box"], abs=1e-6)
            assert person.track == expected["track"]
            scores = {action["name"]: action["score"] for action in expected["actions"]}
            assert list(person.scores) == list(scores)
            assert person.scores == pytest.approx(scores, abs=1e-6)


def test_a_threshold_and_a_distance_of_keyframes(detector, video):
    result = detector.detect(str(video), score_threshold=0.6, every=0.5)
    assert [keyframe.time for keyframe in result] == [0.0, 0.5, 1.0, 1.5, 2.0]
    # The first frames are black: sigmoid(2 * -1 + 2) = 0.5, sigmoid(-1), sigmoid(-3).
    assert result.keyframes[0].people == ()
    # 50 * 4 = 200 of 255 at 2 s: sigmoid(2 * 0.57 + 2) and so on, and -1 + 2 * 0.57 = 0.14.
    assert [tuple(p.scores) for p in result.keyframes[4].people] == [("bend",), ("stand",)]


def test_one_clip_of_arrays(detector):
    people = detector.detect_clip(grey_clip(255), score_threshold=0.5)
    # Scores are sigmoid(2 * 1 + 2), sigmoid(2 + 1), sigmoid(2 - 1); the last two are one person's.
    assert people == (
        DetectedPerson(pytest.approx((0.2, 0.6, 0.8, 0.9)), {"bend": pytest.approx(0.98201376)}),
        DetectedPerson(
            pytest.approx((0.1, 0.1, 0.9, 0.4)),
            {"stand": pytest.approx(0.95257413), "watch (a person)": pytest.approx(0.73105858)},
        ),
    )
    assert people[1].label == "stand"
    listed = list(grey_clip(255))
    assert detector.detect_clip(listed, score_threshold=0.5) == people
    assert (
        detector.detect_clip(grey_clip(255, height=900, width=800), score_threshold=0.5) == people
    )


@pytest.mark.parametrize(
    "frames, words",
    [
        (np.zeros([8, 4, 4, 3], np.float32), "an array of float32; expected uint8 [8, height"),
        (np.zeros([4, 4, 3], np.uint8), r"shape \[4, 4, 3\]; expected uint8 \[8, height, width, 3"),
        (np.zeros([8, 4, 4, 4], np.uint8), r"shape \[8, 4, 4, 4\]; expected uint8"),
        (np.zeros([8, 0, 4, 3], np.uint8), r"shape \[8, 0, 4, 3\]; expected uint8"),
        (np.zeros([0, 4, 4, 3], np.uint8), "0 of them; expected uint8 .8, height"),
        (np.zeros([7, 4, 4, 3], np.uint8), "7 of them; .* 8 frames, 12.5 a second"),
        ([], "frames: none are given; expected uint8"),
        (iter([np.zeros([4, 4, 3], np.uint8)]), "a list_iterator, .*; expected uint8 .*list"),
        ((frame for frame in ()), "a generator, which gives its frames once; expected uint8"),
        ([None], r"frames \[None\]: are no numbers; expected uint8"),
        ([np.zeros([4, 4, 3], np.uint8), np.zeros([5, 4, 3], np.uint8)], "not all of one size"),
        ("film.mp4", "'film.mp4': is a text; expected uint8 .* `detect` takes a video's path"),
        (None, "frames None: are no numbers; expected uint8"),
    ],
)
def test_frames_that_are_none_get_one_line(detector, frames, words):
    with pytest.raises(UserError, match=words.replace("uint8 [8, height", "uint8 .8, height")):
        detector.detect_clip(frames)


def test_other_mistakes_get_one_line(detector, tmp_path):
    with pytest.raises(avatx.UserError, match="no such folder; give the SavedModel"):
        avatx.load(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"path: None is no path; expected a text"):
        avatx.load(None)
    with pytest.raises(UserError, match=r"path: '' is no path"):
        avatx.load("")
    with pytest.raises(UserError, match="no_film.mp4"):
        detector.detect("no_film.mp4")
    with pytest.raises(UserError, match=r"^video: \[\] is no path.*`detect_clip` takes frames"):
        detector.detect([])
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(UserError, match="text.mp4"):
        detector.detect(tmp_path / "text.mp4")
    with pytest.raises(UserError, match="score_threshold 2: expected 0 to 1"):
        detector.detect_clip(grey_clip(0), score_threshold=2)
    with pytest.raises(UserError, match="every 0: expected seconds"):
        detector.watch("/dev/video0", every=0)


@pytest.mark.parametrize(
    "metadata, words",
    [
        ({}, "signature serving_default of this SavedModel lacks clips;"),
        (None, "has no signature metadata"),
    ],
)
def test_a_saved_model_of_somebody_else_gets_one_line(tmp_path, metadata, words):
    module = tf.Module()
    module.serve = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([], name="x")])
    signatures = {"serving_default": module.serve}
    if metadata is not None:
        module.facts = tf.function(lambda: {"z": 1.0, **metadata}, input_signature=[])
        signatures["metadata"] = module.facts
    tf.saved_model.save(module, str(tmp_path / "other"), signatures=signatures)
    with pytest.raises(UserError, match=words):
        avatx.load(tmp_path / "other")


def test_facts_that_are_missing_or_ask_for_something(tmp_path):
    module = tf.Module()
    outputs = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
    module.serve = tf.function(
        lambda clips: dict.fromkeys(outputs, clips),
        input_signature=[tf.TensorSpec([], name="clips")],
    )
    facts = {"num_frames": 1.0, "frame_rate": 1.0, "class_ids": 1.0, "class_names": 1.0}
    module.asks = tf.function(lambda x: facts, input_signature=[tf.TensorSpec([], name="x")])
    module.lacks = tf.function(
        lambda: {name: facts[name] for name in ("num_frames", "frame_rate", "class_ids")},
        input_signature=[],
    )
    for metadata, words in ((module.asks, "has the input x"), (module.lacks, "lacks class_names")):
        signatures = {"serving_default": module.serve, "metadata": metadata}
        tf.saved_model.save(module, str(tmp_path / "other"), signatures=signatures)
        with pytest.raises(UserError, match=f"the signature metadata of this SavedModel {words};"):
            avatx.load(tmp_path / "other")


def test_urls_of_files(detector, video, tmp_path):
    odd = tmp_path / "a b%20ü#1.mp4"
    shutil.copy(video, odd)
    for path in (odd, odd.as_uri(), f"file://{odd}", odd.as_uri().replace("//", "//localhost", 1)):
        result = detector.detect(path)
        assert (result.video, len(result)) == ("a b%20ü#1", 3)


def test_sent_to_another_process_or_used_by_threads(detector, video):
    expected = detector.detect(video)
    other = pickle.loads(pickle.dumps(detector))
    assert other is not detector and repr(other) == repr(detector)
    assert pickle.loads(pickle.dumps(other.detect(video))) == expected
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(detector.detect(video))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3


@pytest.mark.parametrize(
    "name, values",
    [
        ("score_threshold", ["a", None, float("nan"), True, [0.5]]),
        ("every", ["1", None, float("nan"), float("inf"), -1]),
        ("batch_size", ["2", None, 0, 1.5, float("inf"), float("nan")]),
    ],
)
def test_numbers_that_are_none_get_one_line(detector, video, name, values):
    for value in values:
        with pytest.raises(UserError, match=f"^{name} .*: expected "):
            detector.detect(video, **{name: value})
        if name == "score_threshold":
            with pytest.raises(UserError, match=f"^{name} "):
                detector.detect_clip(grey_clip(0), score_threshold=value)


def test_a_table(detector, video):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = detector.detect(video, score_threshold=0.0).to_pandas()
    assert list(table.columns) == [
        *("video", "time", "person", "track", "ymin", "xmin", "ymax", "xmax", "label", "score")
    ]
    assert len(table) == 9 and set(table.track) == {1, 2} and str(table.track.dtype) == "Int64"
    last = table[table.time == 2.0]
    assert last.label.tolist() == ["bend", "stand", "watch (a person)"]
    assert last.person.tolist() == [0, 1, 1]
    assert last[["ymin", "xmin", "ymax", "xmax"]].iloc[0].tolist() == pytest.approx(
        [0.2, 0.6, 0.8, 0.9]
    )
    empty = detector.detect(video, score_threshold=1.0).to_pandas()
    assert len(empty) == 0 and isinstance(empty, pandas.DataFrame)
    assert empty.dtypes.to_dict() == table.dtypes.to_dict()


def test_without_pandas_one_line(detector, video, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match="needs the package pandas, which is not installed"):
        detector.detect(video).to_pandas()


def test_a_camera_that_is_kept_up_with(detector):
    def camera():
        for i in range(60):
            time.sleep(0.02)
            yield np.full([20, 30, 3], 4 * i, np.uint8)

    seen = list(detector.watch(camera(), every=0.5, score_threshold=0.0))
    assert [keyframe.time for keyframe in seen][:2] == [0.0, 0.5]
    assert all(len(keyframe.people) == 2 for keyframe in seen)
    # Nothing is known of a clip before its last frame has come.
    assert all(keyframe.latency > 0.2 for keyframe in seen[:-1])


def test_a_model_slower_than_the_camera_skips_keyframes(detector, monkeypatch):
    ended = threading.Event()

    def camera():
        for _ in range(150):
            time.sleep(0.01)
            yield np.zeros([20, 30, 3], np.uint8)
        ended.set()

    detect = detector.model.detect

    def slow(clips):
        ended.wait()
        time.sleep(0.2)
        return detect(clips)

    monkeypatch.setattr(detector.model, "detect", slow)
    seen = list(detector.watch(camera(), every=0.1))
    assert len(seen) == 2  # the first one, and the newest of those that came meanwhile
    assert seen[1].skipped == round((seen[1].time - seen[0].time) / 0.1) - 1 > 5


def test_leaving_the_loop_ends_the_reading(detector):
    closed = threading.Event()

    def camera():
        try:
            while True:
                time.sleep(0.01)
                yield np.zeros([20, 30, 3], np.uint8)
        finally:
            closed.set()

    for _ in detector.watch(camera(), every=0.1):
        break
    assert closed.wait(10)


def test_a_camera_s_mistakes_come_out_of_the_loop(detector, video):
    with pytest.raises(UserError, match=r"source: gave float64 of shape \[4, 4, 3\]; expected"):
        list(detector.watch([np.zeros([4, 4, 3])]))
    with pytest.raises(UserError, match=r"street_01.mp4 is a video of 2.2 s and no camera"):
        list(detector.watch(video))
    with pytest.raises(UserError, match="no_camera"):
        list(detector.watch("/dev/no_camera"))
    for source in (None, 3):
        with pytest.raises(UserError, match=f"source {source}: expected a path, a URL or frames"):
            detector.watch(source)
    with pytest.raises(UserError, match="source: gave a frame whose rows differ in length"):
        list(detector.watch([[[1, 2], [3]]]))
    sizes = (np.zeros([size, 30, 3], np.uint8) for size in (20, 20, 24))
    with pytest.raises(UserError, match=r"a frame of shape \[24, 30, 3\] behind ones of \[20, 30"):
        list(detector.watch(sizes))


def test_the_import_is_light():
    code = (
        "import sys, avatx; avatx.load, avatx.VideoResult, dir(avatx); "
        "sys.exit(bool({'tensorflow', 'matplotlib', 'pandas'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="module 'avatx' has no attribute 'laod'"):
        _ = avatx.laod
    assert "load" in dir(avatx) and avatx.ActionDetector is action_detector.ActionDetector
