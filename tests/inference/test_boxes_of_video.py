"""detect_video with boxes from a file, by a model that has to be told where people are."""

import csv
import importlib
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel

import avatx
from avatx.core.structures import Detections
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import onnx_model, saved_model
from avatx.inference.batch_detection import detect_videos
from avatx.inference.batch_plan import BatchSettings
from avatx.inference.boxes_of_video import BoxesSettings
from avatx.inference.detector import Detector
from avatx.inference.video_detection import detect_video

sys.path.append(str(pathlib.Path(__file__).parents[2]))
from tools import detect_video as tool


class TellsTheBoxes(FakeDetectionModel):
    """Each given box that has an area is a detection of class 2; its score is its height."""

    needs_person_boxes = True

    def predict(self, clips, groundtruth=None, training=False, attention=False, person_boxes=None):
        return person_boxes

    def postprocess(self, given):
        height = given.boxes[..., 2] - given.boxes[..., 0]
        order = tf.argsort(height, direction="DESCENDING", stable=True)
        return Detections(
            boxes=tf.gather(given.boxes, order, batch_dims=1),
            classes=tf.fill(tf.shape(height), 2),
            scores=tf.gather(height, order, batch_dims=1),
            multiclass_scores=tf.zeros([*tf.unstack(tf.shape(height)), 4]),
            proposal_index=order,
            num_detections=tf.reduce_sum(tf.cast(height > 0, tf.int32), axis=1),
        )


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export") / "saved_model")
    saved_model.export(TellsTheBoxes(), 4, 10.0, {2: "stand"}, folder)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("film") / "street.mp4")
    with VideoWriter(path, 10, 48, 64) as writer:
        for _ in range(25):
            writer.write(np.full([48, 64, 3], 90, np.uint8))
    return path


def boxes_file(tmp_path, text):
    (tmp_path / "people.csv").write_text(text)
    return str(tmp_path / "people.csv")


def test_people_are_where_the_file_says(export, film, tmp_path, capsys):
    boxes = boxes_file(
        tmp_path,
        "street,0,0.125,0.25,0.5,0.75,1,0.9\nstreet,0,0.5,0,0.75,0.25,,0.8\n"
        "street,0,0.5,0,0.75,1,,0.1\nstreet,1\nother,2,0,0,1,1,1,1\n",
    )
    output = tmp_path / "out"
    flags = ["--saved_model", export, "--video", film, "--output", str(output), "--batch_size", "2"]
    flags += ["--boxes", boxes, "--boxes_score_threshold", "0.5", "--score_threshold", "0"]
    assert tool.main(flags) == 0
    rows = list(csv.reader((output / "detections.csv").read_text().splitlines()))
    assert [[float(x) for x in row[1:]] for row in rows] == [
        [0, 0.125, 0.25, 0.5, 0.75, 2, 0.5],
        [0, 0.5, 0, 0.75, 0.25, 2, 0.25],
    ]
    assert "1 of 3 keyframes are not in" in capsys.readouterr().err


def test_any_number_of_boxes_and_padding_changes_nothing(export):
    run = tf.saved_model.load(export)
    serve = run.signatures["serving_default"]
    clips = tf.zeros([1, 4, 16, 16, 3], tf.uint8)
    for padding in (0, 3):
        boxes = tf.pad(tf.constant([[[0.25, 0.0, 0.75, 1.0]]]), [[0, 0], [0, padding], [0, 0]])
        found = serve(clips=clips, person_boxes=boxes)
        assert found["num_detections"].numpy().tolist() == [1]
        np.testing.assert_allclose(found["detection_boxes"][0, 0], [0.25, 0, 0.75, 1])
    assert serve(clips=clips, person_boxes=tf.zeros([1, 0, 4]))["num_detections"].numpy() == [0]
    assert serve(clips=clips[:0], person_boxes=boxes[:0])["num_detections"].shape == (0,)


