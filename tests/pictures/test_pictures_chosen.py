"""Which keyframes and which person the pictures of a run show."""

import functools
from typing import NamedTuple

import numpy as np
import pytest

from avatx.core.cell_view import CellView
from avatx.core.people import Action, Person
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.inference.detector import ClipAttention, ClipDetections
from avatx.pictures import keyframe_pictures as pictures_module
from avatx.pictures.keyframe_pictures import MAX_KEYFRAMES, Pictures, annotated_people


class Told(NamedTuple):
    tiles: list
    columns: int
    title: str


class FakeDetector:
    class_names = {1: "sit", 2: "stand", 4: "watch"}

    def __init__(self, cells=CellView.of([[1, 3, 3], [4, 4, 4], [2, 8, 8]])):
        self._cells = cells

    def detect_with_attention(self, clips):
        """Three detections; the attention of each is its number."""
        assert clips.shape == (1, 2, 8, 8, 3)
        boxes = np.float32([[0, 0, 1, 1], [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]])
        maps = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1, 1, 1) * np.ones(
            [1, 1, 2, 1, 2, 2]
        )
        detections = ClipDetections(boxes, np.array([1, 2, 2]), np.float32([0.9, 0.8, 0.7]))
        return [(detections, ClipAttention(maps, self._cells))]


def clip(index, every=1.0):
    frame = np.full([8, 8, 3], index % 250, np.uint8)
    return KeyframeClip(index, index * every, np.stack([frame, frame]), frame, np.zeros(2))


def person(score, box=(0.1, 0.1, 0.5, 0.5), class_id=2):
    return Person(np.float32(box), (Action(class_id, "stand", score),))


@pytest.fixture
def drawn(monkeypatch):
    """What would be drawn, in place of pictures."""
    told = {}

    def sheet(tiles, columns, title=""):
        told["sheet"] = Told([tile.caption for tile in tiles], columns, title)
        return np.zeros([4, 4, 3], np.uint8)

    def attention(frames, seconds, person, maps, cells, title):
        told["attention"] = (int(frames[0, 0, 0, 0]), person, float(maps.max()), title)
        told["cells"] = [part.tolist() for part in cells]
        return np.zeros([4, 4, 3], np.uint8)

    monkeypatch.setattr(pictures_module, "contact_sheet", sheet)
    monkeypatch.setattr(pictures_module, "attention_sheet", attention)
    return told


@pytest.mark.parametrize("count", [1, 5, MAX_KEYFRAMES, 23, 24, 40, 100])
def test_keyframes_of_a_long_video_are_evenly_spread(drawn, tmp_path, count):
    pictures = Pictures(FakeDetector.class_names, {}, "film")
    for index in range(count):
        pictures.add(clip(index, 0.5), [])
        assert len(pictures._shown) < 2 * MAX_KEYFRAMES
    pictures.write(str(tmp_path))
    times = [float(caption.partition(" s: detections")[0]) for caption in drawn["sheet"].tiles]
    assert times[0] == 0 and len(times) == min(count, MAX_KEYFRAMES)
    steps = np.diff(times)
    if len(steps):
        assert steps.min() > 0 and steps.max() <= 2.01 * steps.min()
        assert times[-1] >= 0.5 * (count - 1) * 0.85
    assert (drawn["sheet"].columns, drawn["sheet"].title) == (3, "film")


def test_groundtruth_beside_the_detections(drawn, tmp_path):
    (tmp_path / "truth.csv").write_text("film,1,0.1,0.1,0.5,0.5,2,0\nfilm,2\n")
    pictures = Pictures(FakeDetector.class_names, {}, "film", str(tmp_path / "truth.csv"))
    for index in range(4):
        pictures.add(clip(index), [])
    pictures.write(str(tmp_path))
    assert drawn["sheet"].columns == 4
    assert drawn["sheet"].tiles == [
        "0 s: detections",
        "0 s: not annotated",
        "1 s: detections",
        "1 s: groundtruth",
        "2 s: detections",
        "2 s: groundtruth",
        "3 s: detections",
        "3 s: not annotated",
    ]


def attend(clip, detector=FakeDetector()):
    return detector.detect_with_attention(clip.frames[np.newaxis])[0]


def test_attention_is_that_of_the_person_of_the_highest_score(drawn, tmp_path):
    pictures = Pictures(FakeDetector.class_names, {}, "film", attend=attend)
    for index, score in enumerate((0.3, 0.8, 0.5, 0.8)):  # the first of equals
        pictures.add(clip(index), [person(score), person(0.1)])
    pictures.add(clip(4), [])
    pictures.write(str(tmp_path))
    level, shown, maps, title = drawn["attention"]
    assert (level, shown.actions[0].score) == (1, 0.8)
    assert maps == 1  # of the detection of this class at this box, not of the first one
    assert "film, 1 s" in title and "for stand" in title and "older export" not in title
    assert drawn["cells"] == [[1, 3, 3], [4, 4, 4], [2, 8, 8]]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "attention.jpg",
        "contact_sheet.jpg",
    ]


def test_an_export_that_does_not_say_where_its_cells_look(drawn, tmp_path):
    """Then each is drawn at the middle of its share of the clip, and the picture says so."""
    older = functools.partial(attend, detector=FakeDetector(cells=None))
    pictures = Pictures(FakeDetector.class_names, {}, "film", attend=older)
    pictures.add(clip(0), [person(0.8)])
    pictures.write(str(tmp_path))
    # One map of 1 x 2 x 2 cells over 2 frames; a picture of 2 x 2 pixels serves for any.
    assert drawn["cells"] == [[0.5, 0, 0], [2, 1, 1], [2, 2, 2]]
    assert "older export" in drawn["attention"][-1]


def test_nobody_to_attend(drawn, tmp_path):
    pictures = Pictures(FakeDetector.class_names, {}, "film", attend=attend)
    pictures.add(clip(0), [])
    pictures.write(str(tmp_path))
    assert "attention" not in drawn


def test_annotated_people_of_one_video(tmp_path):
    (tmp_path / "truth.csv").write_text(
        "film,1.5,0.1,0.2,0.3,0.4,2,0\nfilm,1.5,0.1,0.2,0.3,0.4,1,0\n"
        "film,1.5,0.1,0.2,0.3,0.41,4,1\nother,1.5,0.5,0.5,0.9,0.9,1,0\nfilm,2\nother,3\n"
    )
    found = annotated_people(str(tmp_path / "truth.csv"), "film", FakeDetector.class_names)
    assert list(found) == [2_000_000, 1_500_000]
    one, other = found[1_500_000]
    np.testing.assert_allclose(one.box, [0.2, 0.1, 0.4, 0.3])
    assert [action.name for action in one.actions] == ["stand", "sit"]
    assert [action.name for action in other.actions] == ["watch"]
    assert one.actions[0].score is None
