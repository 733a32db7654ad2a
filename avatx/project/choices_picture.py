"""A picture of what was chosen, on the project's own videos."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.input.clip_source import frames_of_video
from avatx.data.times import to_microseconds
from avatx.data.video.clip_sampling import wanted_times
from avatx.data.video.frame_settings import FrameSettings
from avatx.pictures.choices_sheet import MOST_VIDEOS, Keyframes, Shown, choices_sheet
from avatx.project.anchors import iou_with
from avatx.project.choices import STRIDE, Choices
from avatx.project.measures import Measures
from avatx.project.split import Split


def choices_picture(
    measures: Measures, split: Split, choices: Choices, paths: Mapping[str, str]
) -> np.ndarray:
    """[H, W, 3] uint8: the split, a clip, the boxes of its keyframe and the anchors that fit them.

    Args:
      measures: of all annotations.
      split: training and validation; the keyframe is one of training.
      choices: the settings.
      paths: video id -> its file.

    Raises:
      UserError: the video of that keyframe cannot be read there.
    """
    video_id, seconds, boxes = _keyframe(split.train, float(measures.people.mean()))
    keyframe = int(to_microseconds(seconds))
    offsets = wanted_times(0, choices.num_frames, choices.frame_rate)
    clip = frames_of_video(
        paths[video_id], keyframe, offsets, FrameSettings(max_frame_rate=0.0, shorter_side=0)
    )
    size = choices.width, choices.height
    frames = np.stack([np.asarray(Image.fromarray(one).resize(size)) for one in clip.frames])
    anchors = choices.anchors.sides
    sides = (boxes[:, 2:] - boxes[:, :2]) * (choices.height, choices.width)
    shown = Shown(
        video_id,
        frames,
        clip.seconds,
        boxes,
        anchors,
        iou_with(sides, np.zeros_like(sides), anchors).argmax(axis=1),
        measures.box_sides(choices.height, choices.width),
        STRIDE,
    )
    drawn = list(measures.videos.items())[:MOST_VIDEOS]
    keyframes = [
        Keyframes(name, facts.seconds, _moments(split.train, name), _moments(split.val, name))
        for name, facts in drawn
    ]
    told = {"split": split.told, **choices.because}
    return choices_sheet(shown, keyframes, len(measures.videos), told)


def _keyframe(table: AvaTable, people: float) -> tuple[str, float, np.ndarray]:
    """(Video id, seconds, [N, 4] its boxes) of the keyframe with the usual number of people that
    lies in the middle of those that have it.
    """
    moments = np.stack([table.video_index, table.timestamp], axis=1)
    found, of_moment = np.unique(moments, axis=0, return_inverse=True)
    order = np.argsort(of_moment.ravel(), kind="stable")
    borders = np.cumsum(np.bincount(of_moment.ravel()))[:-1]
    boxes = [np.unique(table.boxes[rows], axis=0) for rows in np.split(order, borders)]
    distance = np.array([abs(len(one) - people) for one in boxes])
    usual = np.flatnonzero(distance == distance.min())
    chosen = usual[len(usual) // 2]
    video, seconds = found[chosen]
    return table.video_names[int(video)], float(seconds), boxes[chosen]


def _moments(table: AvaTable, video_id: str) -> np.ndarray:
    """Seconds of a video's keyframes, those without people among them."""
    names = np.array([name == video_id for name in table.video_names], bool)
    rows = table.timestamp[names[table.video_index]] if len(table) else []
    return np.unique([*rows, *(time for name, time in table.empty_keyframes if name == video_id)])