def test_inputs_of_the_onnx_file_have_the_signature_s_names(export, tmp_path):
    pytest.importorskip("tf2onnx", reason='needs pip install "avatx[onnx]"')
    onnxruntime = pytest.importorskip("onnxruntime", reason='needs pip install "avatx[onnx]"')
    path = str(tmp_path / "model.onnx")
    onnx_model.export(TellsTheBoxes(), 4, 10.0, {2: "stand"}, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    clips, box = np.zeros([1, 4, 16, 16, 3], np.uint8), np.array([[[0.25, 0, 0.75, 1]]], np.float32)
    for boxes, count in ((box, 1), (box[:, :0], 0)):
        (found,) = session.run(["num_detections"], {"clips": clips, "person_boxes": boxes})
        assert found.tolist() == [count]


def test_the_python_interface_takes_a_file(export, film, tmp_path):
    boxes = boxes_file(tmp_path, "street,0,0.125,0.25,0.5,0.75,1,0.9\nstreet,1\nstreet,2\n")
    detector = avatx.load(export)
    for given in (boxes, pathlib.Path(boxes), BoxesSettings(boxes)):
        people = [len(one.people) for one in detector.detect(film, boxes=given, batch_size=2)]
        assert people == [1, 0, 0]
    with pytest.raises(UserError, match=r"boxes 3: expected the path of a file of boxes"):
        detector.detect(film, boxes=3)


def test_the_python_interface_takes_boxes_beside_arrays(export):
    detector, clip = avatx.load(export), np.zeros([4, 16, 16, 3], np.uint8)
    boxes = [[0.125, 0.25, 0.5, 0.75], [0.25, 0, 0.75, 1]]
    people = detector.detect_clip(clip, boxes=boxes)
    assert sorted(list(person.box) for person in people) == boxes
    assert detector.detect_clip(clip, boxes=[]) == ()
    for given, message in [
        (None, r"boxes: this model .* has to be told where people are; expected \[N, 4\]"),
        (boxes[0], r"boxes: shape \[4\]; expected \[N, 4\]"),
        ([[0, 0, 1]], r"boxes: shape \[1, 3\]"),
        ([[0, 0, 40, 30]], "leave the frame; expected .* fractions of the frame"),
        ([[0, 0, 1, float("nan")]], "leave the frame"),
        ("people.csv", "boxes 'people.csv': are no numbers"),
    ]:
        with pytest.raises(UserError, match=message):
            detector.detect_clip(clip, boxes=given)
    with pytest.raises(UserError, match="EXTERNAL.*give `detect_clip` their boxes"):
        detector.watch(iter([clip[0]]))


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "has proposal_source EXTERNAL, so it has to be told where people are; give `boxes`"),
        ("other,0,0,0,1,1,1,1\n", "has no box of the video 'street'; it has 'other'"),
        ("street,900,0,0,1,1,1,1\n", "has boxes at none of the 3 keyframes of 'street'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(export, film, tmp_path, text, message):
    boxes = None if text is None else BoxesSettings(boxes_file(tmp_path, text))
    with pytest.raises(UserError, match=message) as raised:
        detect_video(Detector(export), film, str(tmp_path / "out"), boxes=boxes)
    assert "\n" not in str(raised.value) and not (tmp_path / "out").exists()


def test_a_model_that_finds_people_takes_no_boxes(film, tmp_path):
    saved_model.export(FakeDetectionModel(), 4, 10.0, {2: "stand"}, str(tmp_path / "saved_model"))
    with pytest.raises(UserError, match="finds people itself; leave `boxes` out"):
        detect_video(
            Detector(str(tmp_path)), film, str(tmp_path / "out"), boxes=BoxesSettings("people.csv")
        )
    with pytest.raises(UserError, match="finds people itself; leave it out"):
        avatx.load(tmp_path).detect_clip(np.zeros([4, 8, 8, 3], np.uint8), boxes=[[0, 0, 1, 1]])


FOUND = "street,0,0,0,1,1,1,1\n"


ONE, MANY, EXPLORE = "detect_video", "detect_videos", "explore"
REFUSED = [  # flags, rows of people.csv, what is said, of which of the three
    ("", FOUND, "told where people are; give --boxes", (ONE, MANY, EXPLORE)),
    ("--boxes people.csv --optical_flow dis", FOUND, "dis: the model has no", (ONE, MANY)),
    ("--boxes people.csv --attention", FOUND, "without attention; .* --attention out", (ONE, MANY)),
    ("--boxes people.csv", "video,time,x1\n", "people.csv, line 1: ", (ONE, MANY, EXPLORE)),
    ("--boxes people.csv", "other,0,0,0,1,1,1,1\n", "no box of the video 'street'", (ONE, EXPLORE)),
    ("--unknown 3", FOUND, "unknown argument '--unknown'", (MANY,)),
]


@pytest.mark.parametrize(
    "name, flags, text, message",
    [(name, *case) for *case, names in REFUSED for name in names],
)
def test_what_a_model_cannot_do_is_told_before_it_is_loaded(
    export, film, tmp_path, monkeypatch, name, flags, text, message
):
    """And once, of many videos, too."""
    monkeypatch.chdir(tmp_path)
    boxes_file(tmp_path, text)

    class Loaded:
        def __init__(self, path):
            pytest.fail("is loaded")

    # What imports that class by its name has to have the real one.
    for module in ("avatx.explorer.explorer", "tools.explore"):
        importlib.import_module(module)
    monkeypatch.setattr("avatx.inference.detector.Detector", Loaded)
    main = tool.main if name != EXPLORE else importlib.import_module("tools.explore").main
    source = ["--videos" if name == MANY else "--video", film]
    with pytest.raises(UserError, match=message):
        main(["--saved_model", export, *source, "--output", "out", *flags.split()])
    assert not (tmp_path / "out").exists()


def test_of_many_videos_what_is_of_the_model_is_told_once(export, film, tmp_path):
    lines: list[str] = []
    given = [film], str(tmp_path / "out"), Detector(export)
    for settings in (BatchSettings(), BatchSettings(boxes=BoxesSettings("none.csv"))):
        with pytest.raises(UserError, match="give `boxes`|^none.csv: no such file"):
            detect_videos(*given, settings, log=lines.append)
    assert lines == [] and not (tmp_path / "out").exists()


def test_a_file_that_has_changed_is_read_anew(tmp_path):
    settings = BoxesSettings(boxes_file(tmp_path, FOUND))
    assert settings.read() is settings.read() and settings.read().video_names == ["street"]
    boxes_file(tmp_path, FOUND.replace("street", "other street"))
    assert settings.read().video_names == ["other street"]


def test_settings_of_many_videos_keep_them():
    for boxes in (None, BoxesSettings("people.csv", 0.5, 7)):
        settings = BatchSettings(boxes=boxes)
        assert BatchSettings.from_dict(settings.to_dict()) == settings
