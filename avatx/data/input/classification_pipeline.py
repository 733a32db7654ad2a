"""Batches of labelled clips from TFRecords, to train and test a classifier of videos.

files -> records (a video each) -> a window of T frames, still encoded -> shuffle -> augment,
decode, crop and resize -> batches. As in `input_pipeline`, every random number comes from (seed,
epoch, video) by a stateless generator, and only the frames that a clip shows are decoded.

A clip's frames are wanted 1 / frame_rate apart, and the stored frame nearest in presentation time
is taken. A video shorter than the clip is played again from its beginning until the clip is
full, as kinetics-i3d does (https://github.com/google-deepmind/kinetics-i3d).

The spatial window has the size of the clip, in pixels of the stored frames: a random one in
training, left (or top), centre and right (or bottom) in testing; the centre is that of
`avatx.inference.video_classification.center_crop`. Where the frames are smaller than
it, the window is the largest that fits in its aspect ratio, and is enlarged.

Host memory: the shuffle buffer holds shuffle_buffer_size clips of T encoded frames; 64 frames of
340 x 256 are about 1.3 MB. Beside it, a record a reader and the decoded clips.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx.core.structures import LabelledClips
from avatx.data.input import augmentation
from avatx.data.input.augmentation import Augmentation, View
from avatx.data.input.class_names import ClassNames
from avatx.data.input.input_check import check_first_records
from avatx.data.input.input_pipeline import (
    InputOptions,
    batched,
    decode_clip,
    endless_epochs,
    filled,
    hash_of,
    worker_share,
)
from avatx.data.input.keyframe_parsing import ClipShape, nearest_frames
from avatx.data.records import record, remote_files
from avatx.data.records.data_statistics import counts_by_manifest
from avatx.data.records.input_errors import check, explained
from avatx.data.records.record import ParsedLabelledVideo
from avatx.errors import UserError

__all__ = ["ClipShape", "InputOptions", "TestViews", "build_dataset", "count_videos"]


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


class _Example(NamedTuple):
    """One clip before decoding."""

    frames: tf.Tensor  # [F] string, JPEG, only frames that the clip shows, each once
    frame_index: tf.Tensor  # [T] int32 into `frames`
    size: tf.Tensor  # [2] int32, height and width of the stored frames
    class_id: tf.Tensor  # [] int64
    video_id: tf.Tensor  # [] string
    start: tf.Tensor  # [] int64, microseconds: which part of the video the record is
    video_index: tf.Tensor  # [] int64
    view: tf.Tensor  # [] int32


def build_dataset(
    options: InputOptions,
    clip_shape: ClipShape,
    batch_size: int,
    *,
    training: bool,
    augmentations: Sequence[Augmentation] = (),
    views: TestViews | None = None,
    input_context: tf.distribute.InputContext | None = None,
    start_step: int = 0,
) -> tf.data.Dataset:
    """A dataset of `LabelledClips`, each of the same static shape.

    Training repeats for ever; each epoch holds each video once, by one random window in time
    and space. Testing gives every view of every video once, a video's views one after the
    other; the last batch is filled up with repeats and `valid=False`.

    Args:
      options: of these `input_paths`, `num_classes`, `label_map_path`, `shuffle`,
        `shuffle_buffer_size`, `num_readers`, `seed` and `num_parallel_decodes` are looked at.
      clip_shape: what one clip is.
      batch_size: clips of all replicas together.
      training: random windows, shuffled, for ever; else `views`, in order, once.
      augmentations: applied in order after the random crop; training only.
      views: testing only, and needed there.
      input_context: as of `input_pipeline.build_dataset`.
      start_step: as of `input_pipeline.build_dataset`.

    Raises:
      UserError: no file, a file that is no TFRecord or holds other records, no video at all, a
        class id above num_classes or of another name in the label map, or a batch that the
        replicas cannot share evenly. Later records raise when they are read: see
        `input_errors.explained`.
    """
    if not training and views is None:
        raise ValueError("views: None; expected TestViews for testing")
    if clip_shape.channels != 3:
        raise UserError(
            "trunk two_stream: records of labelled videos hold no optical flow; "
            "expected a trunk of RGB frames"
        )
    shard, num_shards, replicas, replica_batch = worker_share(batch_size, input_context)
    files = remote_files.match_files(options.input_paths)
    parser = _Parser(clip_shape, options.num_classes, options.label_map_path)
    check_first_records(files, lambda serialized: parser.video(0, serialized), labelled=True)
    counts = count_videos(files)
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    by_file = len(files) >= num_shards
    own = slice(shard, None, num_shards) if by_file else slice(None)
    sources = tf.constant(files)[own], tf.constant(offsets)[own]
    if training and not sum(counts[own]):
        raise UserError(
            f"{', '.join(options.input_paths)}: no video to train on for worker "
            f"{shard + 1} of {num_shards}; expected at least one"
        )

    def serialized_videos(epoch: tf.Tensor | None) -> tf.data.Dataset:
        """(ordinal, record) of this worker."""
        dataset = _records(*sources, options, epoch)
        return dataset if by_file else dataset.shard(num_shards, shard)

    def training_examples(epoch: tf.Tensor) -> tf.data.Dataset:
        dataset = serialized_videos(epoch if options.shuffle else None).map(
            lambda index, serialized: parser.random_clip(
                index, parser.video(index, serialized), options.seed, epoch
            ),
            num_parallel_calls=2,
            deterministic=True,
        )
        if not options.shuffle:
            return dataset
        return dataset.shuffle(options.shuffle_buffer_size, seed=options.seed * 1_000_003 + epoch)

    if training:
        count = sum(counts[own])
        count = count if by_file else -(-(count - shard) // num_shards)
        first_epoch, skipped = divmod(start_step * replicas * replica_batch, max(count, 1))
        dataset = endless_epochs(training_examples, first_epoch).skip(skipped)
        dataset = dataset.map(lambda epoch, example: (epoch, example, True))
    else:
        dataset = serialized_videos(None).flat_map(
            lambda index, serialized: parser.test_clips(
                index, parser.video(index, serialized), views
            )
        )
        dataset = tf.data.Dataset.zip((tf.data.Dataset.from_tensors(np.int64(0)).repeat(), dataset))
        dataset = filled(dataset, replicas * replica_batch)

    def finish(epoch: tf.Tensor, example: _Example, valid: tf.Tensor) -> LabelledClips:
        window = _window_size(example.size, (clip_shape.height, clip_shape.width))
        margin = example.size - window
        if training:
            seed = _seed(options.seed, epoch, example)
            place = tf.random.stateless_uniform(
                [2], tf.random.experimental.stateless_fold_in(seed, tf.constant(-1, tf.int64))
            )
            view = augmentation.augment(
                augmentations,
                tf.zeros([0, 4]),
                seed,
                _crop(example.size, window, _random_corner(margin, place)),
            )
        else:
            view = _crop(example.size, window, _test_corner(margin, example, views))
        view, pixels = augmentation.whole_pixels(view, example.size[0], example.size[1])
        return LabelledClips(
            clips=decode_clip(example.frames, example.frame_index, clip_shape, view, pixels),
            labels=tf.cast(example.class_id - 1, tf.int32),
            video_index=example.video_index,
            view=example.view,
            valid=tf.convert_to_tensor(valid),
        )

    dataset = dataset.map(
        finish,
        num_parallel_calls=options.num_parallel_decodes or tf.data.AUTOTUNE,
        deterministic=True,
    )
    return batched(dataset, replica_batch)


def count_videos(files: Sequence[str]) -> list[int]:
    """Labelled videos in each file: of the manifests beside them, else by reading them through.

    Raises:
      UserError: a file is corrupt.
    """
    counts = counts_by_manifest(files, "records")
    if counts is not None:
        return counts
    with explained(files):
        return [
            int(tf.data.TFRecordDataset(path).reduce(np.int64(0), lambda count, _: count + 1))
            for path in files
        ]


def _records(
    paths: tf.Tensor, offsets: tf.Tensor, options: InputOptions, epoch: tf.Tensor | None
) -> tf.data.Dataset:
    """(ordinal of the video, record); files in an order that `epoch` decides, or as they are."""
    if epoch is not None:
        seed = tf.stack([tf.constant(options.seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(tf.size(paths)), seed)
        paths, offsets = tf.gather(paths, order), tf.gather(offsets, order)
    readers = 1 if epoch is None else min(options.num_readers, len(paths))
    return tf.data.Dataset.from_tensor_slices((paths, offsets)).interleave(
        lambda path, offset: tf.data.TFRecordDataset(path).enumerate(offset),
        cycle_length=readers,
        num_parallel_calls=readers,
        deterministic=True,
    )


def _seed(seed: int, epoch: tf.Tensor, clip) -> tf.Tensor:
    """[2] int64 for one video (or part of one) in one epoch."""
    whole = tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_fold_in(whole, hash_of(clip.video_id, clip.start))


class _Parser:
    """From records to clips that are not decoded yet."""

    def __init__(self, clip_shape: ClipShape, num_classes: int, label_map_path: str):
        self._num_frames = clip_shape.num_frames
        self._num_classes = num_classes
        self._class_names = ClassNames(label_map_path, num_classes)
        interval = 1e6 / clip_shape.frame_rate
        self._offsets = np.rint(np.arange(clip_shape.num_frames) * interval).astype(np.int64)
        self._length = int(round(clip_shape.num_frames * interval))  # microseconds

    def video(self, index, serialized: tf.Tensor) -> ParsedLabelledVideo:
        """A checked record; `index` is the video's ordinal, for messages."""
        video = record.parse_labelled_video(serialized)
        num_frames, num_times = tf.size(video.frames), tf.size(video.timestamps)
        name = ["record ", video.video_id, " (video ", index, ")"]
        checks = [
            check(
                (num_frames == num_times) & (num_times > 0),
                [
                    *name,
                    " has ",
                    num_frames,
                    " frames and ",
                    num_times,
                    " frame timestamps; expected as many, at least one; write the records again",
                ],
            ),
            check(
                (video.class_id >= 1) & (video.class_id <= self._num_classes),
                [
                    *name,
                    " has class id ",
                    video.class_id,
                    f"; expected 1 to num_classes = {self._num_classes}; is the label map of the "
                    "config the one that the records were made with?",
                ],
            ),
            self._class_names.check(name, video.class_id[tf.newaxis], video.class_name[tf.newaxis]),
        ]
        with tf.control_dependencies([one for one in checks if one is not None]):
            return video._replace(timestamps=tf.identity(video.timestamps))

    def _slack(self, times: tf.Tensor) -> tf.Tensor:
        """[] int64: latest beginning of a clip, microseconds after the first frame."""
        return tf.maximum(_duration(times, self._offsets) - self._length, 0)

    def _clip(
        self, index: tf.Tensor, video: ParsedLabelledVideo, begin: tf.Tensor, view: tf.Tensor
    ) -> _Example:
        wanted = (begin + self._offsets) % _duration(video.timestamps, self._offsets)
        indices = nearest_frames(video.timestamps, video.timestamps[0] + wanted)
        shown, frame_index = tf.unique(indices)
        return _Example(
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
    ) -> _Example:
        """A clip that begins anywhere from which it fits; at the beginning if it never does."""
        own = tf.random.experimental.stateless_fold_in(
            _seed(seed, epoch, video), tf.constant(-2, tf.int64)
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


def _window_size(stored: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """[2] int32: `size`, or the largest of its ratio where the stored frames are smaller.

    Args:
      stored: [2] int32, height and width of the stored frames.
      size: height and width of the clip.
    """
    stored, size = tf.cast(stored, tf.float32), np.array(size, np.float32)
    scale = tf.minimum(tf.reduce_min(stored / size), 1.0)
    return tf.cast(tf.clip_by_value(tf.round(scale * size), 1.0, stored), tf.int32)


def _random_corner(margin: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """[2] int32, from 0 to `margin`, each equally likely where `place` is uniform in [0, 1)."""
    corner = tf.floor(place * tf.cast(margin + 1, tf.float32))
    return tf.minimum(tf.cast(corner, tf.int32), margin)


def _test_corner(margin: tf.Tensor, example: _Example, views: TestViews) -> tf.Tensor:
    """[2] int32: the centre across, and evenly along the longer side."""
    centre = margin // 2
    if views.num_crops == 1:
        return centre
    spread = margin * (example.view % views.num_crops) // (views.num_crops - 1)
    tall = example.size[0] > example.size[1]
    return tf.where([tall, ~tall], spread, centre)


def _crop(stored: tf.Tensor, window: tf.Tensor, corner: tf.Tensor) -> View:
    """The view of `window` pixels from `corner` of frames of `stored` pixels, all [2] int32."""
    edges = tf.concat([corner, corner + window], axis=0) / tf.tile(stored, [2])
    return augmentation.identity_view()._replace(window=tf.cast(edges, tf.float32))
