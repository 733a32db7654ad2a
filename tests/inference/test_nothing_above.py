"""What tools/detect_video.py says where no detection reached the threshold."""

import json

import pytest
from PIL import Image

from avatx import cli
from avatx.data.video import frame_settings
from avatx.inference import detector, video_detection
from tools import detect_video


class FakeDetector:
    has_flow, frame_settings = False, {}

    def __init__(self, path):
        self.path = path


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_highest_score_and_a_threshold_that_shows_it(tmp_path, monkeypatch, capsys, flags):
    (tmp_path / "frames").mkdir()
    (tmp_path / "model").mkdir()
    Image.new("RGB", (32, 24)).save(tmp_path / "frames/0.jpg")
    highest = video_detection.Highest(0.2876, "walk", 3.5)
    summary = video_detection.VideoSummary(2, 0, ["detections.csv"], None, highest)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "import_tensorflow", lambda: None)
    monkeypatch.setattr(detector, "Detector", FakeDetector)
    monkeypatch.setattr(detector, "signatures_at", lambda path: None)
    monkeypatch.setattr(frame_settings, "for_model", lambda *of: frame_settings.FrameSettings())
    monkeypatch.setattr(video_detection, "detect_video", lambda *given, **options: summary)
    given = ["--saved_model", "model", "--video", "frames", "--output", "out", *flags]
    assert detect_video.main(given) == 0
    said = capsys.readouterr()
    assert (
        "note: nothing has a score of 0.3 or more: the highest is 0.2876, walk at 3.5 s; "
        "--score_threshold 0.28 would show it" in said.err
    )
    if flags:
        assert json.loads(said.out)["highest"]["score"] == 0.2876
