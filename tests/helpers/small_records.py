"""Little records whose pixels tell which frame they are, and what tests ask of batches."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from default_options import default

from avatx.core.structures import Batch
from avatx.data.input.input_options import InputOptions
from avatx.data.records import record

HEIGHT, WIDTH = 48, 64
FAR = 100_000_000  # microseconds: a span that covers any clip
TWO_PEOPLE = [
    ((0.1, 0.2, 0.5, 0.6), 1, 0),
    ((0.1, 0.2, 0.5, 0.6), 3, 0),
    ((0.3, 0.3, 0.9, 0.4), 2, 1),
]


def grey_frame(level: int) -> bytes:
    return tf.io.encode_jpeg(np.full([HEIGHT, WIDTH, 3], level, np.uint8), quality=100).numpy()


def keyframe(microseconds: int, people=TWO_PEOPLE) -> record.Keyframe:
    """People are rows (box, class id, person id)."""
    return record.Keyframe(
        timestamp=microseconds,
        boxes=np.array([box for box, _, _ in people], np.float32).reshape([-1, 4]),
        class_ids=np.array([class_id for _, class_id, _ in people], np.int64),
        class_names=[f"class {class_id}" for _, class_id, _ in people],
        person_ids=np.array([person for _, _, person in people], np.int64),
    )


def segment(
    video_id: str,
    keyframes: Sequence[record.Keyframe],
    *,
    num_frames: int = 100,
    frame_rate: float = 25.0,
    first_time: int = 0,
    frames: list[bytes] | None = None,
    margin: int = FAR,
) -> record.Segment:
    """Frame i is grey of level 2 i (modulo 256), unless `frames` are given."""
    times = first_time + np.rint(np.arange(num_frames) * 1e6 / frame_rate).astype(np.int64)
    return record.Segment(
        video_id=video_id,
        start=int(times[0]) - margin,
        end=int(times[-1]) + margin,
        height=HEIGHT,
        width=WIDTH,
        frame_rate=frame_rate,
        timestamps=times,
        frames=frames or [grey_frame(2 * index % 256) for index in range(num_frames)],
        keyframes=list(keyframes),
    )


def write(path, segments: Sequence[record.Segment]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in segments:
            writer.write(record.encode(one))
    return str(path)


def write_set(folder, num_files: int, segments_each: int = 2, keyframes_each: int = 3) -> str:
    """A set of records with distinct keyframes; returns its file pattern."""
    frames = [grey_frame(level) for level in range(4)]
    for index in range(num_files):
        write(
            folder / f"set-{index:02d}.tfrecord",
            [
                segment(
                    f"video{index}",
                    [
                        keyframe((part * 10 + second) * 1_000_000)
                        for second in range(keyframes_each)
                    ],
                    num_frames=4,
                    frame_rate=1.0,
                    first_time=part * 10_000_000,
                    frames=frames,
                )
                for part in range(segments_each)
            ],
        )
    return str(folder / "set-*.tfrecord")


def options(pattern, **changes) -> InputOptions:
    return default(InputOptions, (str(pattern),), **{"num_classes": 3, "max_boxes": 4, **changes})


def keys(batch: Batch):
    """(video id, seconds) of the clips that are no filling."""
    return [
        (bytes(video_id).rstrip(b"\0").decode(), float(timestamp))
        for video_id, timestamp, valid in zip(
            batch.keyframes.video_id.numpy(),
            batch.keyframes.timestamp.numpy(),
            batch.valid.numpy(),
            strict=True,
        )
        if valid
    ]


def all_keys(dataset):
    return [key for batch in dataset for key in keys(batch)]
