"""Which boxes are drawn on which frame, and how many frames wait for it."""

import numpy as np
import pytest

from avatx.pictures import annotator as annotator_module
from avatx.pictures.annotator import PERSISTENCE_SECONDS, Annotator

COLOURS = {1: "#123456"}


class RecordingWriter:
    def __init__(self):
        self.times, self.drawn = [], []

    def write(self, frame, time):
        self.times.append(time)
        self.drawn.append(int(frame.flat[0]))


@pytest.fixture(autouse=True)
def draw_the_keyframes_index(monkeypatch):
    def draw(frame, people, colours, labels):
        assert colours is COLOURS
        assert labels == f"of {people[0]}"  # never those of another keyframe
        return np.full_like(frame, people[0])

    monkeypatch.setattr(annotator_module, "draw_people", draw)
    monkeypatch.setattr(annotator_module, "label_places", lambda people, *_: f"of {people[0]}")


@pytest.mark.parametrize("every", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("lag", [0.0, 0.64, 3.0])
def test_frames_show_their_nearest_keyframe(every, lag):
    writer = RecordingWriter()
    annotator = Annotator(writer, every, 1, COLOURS)
    times = [i / 25 for i in range(400)]
    done, most_waiting = 0, 0
    for time in times:
        annotator.add(time, np.full([2, 2, 3], 255, np.uint8))
        most_waiting = max(most_waiting, len(annotator._waiting))
        while done * every + lag <= time:
            annotator.detected(done, [done])
            done += 1
    while done * every <= times[-1]:
        annotator.detected(done, [done])
        done += 1
    annotator.finish()
    assert writer.times == times  # each once, in order
    keyframes = np.arange(done) * every
    for time, drawn in zip(times, writer.drawn, strict=True):
        distance = np.abs(keyframes - time).round(9)
        nearest = int(distance.argmin())  # the earlier one on a tie
        assert drawn == (nearest if distance[nearest] <= PERSISTENCE_SECONDS else 255), time
    assert most_waiting <= 25 * (lag + min(every / 2, PERSISTENCE_SECONDS)) + 2


def test_a_frame_between_two_keyframes_shows_the_earlier():
    writer = RecordingWriter()
    annotator = Annotator(writer, 1.0, 1, COLOURS)
    for index, times in enumerate([(0.0, 0.5, 0.51), (1.0, 1.5), (1.75, 2.0)]):
        for time in times:
            annotator.add(time, np.zeros([2, 2, 3], np.uint8))
        annotator.detected(index, [index])
    annotator.finish()
    assert writer.drawn == [0, 0, 1, 1, 1, 2, 2]


def test_a_keyframe_without_people_leaves_frames_as_they_are():
    writer = RecordingWriter()
    annotator = Annotator(writer, 1.0, 1, COLOURS)
    annotator.add(0.0, np.full([2, 2, 3], 7, np.uint8))
    annotator.detected(0, [])
    annotator.finish()
    assert writer.drawn == [7]
