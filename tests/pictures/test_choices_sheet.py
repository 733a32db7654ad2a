"""The picture of a new project's choices: what is given is on it, whatever its sizes."""

import numpy as np
import pytest
from PIL import ImageColor

from avatx.pictures.choices_sheet import MOST_VIDEOS, Keyframes, Shown, choices_sheet
from avatx.pictures.colours import POSE, WITH_OBJECTS

TOLD = {"split": "by video", "clip": "8 frames", "size": "small", "anchors": "2"}
BOXES = np.array([[0.2, 0.1, 0.8, 0.3], [0.1, 0.5, 0.9, 0.9]])


def sheet(num_frames=8, size=(96, 128), boxes=BOXES, num_videos=2):
    height, width = size
    anchors = np.array([[60.0, 30.0], [20.0, 20.0]])
    shown = Shown(
        "film",
        np.full([num_frames, height, width, 3], 90, np.uint8),
        (np.arange(num_frames) - num_frames // 2) / 8,
        boxes,
        anchors,
        np.zeros(len(boxes), int),
        (boxes[:, 2:] - boxes[:, :2]) * size,
        16,
    )
    videos = [
        Keyframes(f"video {i}", 30.0, np.arange(20.0), np.arange(22.0, 30.0))
        for i in range(min(num_videos, MOST_VIDEOS))
    ]
    return choices_sheet(shown, videos, num_videos, TOLD)


def of_colour(picture: np.ndarray, colour: str) -> int:
    return int((picture == ImageColor.getrgb(colour)).all(axis=-1).sum())


@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 64])
@pytest.mark.parametrize("size", [(96, 128), (400, 224)])
def test_clips_of_any_length_and_shape(num_frames, size):
    picture = sheet(num_frames, size)
    assert picture.dtype == np.uint8 and picture.shape[1] == 1100
    # As large as the frame asks for: a tall one makes a tall picture.
    assert (picture.shape[0] > 1100) == (size[0] > size[1])


def test_boxes_are_in_one_colour_and_anchors_in_another():
    with_boxes, without = sheet(), sheet(boxes=np.zeros([0, 4]))
    for colour in (POSE, WITH_OBJECTS):
        assert of_colour(with_boxes, colour) > of_colour(without, colour) + 100


def test_no_more_videos_than_have_room():
    few, many = (sheet(num_videos=number) for number in (MOST_VIDEOS, 500))
    assert few.shape == many.shape and (few != many).any()  # the title says how many there are
    assert sheet(num_videos=1).shape[0] < few.shape[0]
