"""A page of a video that is detected in first: the model looks at each keyframe once."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from explored_result import HEIGHT, WIDTH
from fake_detection_model import FakeDetectionModel
from PIL import Image, ImageColor

from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.explorer.explorer import write_explorer
from avatx.explorer.result import read_result
from avatx.export import saved_model
from avatx.inference.detector import Detector
from avatx.inference.video_detection import detect_video
from avatx.pictures.colours import OTHER_ACTION, WITH_PEOPLE

TOOL = Path(__file__).parents[2] / "tools" / "explore.py"
CLASSES = {1: "bend", 2: "stand", 4: "watch (a person)"}
KEYFRAMES = 5


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An export with attention and a film in which every keyframe is another."""
    folder = tmp_path_factory.mktemp("detected")
    model = FakeDetectionModel()
    path, groups = str(folder / "export"), {1: "SPORT", 4: "PERSON_INTERACTION"}
    saved_model.export(model, 8, 12.5, CLASSES, path, attention=True, class_groups=groups)
    with VideoWriter(str(folder / "film.mp4"), 10, HEIGHT, WIDTH) as writer:
        for i in range(5 * KEYFRAMES):
            frame = np.full([HEIGHT, WIDTH, 3], 9 * i, np.uint8)
            frame[:, : 5 * i + 5] = 255 - 9 * i
            writer.write(frame)
    return folder


@pytest.fixture
def looks(monkeypatch):
    """The signatures that were called, a clip each."""
    called: list[str] = []
    run = Detector._run

    def counting(self, signature, clips, boxes):
        called.extend([signature] * len(clips))
        return run(self, signature, clips, boxes)

    monkeypatch.setattr(Detector, "_run", counting)
    return called


def contents(folder):
    """All but videos: x264's threads do not always write the same bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".mp4"
    }


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_one_look_writes_what_two_looks_write(made, tmp_path, looks, threshold):
    detector, film = Detector(str(made / "export")), str(made / "film.mp4")
    options = {"score_threshold": threshold, "every": 0.5}
    detect_video(detector, film, str(tmp_path / "found"), **options)
    result = read_result(str(tmp_path / "found"))
    twice = write_explorer(result, str(tmp_path / "twice"), detector=detector)
    assert len(looks) == 2 * KEYFRAMES and twice.num_attended > 0
    looks.clear()

    def detect(attended):
        detect_video(detector, film, str(tmp_path / "again"), attended=attended, **options)
        return read_result(str(tmp_path / "again"))

    once = write_explorer(detect, str(tmp_path / "once"), detector=detector)
    assert looks == ["serving_attention"] * KEYFRAMES
    assert once[1:] == twice[1:]
    written = contents(tmp_path / "once")
    assert written == contents(tmp_path / "twice")
    assert sum(name.startswith("keyframes") for name in written) == KEYFRAMES
    assert contents(tmp_path / "again") == contents(tmp_path / "found")


def test_the_tool_looks_once_at_each_keyframe(made, tmp_path, looks, capsys):
    spec = importlib.util.spec_from_file_location("explore_tool", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    flags = ["--saved_model", str(made / "export"), "--video", str(made / "film.mp4")]
    flags += ["--every", "0.5", "--score_threshold", "0", "--json"]
    assert tool.main([*flags, "--output", str(tmp_path / "page")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["num_keyframes"] == KEYFRAMES and told["num_attended"] == told["num_people"] > 0
    assert looks == ["serving_attention"] * KEYFRAMES
    looks.clear()
    assert tool.main([*flags, "--no_attention", "--output", str(tmp_path / "plain")]) == 0
    assert looks == ["serving_default"] * KEYFRAMES
    assert json.loads(capsys.readouterr().out)["num_attended"] == 0


def test_groups_of_the_label_map_colour_pictures_and_page(made, tmp_path):
    detector = Detector(str(made / "export"))
    assert detector.class_groups == {1: "SPORT", 4: "PERSON_INTERACTION"}
    options = {"score_threshold": 0.0, "every": 0.5}
    detect_video(detector, str(made / "film.mp4"), str(tmp_path / "found"), **options)
    content = json.loads((tmp_path / "found" / "detections.json").read_text())
    assert content["groups"] == {"1": "SPORT", "4": "PERSON_INTERACTION"}
    write_explorer(read_result(str(tmp_path / "found")), str(tmp_path / "page"))
    text = (tmp_path / "page" / "data.js").read_text()
    classes = json.loads(text.removeprefix("var avatxData = ").rstrip(";\n"))["classes"]
    colours = [classes[number]["colour"] for number in ("1", "2", "4")]
    assert colours == ["#d55e00", OTHER_ACTION, WITH_PEOPLE]
    with Image.open(tmp_path / "found" / "contact_sheet.jpg") as sheet:
        pixels = np.asarray(sheet, np.int64)
    for colour in ("#d55e00", WITH_PEOPLE):
        away = np.abs(pixels - ImageColor.getrgb(colour)).max(axis=-1)
        assert np.count_nonzero(away < 12) > 50, colour
    # Of an older result nothing is known.
    del content["groups"]
    (tmp_path / "found" / "detections.json").write_text(json.dumps(content))
    assert read_result(str(tmp_path / "found")).class_groups == {}


def test_what_detection_refuses_leaves_no_page(made, tmp_path):
    detector = Detector(str(made / "export"))

    def detect(attended):
        raise UserError("no video")

    with pytest.raises(UserError, match="no video"):
        write_explorer(detect, str(tmp_path / "page"), detector=detector)
    assert list(tmp_path.iterdir()) == []
