"""From a record to keyframe examples: encoded frames of the clip, merged boxes, no pixels yet.

Plain TensorFlow, the same eagerly and inside tf.data.
"""

from typing import NamedTuple

import tensorflow as tf

from avatx.core.structures import VIDEO_ID_BYTES
from avatx.data.input.class_names import ClassNames
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.content_checks import has_a_time_for_each_frame, has_classes_of_the_model
from avatx.data.records import record
from avatx.data.records.column_checks import are_jpeg_files
from avatx.data.records.graph_check import after, check, record_name, seconds
from avatx.data.video import clip_sampling

# Clip and span are rounded to microseconds apart from each other.
_SPAN_TOLERANCE = 1_000  # microseconds


class KeyframeExample(NamedTuple):
    """One clip before decoding: F frames of its segment, N people with boxes."""

    frames: tf.Tensor  # [F] string, JPEG, only frames the clip shows, each once, by time
    flow: tf.Tensor  # [F] string, the frames' `optical_flow.encode`; [0] in clips without flow
    frame_index: tf.Tensor  # [T] int32 into `frames`, not descending
    boxes: tf.Tensor  # [N, 4] float32, yxyx in the stored frame
    labels: tf.Tensor  # [N, C] float32, k-hot
    video_id: tf.Tensor  # [] string
    timestamp: tf.Tensor  # [] int64, microseconds


def nearest_frames(frame_times: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """`clip_sampling.nearest_frames` in TensorFlow: [F], [T] int64 -> [T] int32."""
    last = tf.size(frame_times) - 1
    right = tf.minimum(tf.searchsorted(frame_times, wanted), last)
    left = tf.maximum(right - 1, 0)
    nearer = (tf.gather(frame_times, right) - wanted) < (wanted - tf.gather(frame_times, left))
    left = tf.where(tf.gather(frame_times, right) < wanted, right, left)  # past the last frame
    return tf.where(nearer, right, left)


def merge_rows(
    boxes: tf.Tensor, class_ids: tf.Tensor, person_ids: tf.Tensor, num_classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows of one person (same box, same person id) become one box with k-hot labels.

    Args:
      boxes: [R, 4] float32, a csv row each.
      class_ids: [R] int64 in 1..num_classes.
      person_ids: [R] int64, -1 where unknown.
      num_classes: length of the k-hot labels.

    Returns:
      boxes [N, 4] float32 in order of first appearance, labels [N, num_classes] float32.
    """
    same_box = tf.reduce_all(boxes[:, tf.newaxis] == boxes[tf.newaxis], axis=-1)
    same = same_box & (person_ids[:, tf.newaxis] == person_ids[tf.newaxis])  # [R, R]
    rows = tf.range(tf.shape(boxes)[0], dtype=tf.int64)
    # The first row like this one. An [R, R] matrix is small: AVA has some 30 rows a keyframe.
    first = tf.reduce_min(tf.where(same, rows[tf.newaxis], tf.shape(boxes, tf.int64)[0]), axis=1)
    kept = tf.boolean_mask(rows, first == rows)  # [N]
    belongs = tf.cast(kept[:, tf.newaxis] == first[tf.newaxis], tf.float32)  # [N, R]
    labels = tf.linalg.matmul(belongs, tf.one_hot(class_ids - 1, num_classes))
    return tf.gather(boxes, kept), tf.minimum(labels, 1.0)


class KeyframeParser:
    """Parses records into keyframes for one clip shape and set of classes.

    With a label map, records must name their classes as it does.
    """

    def __init__(self, clip_shape: ClipShape, num_classes: int, label_map_path: str = ""):
        self._clip_shape = clip_shape
        self._num_classes = num_classes
        self._class_names = ClassNames(label_map_path, num_classes)
        self._offsets = clip_sampling.wanted_times(
            0, clip_shape.num_frames, clip_shape.frame_rate
        )  # [T] int64, microseconds

    # Traced once: datasets ask for it five times.
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def segment(self, serialized: tf.Tensor) -> record.ParsedSegment:
        """A checked record. [] string -> ParsedSegment."""
        segment = record.parse(serialized, flow=self._clip_shape.has_flow)
        name = record_name(segment.video_id, segment.start)
        num_frames = tf.size(segment.frames)
        checks = [
            has_a_time_for_each_frame(name, segment.frames, segment.timestamps),
            are_jpeg_files(name, record.IMAGE_ENCODED, segment.frames),
            check(
                tf.strings.length(segment.video_id) <= VIDEO_ID_BYTES,
                [
                    *name,
                    " has a video id of ",
                    tf.strings.length(segment.video_id),
                    f" bytes; expected {VIDEO_ID_BYTES} at most; use shorter video file names",
                ],
            ),
        ]
        if self._clip_shape.has_flow:
            checks.append(are_jpeg_files(name, record.FLOW_ENCODED, segment.flow))
            checks.append(
                check(
                    tf.size(segment.flow) == num_frames,
                    [
                        *name,
                        " has ",
                        num_frames,
                        " frames and the optical flow of ",
                        tf.size(segment.flow),
                        "; the model's two_stream trunk takes that of each: write "
                        "the records again with tools/create_ava_tfrecord.py --optical_flow dis",
                    ],
                )
            )
        ids = segment.class_ids.flat_values
        checks.append(has_classes_of_the_model(name, ids, self._num_classes))
        checks += self._class_names.checks(name, ids, segment.class_names.flat_values)
        with after(checks):
            return segment._replace(
                video_id=tf.identity(segment.video_id),
                keyframe_timestamps=tf.identity(segment.keyframe_timestamps),
            )

    def keyframe(self, segment: record.ParsedSegment, index: tf.Tensor) -> KeyframeExample:
        """The index-th keyframe of a segment with the encoded frames that its clip shows."""
        timestamp = segment.keyframe_timestamps[index]
        wanted = timestamp + self._offsets  # [T]
        covered = (wanted[0] >= segment.start - _SPAN_TOLERANCE) & (
            wanted[-1] <= segment.end + _SPAN_TOLERANCE
        )
        checks = [
            check(
                covered,
                [
                    *record_name(segment.video_id, segment.start),
                    " holds frames from ",
                    seconds(segment.start),
                    " to ",
                    seconds(segment.end),
                    " s, but ",
                    f"{self._clip_shape.num_frames} frames at {self._clip_shape.frame_rate:g} a "
                    "second around keyframe ",
                    seconds(timestamp),
                    " s need ",
                    seconds(wanted[0]),
                    " to ",
                    seconds(wanted[-1]),
                    " s; use a shorter clip or write records with longer ones",
                ],
            )
        ]
        with after(checks):
            indices = nearest_frames(segment.timestamps, wanted)
        shown, frame_index = tf.unique(indices)  # ascending, so borders and slow videos repeat
        boxes, labels = merge_rows(
            segment.boxes[index],
            segment.class_ids[index],
            segment.person_ids[index],
            self._num_classes,
        )
        return KeyframeExample(
            frames=tf.gather(segment.frames, shown),
            flow=tf.gather(segment.flow, shown) if self._clip_shape.has_flow else segment.flow,
            frame_index=tf.ensure_shape(frame_index, [self._clip_shape.num_frames]),
            boxes=tf.ensure_shape(boxes, [None, 4]),
            labels=labels,
            video_id=segment.video_id,
            timestamp=timestamp,
        )
