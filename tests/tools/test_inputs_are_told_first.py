"""An input that cannot be read is told before a model is loaded, which takes its time."""

import importlib
import pathlib

import pytest
from PIL import Image

from avatx.errors import UserError

CONFIG = str(pathlib.Path(__file__).parents[2] / "configs/playground/demo.config")
# Each names a model that is none.
DETECT = "--saved_model model --output out"
TOOLS = {
    "detect_video": DETECT,
    "explore": DETECT,
    "detect_people": DETECT,
    "classify_video": "--checkpoint model",
    "visualize_attention": f"--pipeline_config_path {CONFIG} --checkpoint model --timestamp 1 "
    "--output out",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "frames").mkdir()
    (tmp_path / "v.csv").write_text("v,1,0.1\n")
    return tmp_path


def refused(tool, flags):
    with pytest.raises(UserError) as error:
        importlib.import_module(f"tools.{tool}").main([*TOOLS[tool].split(), *flags.split()])
    return str(error.value)


@pytest.mark.parametrize("tool", [name for name in TOOLS if name != "detect_people"])
def test_a_video(folder, tool):
    assert refused(tool, "--video nowhere.mp4").startswith("nowhere.mp4")
    assert "broken.mp4: cannot be read as video" in refused(tool, "--video broken.mp4")
    assert "frames: a folder without numbered" in refused(tool, "--video frames")


@pytest.mark.parametrize("tool", ["detect_video", "detect_people"])
def test_many_videos(folder, tool):
    assert refused(tool, "--videos nowhere").startswith("--videos: nowhere")


@pytest.mark.parametrize("tool", ["detect_video", "explore"])
def test_what_is_said_of_a_video(folder, tool):
    frames = folder / "numbered"
    frames.mkdir()
    for number in range(3):
        Image.new("RGB", (32, 24)).save(frames / f"{number:03d}.jpg")
    assert refused(tool, "--video numbered --annotations v.csv").startswith("v.csv, line 1: has 3")
    assert refused(tool, "--video numbered --annotations none.csv").startswith("none.csv")
    assert refused(tool, "--video numbered --boxes none.csv").startswith("--boxes none.csv")


def test_a_file_where_the_explorer_s_detections_would_be(folder):
    (folder / "out-detections").write_text("mine")
    said = refused("explore", "--video nowhere.mp4")
    assert said.startswith(f"--output out-detections: {folder}/out-detections is a file")


@pytest.mark.parametrize("tool", ["detect_video", "visualize_attention"])
def test_a_folder_that_cannot_be_written(folder, tool):
    """Before what is read: its results are written at the end."""
    for output in ("v.csv", "v.csv/new"):
        said = refused(tool, f"--video nowhere.mp4 --output {output}")
        assert said == (
            f"--output {output}: {folder}/v.csv is a file; expected a folder, or a name for a new "
            "one"
        )
