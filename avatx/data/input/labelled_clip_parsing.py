"""From the record of a labelled video to clips: a window of T frames, still encoded.

A clip's frames are wanted 1 / frame_rate apart, and the stored frame nearest in presentation time
is taken. A video shorter than the clip is played again from its beginning until the clip is
full, as kinetics-i3d does (https://github.com/google-deepmind/kinetics-i3d).
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx.data.input.class_names import ClassNames
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.content_checks import has_a_time_for_each_frame, has_classes_of_the_model
from avatx.data.input.example_seed import example_seed
from avatx.data.input.keyframe_parsing import nearest_frames
from avatx.data.records import record
from avatx.data.records.column_checks import are_jpeg_files
from avatx.data.records.graph_check import after
from avatx.data.records.record import ParsedLabelledVideo
from avatx.errors import UserError


@dataclasses.dataclass(frozen=True)
class TestViews:
    """What is shown of each video in testing.

    Attributes:
      num_clips: clips, spread evenly from the beginning to the end of the video; 1 is its middle.
      num_crops: 1 is the centre; 2 are left and right (or top and bottom); 3 are left, centre
        and right; and so on, evenly.
    """

    __test__ = False  # no test class of pytest's

    num_clips: int
    num_crops: int

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                raise UserError(f"{field.name}: {getattr(self, field.name)}; expected at least 1")

    @property
    def count(self) -> int:
        """Views of a video; view i is crop i % num_crops of clip i // num_crops."""
        return self.num_clips * self.num_crops


class LabelledClip(NamedTuple):
    """One clip before decoding: F frames of its video."""

    frames: tf.Tensor  # [F] string, JPEG, only frames that the clip shows, each once
    frame_index: tf.Tensor  # [T] int32 into `frames`
    size: tf.Tensor  # [2] int32, height and width of the stored frames
    class_id: tf.Tensor  # [] int64
    video_id: tf.Tensor  # [] string
    start: tf.Tensor  # [] int64, microseconds: which part of the video the record is
    video_index: tf.Tensor  # [] int64
    view: tf.Tensor  # [] int32


class LabelledClipParser:
    """From records to clips that are not decoded yet."""

    def __init__(self, clip_shape: ClipShape, num_classes: int, label_map_path: str):
        self._num_frames = clip_shape.num_frames
        self._num_classes = num_classes
        self._class_names = ClassNames(label_map_path, num_classes)
        interval = 1e6 / clip_shape.frame_rate
        self._offsets = np.rint(np.arange(clip_shape.num_frames) * interval).astype(np.int64)
        self._length = int(round(clip_shape.num_frames * interval))  # microseconds

    # Traced once: datasets ask for it several times.
    @tf.function(
        input_signature=[tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)], autograph=False
    )
    def video(self, index: tf.Tensor, serialized: tf.Tensor) -> ParsedLabelledVideo:
        """A checked record; `index`, [] int64, is the video's ordinal, for messages."""
        video = record.parse_labelled_video(serialized)
        name = ["record ", video.video_id, " (video ", index, ")"]
        checks = [
            has_a_time_for_each_frame(name, video.frames, video.timestamps),
            are_jpeg_files(name, record.IMAGE_ENCODED, video.frames),
            has_classes_of_the_model(name, video.class_id[tf.newaxis], self._num_classes),
            *self._class_names.checks(
                name, video.class_id[tf.newaxis], video.class_name[tf.newaxis]
            ),
        ]
        with after(checks):
            return video._replace(timestamps=tf.identity(video.timestamps))

    def _slack(self, times: tf.Tensor) -> tf.Tensor:
        """[] int64: latest beginning of a clip, microseconds after the first frame."""
        return tf.maximum(_duration(times, self._offsets) - self._length, 0)

    def _clip(
        self, index: tf.Tensor, video: ParsedLabelledVideo, begin: tf.Tensor, view: tf.Tensor
    ) -> LabelledClip:
        wanted = (begin + self._offsets) % _duration(video.timestamps, self._offsets)
        indices = nearest_frames(video.timestamps, video.timestamps[0] + wanted)
        shown, frame_index = tf.unique(indices)
        return LabelledClip(
            frames=tf.gather(video.frames, shown),
            frame_index=tf.ensure_shape(frame_index, [self._num_frames]),
            size=tf.cast(tf.stack([video.height, video.width]), tf.int32),
            class_id=video.class_id,
            video_id=video.video_id,
            start=video.start,
            video_index=index,
            view=tf.cast(view, tf.int32),
        )

    def random_clip(
        self, index: tf.Tensor, video: ParsedLabelledVideo, seed: int, epoch: tf.Tensor
    ) -> LabelledClip:
        """A clip that begins anywhere from which it fits; at the beginning if it never does."""
        own = tf.random.experimental.stateless_fold_in(
            example_seed(seed, epoch, video.video_id, video.start), tf.constant(-2, tf.int64)
        )
        begin = tf.random.stateless_uniform(
            [], own, 0, self._slack(video.timestamps) + 1, dtype=tf.int64
        )
        return self._clip(index, video, begin, tf.constant(0))

    def test_clips(
        self, index: tf.Tensor, video: ParsedLabelledVideo, views: TestViews
    ) -> tf.data.Dataset:
        """All views of a video."""
        slack = tf.cast(self._slack(video.timestamps), tf.float64)
        shares = np.linspace(0.0, 1.0, views.num_clips) if views.num_clips > 1 else [0.5]
        begins = tf.cast(tf.round(slack * np.array(shares)), tf.int64)
        return tf.data.Dataset.range(views.count).map(
            lambda view: self._clip(index, video, begins[view // views.num_crops], view)
        )


def _duration(times: tf.Tensor, offsets: np.ndarray) -> tf.Tensor:
    """[] int64: microseconds from the first frame to the end of the last, which is shown for as
    long as the others are on average; a single frame for the clip's interval."""
    count = tf.maximum(tf.size(times, tf.int64) - 1, 1)
    shown = tf.maximum(times[-1] - times[0], 0)
    single = np.int64(offsets[1] if len(offsets) > 1 else 1)
    return tf.where(shown > 0, shown + shown // count, single)
