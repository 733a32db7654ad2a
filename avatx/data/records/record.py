"""The record: one `tf.train.SequenceExample` a video segment, under MediaSequence's key names.

A record holds the JPEG frames of a segment of one video and every keyframe annotated in it, so
that frames which neighbouring clips share are stored once. Key names are those of MediaSequence
(https://github.com/google-ai-edge/mediapipe, mediapipe/util/sequence/README.md); what it has no
name for is under `avatx/`.

All times are microseconds (int64) on the csv's clock: 0 is the presentation time of the video's
first frame, unless the records were made with another `--video_start_seconds`.
`clip/start/timestamp` and `clip/end/timestamp` are the span that was asked for: within it
(both ends included) the record holds every frame that the video has (unless thinned to a frame
rate, see `avatx/provenance`), and the nearest frame on either side of it, so the frame nearest to
any moment of the span is the one that the whole video would give. The span may reach past the ends
of the video; where it does, there is no frame to store and a clip repeats the border frame.

Boxes are float32 and normalised to [0, 1] of the frame. `region/*` has one step a KEYFRAME, and
in it one value a csv row: a person with three labels is there three times. A keyframe that
somebody looked at and found empty is a step with empty lists.

Records made with `--optical_flow` have `FORWARD_FLOW/image/encoded` too, one a frame: see
`avatx.data.video.optical_flow`.

A record of a labelled video (Kinetics) has `clip/label/*` and no `region/*`; its span is what was
labelled, and no frame outside it is stored.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from avatx.data.records import column_checks
from avatx.data.records.graph_check import after, record_name
from avatx.data.times import MICROSECONDS

EXAMPLE_ID = "example/id"
VIDEO_ID = "clip/media_id"
CLIP_START = "clip/start/timestamp"
CLIP_END = "clip/end/timestamp"
CLIP_LABEL_INDEX = "clip/label/index"
CLIP_LABEL_STRING = "clip/label/string"
IMAGE_FORMAT = "image/format"
IMAGE_HEIGHT = "image/height"
IMAGE_WIDTH = "image/width"
IMAGE_FRAME_RATE = "image/frame_rate"
PROVENANCE = "avatx/provenance"
IMAGE_ENCODED = "image/encoded"
IMAGE_TIMESTAMP = "image/timestamp"
FLOW_ENCODED = "FORWARD_FLOW/image/encoded"
REGION_TIMESTAMP = "region/timestamp"
REGION_YMIN = "region/bbox/ymin"
REGION_XMIN = "region/bbox/xmin"
REGION_YMAX = "region/bbox/ymax"
REGION_XMAX = "region/bbox/xmax"
REGION_LABEL_INDEX = "region/label/index"
REGION_LABEL_STRING = "region/label/string"
REGION_TRACK_INDEX = "region/track/index"


@dataclasses.dataclass
class Keyframe:
    """One annotated moment; N csv rows, which may be 0."""

    timestamp: int  # microseconds
    boxes: np.ndarray  # [N, 4] float32, yxyx, normalised
    class_ids: np.ndarray  # [N] int64, as in the label map
    class_names: list[str]  # N names
    person_ids: np.ndarray  # [N] int64, -1 where unknown


@dataclasses.dataclass
class Segment:
    """What one record says."""

    video_id: str
    start: int  # microseconds; the span asked for, see the module's docstring
    end: int
    height: int  # of the stored frames
    width: int
    frame_rate: float  # of the source video, average frames a second
    timestamps: np.ndarray  # [F] int64, microseconds, strictly ascending
    frames: list[bytes]  # F JPEG files
    keyframes: list[Keyframe]
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Of a labelled video: its classes, as in the label map, and their names; then no keyframes.
    clip_class_ids: list[int] = dataclasses.field(default_factory=list)
    clip_class_names: list[str] = dataclasses.field(default_factory=list)
    flow: list[bytes] | None = None  # of each frame, as `optical_flow.encode` makes it

    @property
    def key(self) -> str:
        """Names the record among all others of its data set."""
        return f"{self.video_id}@{self.start / MICROSECONDS:g}-{self.end / MICROSECONDS:g}"


class ParsedSegment(NamedTuple):
    """A record inside a tf.data graph: F frames, K keyframes, N_k rows in keyframe k."""

    video_id: tf.Tensor  # [] string
    start: tf.Tensor  # [] int64, microseconds
    end: tf.Tensor  # [] int64, microseconds
    height: tf.Tensor  # [] int64
    width: tf.Tensor  # [] int64
    frame_rate: tf.Tensor  # [] float32
    timestamps: tf.Tensor  # [F] int64, microseconds, ascending
    frames: tf.Tensor  # [F] string, JPEG
    keyframe_timestamps: tf.Tensor  # [K] int64, microseconds, ascending
    boxes: tf.RaggedTensor  # [K, (N_k), 4] float32, yxyx, normalised
    class_ids: tf.RaggedTensor  # [K, (N_k)] int64
    class_names: tf.RaggedTensor  # [K, (N_k)] string; [0, (0)] of records without names
    person_ids: tf.RaggedTensor  # [K, (N_k)] int64
    flow: tf.Tensor  # [F] string, see `optical_flow.encode`; [0] where not asked for or not there


class ParsedLabelledVideo(NamedTuple):
    """The record of a labelled video inside a tf.data graph: F frames."""

    video_id: tf.Tensor  # [] string
    start: tf.Tensor  # [] int64, microseconds
    height: tf.Tensor  # [] int64
    width: tf.Tensor  # [] int64
    class_id: tf.Tensor  # [] int64, as in the label map
    class_name: tf.Tensor  # [] string; empty in records without names
    timestamps: tf.Tensor  # [F] int64, microseconds, ascending
    frames: tf.Tensor  # [F] string, JPEG


def _bytes(values: Sequence[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(values) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def encode(segment: Segment) -> bytes:
    """The serialised SequenceExample of `segment`.

    Raises:
      ValueError: frames or keyframes are not in ascending order of time, or counts differ.
    """
    if len(segment.frames) != len(segment.timestamps):
        raise ValueError(
            f"{segment.key}: {len(segment.frames)} frames but {len(segment.timestamps)} timestamps"
        )
    if segment.flow is not None and len(segment.flow) != len(segment.frames):
        raise ValueError(
            f"{segment.key}: {len(segment.frames)} frames but the flow of {len(segment.flow)}"
        )
    keyframe_times = [keyframe.timestamp for keyframe in segment.keyframes]
    if np.any(np.diff(segment.timestamps) <= 0) or np.any(np.diff(keyframe_times) <= 0):
        raise ValueError(f"{segment.key}: timestamps are not strictly ascending")

    context = {
        EXAMPLE_ID: _bytes([segment.key.encode()]),
        VIDEO_ID: _bytes([segment.video_id.encode()]),
        CLIP_START: _ints([segment.start]),
        CLIP_END: _ints([segment.end]),
        IMAGE_FORMAT: _bytes([b"JPEG"]),
        IMAGE_HEIGHT: _ints([segment.height]),
        IMAGE_WIDTH: _ints([segment.width]),
        IMAGE_FRAME_RATE: _floats([segment.frame_rate]),
        PROVENANCE: _bytes([json.dumps(segment.provenance, sort_keys=True).encode()]),
    }
    steps: dict[str, list[tf.train.Feature]] = {
        name: []
        for name in (
            REGION_TIMESTAMP,
            REGION_YMIN,
            REGION_XMIN,
            REGION_YMAX,
            REGION_XMAX,
            REGION_LABEL_INDEX,
            REGION_LABEL_STRING,
            REGION_TRACK_INDEX,
        )
    }
    if segment.clip_class_ids:
        if segment.keyframes or len(segment.clip_class_ids) != len(segment.clip_class_names):
            raise ValueError(
                f"{segment.key}: a labelled video has as many names as classes and no keyframes"
            )
        context[CLIP_LABEL_INDEX] = _ints(segment.clip_class_ids)
        context[CLIP_LABEL_STRING] = _bytes([name.encode() for name in segment.clip_class_names])
        steps = {}
    steps[IMAGE_ENCODED] = [_bytes([frame]) for frame in segment.frames]
    steps[IMAGE_TIMESTAMP] = [_ints([time]) for time in segment.timestamps]
    if segment.flow is not None:
        steps[FLOW_ENCODED] = [_bytes([flow]) for flow in segment.flow]
    for keyframe in segment.keyframes:
        boxes = np.reshape(keyframe.boxes, [-1, 4])
        lengths = {
            len(boxes),
            len(keyframe.class_ids),
            len(keyframe.class_names),
            len(keyframe.person_ids),
        }
        if len(lengths) != 1:
            raise ValueError(
                f"{segment.key}: keyframe {keyframe.timestamp} has boxes, classes, "
                "names and persons of different counts"
            )
        steps[REGION_TIMESTAMP].append(_ints([keyframe.timestamp]))
        for column, name in enumerate((REGION_YMIN, REGION_XMIN, REGION_YMAX, REGION_XMAX)):
            steps[name].append(_floats(boxes[:, column]))
        steps[REGION_LABEL_INDEX].append(_ints(keyframe.class_ids))
        steps[REGION_LABEL_STRING].append(_bytes([name.encode() for name in keyframe.class_names]))
        steps[REGION_TRACK_INDEX].append(_ints(keyframe.person_ids))
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                name: tf.train.FeatureList(feature=features) for name, features in steps.items()
            }
        ),
    ).SerializeToString(deterministic=True)  # else protobuf 6 shuffles the features


def decode(serialized: bytes) -> Segment:
    """`encode` backwards, outside any graph. Raises ValueError if it is not such a record."""
    try:
        example = tf.train.SequenceExample.FromString(serialized)
        context = example.context.feature
        steps = {name: value.feature for name, value in example.feature_lists.feature_list.items()}
        keyframes = [
            Keyframe(
                timestamp=steps[REGION_TIMESTAMP][k].int64_list.value[0],
                boxes=np.stack(
                    [
                        np.array(steps[name][k].float_list.value, np.float32)
                        for name in (REGION_YMIN, REGION_XMIN, REGION_YMAX, REGION_XMAX)
                    ],
                    axis=-1,
                ),
                class_ids=np.array(steps[REGION_LABEL_INDEX][k].int64_list.value, np.int64),
                class_names=[
                    name.decode() for name in steps[REGION_LABEL_STRING][k].bytes_list.value
                ],
                person_ids=np.array(steps[REGION_TRACK_INDEX][k].int64_list.value, np.int64),
            )
            for k in range(len(steps.get(REGION_TIMESTAMP, ())))
        ]
        return Segment(
            video_id=context[VIDEO_ID].bytes_list.value[0].decode(),
            start=context[CLIP_START].int64_list.value[0],
            end=context[CLIP_END].int64_list.value[0],
            height=context[IMAGE_HEIGHT].int64_list.value[0],
            width=context[IMAGE_WIDTH].int64_list.value[0],
            frame_rate=context[IMAGE_FRAME_RATE].float_list.value[0],
            timestamps=np.array(
                [step.int64_list.value[0] for step in steps[IMAGE_TIMESTAMP]], np.int64
            ),
            frames=[step.bytes_list.value[0] for step in steps[IMAGE_ENCODED]],
            keyframes=keyframes,
            provenance=json.loads(context[PROVENANCE].bytes_list.value[0]),
            clip_class_ids=list(context[CLIP_LABEL_INDEX].int64_list.value),
            clip_class_names=[
                name.decode() for name in context[CLIP_LABEL_STRING].bytes_list.value
            ],
            flow=[step.bytes_list.value[0] for step in steps[FLOW_ENCODED]]
            if FLOW_ENCODED in steps
            else None,
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"not an avatx record: {error!r}") from error
    except Exception as error:  # protobuf's DecodeError has a different home in each version
        raise ValueError(f"not a SequenceExample: {error}") from error


@tf.function(autograph=False)  # traced once: its checks are hundreds of operations
def parse(serialized: tf.Tensor, flow: bool = False) -> ParsedSegment:
    """`decode` inside a graph: a scalar string tensor to a `ParsedSegment`. Decodes no frame.

    Its checks fail where columns have different lengths, times do not ascend, or boxes are none.

    Args:
      serialized: [] string, an entry of a TFRecord file.
      flow: parse the optical flow, too.
    """
    flow_features = {FLOW_ENCODED: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)}
    context, steps = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            VIDEO_ID: tf.io.FixedLenFeature([], tf.string),
            CLIP_START: tf.io.FixedLenFeature([], tf.int64),
            CLIP_END: tf.io.FixedLenFeature([], tf.int64),
            IMAGE_HEIGHT: tf.io.FixedLenFeature([], tf.int64),
            IMAGE_WIDTH: tf.io.FixedLenFeature([], tf.int64),
            IMAGE_FRAME_RATE: tf.io.FixedLenFeature([], tf.float32),
        },
        sequence_features={
            IMAGE_ENCODED: tf.io.FixedLenSequenceFeature([], tf.string),
            IMAGE_TIMESTAMP: tf.io.FixedLenSequenceFeature([], tf.int64),
            REGION_TIMESTAMP: tf.io.FixedLenSequenceFeature([], tf.int64),
            **{
                name: tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64)
                for name in (REGION_YMIN, REGION_XMIN, REGION_YMAX, REGION_XMAX)
            },
            REGION_LABEL_INDEX: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            REGION_LABEL_STRING: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
            REGION_TRACK_INDEX: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            **(flow_features if flow else {}),
        },
    )
    name = record_name(context[VIDEO_ID], context[CLIP_START])
    times, keyframe_times = steps[IMAGE_TIMESTAMP], steps[REGION_TIMESTAMP]
    corners = (REGION_YMIN, REGION_XMIN, REGION_YMAX, REGION_XMAX)
    columns = {key: steps[key] for key in (*corners, REGION_LABEL_INDEX, REGION_TRACK_INDEX)}
    checks = [
        column_checks.has_video_id(name, VIDEO_ID, context[VIDEO_ID]),
        column_checks.ascends(name, IMAGE_TIMESTAMP, times),
        column_checks.ascends(name, REGION_TIMESTAMP, keyframe_times),
        *column_checks.as_many_values(name, keyframe_times, REGION_TIMESTAMP, columns),
    ]
    with after(checks):
        boxes = tf.stack([steps[key].flat_values for key in corners], axis=-1)
    class_ids, class_names = steps[REGION_LABEL_INDEX], steps[REGION_LABEL_STRING]
    checks = [
        column_checks.are_boxes(name, "region/bbox/*", boxes),
        column_checks.has_names_for_all(
            name, REGION_LABEL_STRING, REGION_LABEL_INDEX, class_names, class_ids
        ),
        column_checks.names_one_class_each(
            name, "region/label/*", class_ids.flat_values, class_names.flat_values
        ),
    ]
    with after(checks):
        boxes = steps[REGION_YMIN].with_flat_values(tf.identity(boxes))  # [K, (N_k), 4]
        keyframe_times = tf.identity(keyframe_times)
    return ParsedSegment(
        video_id=context[VIDEO_ID],
        start=context[CLIP_START],
        end=context[CLIP_END],
        height=context[IMAGE_HEIGHT],
        width=context[IMAGE_WIDTH],
        frame_rate=context[IMAGE_FRAME_RATE],
        timestamps=steps[IMAGE_TIMESTAMP],
        frames=steps[IMAGE_ENCODED],
        keyframe_timestamps=keyframe_times,
        boxes=boxes,
        class_ids=class_ids,
        class_names=class_names,
        person_ids=steps[REGION_TRACK_INDEX],
        flow=steps.get(FLOW_ENCODED, tf.zeros([0], tf.string)),
    )


def parse_labelled_video(serialized: tf.Tensor) -> ParsedLabelledVideo:
    """The record of a labelled video inside a graph: a scalar string tensor. Decodes no frame."""
    context, steps = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            VIDEO_ID: tf.io.FixedLenFeature([], tf.string),
            CLIP_START: tf.io.FixedLenFeature([], tf.int64),
            IMAGE_HEIGHT: tf.io.FixedLenFeature([], tf.int64),
            IMAGE_WIDTH: tf.io.FixedLenFeature([], tf.int64),
            CLIP_LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
            CLIP_LABEL_STRING: tf.io.FixedLenFeature([], tf.string, default_value=""),
        },
        sequence_features={
            IMAGE_ENCODED: tf.io.FixedLenSequenceFeature([], tf.string),
            IMAGE_TIMESTAMP: tf.io.FixedLenSequenceFeature([], tf.int64),
        },
    )
    name = record_name(context[VIDEO_ID], context[CLIP_START])
    checks = [
        column_checks.has_video_id(name, VIDEO_ID, context[VIDEO_ID]),
        column_checks.ascends(name, IMAGE_TIMESTAMP, steps[IMAGE_TIMESTAMP]),
    ]
    with after(checks):
        video_id = tf.identity(context[VIDEO_ID])
    return ParsedLabelledVideo(
        video_id=video_id,
        start=context[CLIP_START],
        height=context[IMAGE_HEIGHT],
        width=context[IMAGE_WIDTH],
        class_id=context[CLIP_LABEL_INDEX],
        class_name=context[CLIP_LABEL_STRING],
        timestamps=steps[IMAGE_TIMESTAMP],
        frames=steps[IMAGE_ENCODED],
    )
