"""Batches of clips from TFRecords, for training and evaluation.

files -> records (segments) -> keyframes with their encoded frames -> shuffle -> augment, decode,
crop and resize -> batches. Every random number comes from (seed, epoch, video, timestamp) by a
stateless generator, so the stream is the same for any number of threads, and a clip's
augmentation and sampling seed do not depend on which batch or replica it lands in.

Order of training: each epoch holds each keyframe once. Files come in random order and are read
`num_readers` at once; `open_segments` records are open at a time and give one random keyframe in
turn; a buffer of `shuffle_buffer_size` encoded clips mixes these.

Host memory, with b bytes a JPEG frame, F frames a record, T x H x W clips and batch size B:
  shuffle        shuffle_buffer_size * T * b                     256 * 64 * 55 kB = 900 MB
  open records   2 * (open_segments + num_readers) * F * b       40 * 350 * 55 kB = 770 MB
  decoded        (threads + (prefetched + 2) * B) * T * H * W * 3, a batch of 3 being 92 MB
(numbers: 64 frames of 400 x 400 from records of 14 s at 25 frames a second, 534 x 400, JPEG
quality 90, 55 kB a frame as measured on PETS09; films take less.)
None of it grows with the data set or with time.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from avatx.core.structures import VIDEO_ID_BYTES, Batch, Groundtruth, Keyframes
from avatx.data.input import augmentation
from avatx.data.input.augmentation import Augmentation, View
from avatx.data.input.input_check import check_first_records
from avatx.data.input.keyframe_parsing import ClipShape, KeyframeExample, KeyframeParser
from avatx.data.records import remote_files
from avatx.data.records.data_statistics import count_by_manifest
from avatx.data.records.input_errors import check, explained
from avatx.data.records.record import ParsedSegment
from avatx.errors import UserError

__all__ = ["ClipShape", "InputOptions", "build_dataset", "decode_clip", "make_example"]

_PREFETCHED_BATCHES = 2  # bounded: a batch of 30 clips of 64 x 400 x 400 is 920 MB


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """Where records are and how they are read.

    Attributes:
      input_paths: file patterns; local, s3://, gs:// or http(s)://.
      num_classes: C, the largest class id.
      label_map_path: with which the names that records give their classes are compared; empty:
        they are not.
      max_boxes: G, to which groundtruth is padded. Of more people the first G are kept, and
        training says so on stderr; evaluation refuses, for it scores against these boxes.
      shuffle: training only; evaluation keeps the order of files, records and keyframes.
      shuffle_buffer_size: encoded clips that the random order draws from.
      open_segments: records that are open at once, so that neighbouring keyframes of a video
        come apart.
      num_readers: files read at once.
      drop_keyframes_without_people: training only; evaluation always keeps them.
      seed: of everything random.
      num_parallel_decodes: clips decoded at once; 0 leaves it to tf.data.
    """

    input_paths: tuple[str, ...]
    num_classes: int
    label_map_path: str
    max_boxes: int
    shuffle: bool
    shuffle_buffer_size: int
    open_segments: int
    num_readers: int
    drop_keyframes_without_people: bool
    seed: int
    num_parallel_decodes: int

    def __post_init__(self):
        for name in (
            "num_classes",
            "max_boxes",
            "shuffle_buffer_size",
            "open_segments",
            "num_readers",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)}; expected at least 1")


def build_dataset(
    options: InputOptions,
    clip_shape: ClipShape,
    batch_size: int,
    *,
    training: bool,
    augmentations: Sequence[Augmentation] = (),
    input_context: tf.distribute.InputContext | None = None,
    start_step: int = 0,
) -> tf.data.Dataset:
    """A dataset of `Batch`, each of the same static shape.

    Training repeats for ever. Evaluation gives every keyframe once; the last batch is filled up
    with repeats of the first clip and `valid=False`, and whole batches of these follow where
    a replica would otherwise get none.

    Args:
      options: which records, and in which order they are read.
      clip_shape: what one clip is.
      batch_size: clips of all replicas together.
      training: shuffle and repeat; else one pass in order.
      augmentations: applied in order; normally none in evaluation.
      input_context: of `strategy.distribute_datasets_from_function`; then each element is one
        replica's share, and each input pipeline reads its own files (or, where there are fewer
        files than pipelines, its own keyframes of all files).
      start_step: training continues as if this many batches had been taken. The order of the
        clips skipped is replayed without decoding a frame, which costs reading the part of
        the epoch that is skipped, and a pass to count keyframes where no manifest tells.

    Raises:
      UserError: no file, a file that is no TFRecord or holds other records, no keyframe at
        all, a class id above num_classes or of another name in the label map, or a batch that the
        replicas cannot share evenly.
        Later records raise when they are read: see `input_errors.explained`.
    """
    shard, num_shards, replicas, replica_batch = worker_share(batch_size, input_context)
    files = remote_files.match_files(options.input_paths)
    parser = KeyframeParser(clip_shape, options.num_classes, options.label_map_path)
    check_first_records(files, parser.segment)
    by_file = len(files) >= num_shards
    if by_file:
        files = files[shard::num_shards]

    def examples(epoch: tf.Tensor | None) -> tf.data.Dataset:
        dataset = keyframe_examples(files, options, parser, epoch, training)
        return dataset if by_file else dataset.shard(num_shards, shard)

    if training:
        share = (0, 1) if by_file else (shard, num_shards)
        dataset = _epochs(
            examples, files, options, parser, share, skipped=start_step * replicas * replica_batch
        )
    else:
        dataset = tf.data.Dataset.zip(
            (tf.data.Dataset.from_tensors(np.int64(0)).repeat(), examples(None))
        )
        dataset = filled(dataset, replicas * replica_batch)

    def finish(epoch: tf.Tensor, example: KeyframeExample, valid: tf.Tensor) -> Batch:
        return make_example(
            example, clip_shape, options, augmentations, epoch, valid, warn=training
        )

    if training:
        dataset = dataset.map(lambda epoch, example: (epoch, example, True))
    dataset = dataset.map(
        finish,
        num_parallel_calls=options.num_parallel_decodes or tf.data.AUTOTUNE,
        deterministic=True,
    )
    return batched(dataset, replica_batch)


def batched(dataset: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Whole batches, ready ahead of time, always in the same order."""
    dataset = dataset.batch(batch_size, drop_remainder=True).prefetch(_PREFETCHED_BATCHES)
    settings = tf.data.Options()
    settings.deterministic = True
    settings.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(settings)


def worker_share(
    batch_size: int, context: tf.distribute.InputContext | None
) -> tuple[int, int, int, int]:
    """This input pipeline's index, their number, its replicas and a replica's batch size."""
    if context is None:
        return 0, 1, 1, batch_size
    if batch_size % context.num_replicas_in_sync:
        raise UserError(
            f"batch_size: {batch_size} clips cannot be shared evenly by "
            f"{context.num_replicas_in_sync} replicas; expected a multiple of "
            f"{context.num_replicas_in_sync}"
        )
    return (
        context.input_pipeline_id,
        context.num_input_pipelines,
        context.num_replicas_in_sync // context.num_input_pipelines,
        batch_size // context.num_replicas_in_sync,
    )


def keyframe_examples(
    files: list[str],
    options: InputOptions,
    parser: KeyframeParser,
    epoch: tf.Tensor | None,
    training: bool,
) -> tf.data.Dataset:
    """KeyframeExamples of one pass over the files, in an order that `epoch` decides."""
    shuffle = training and options.shuffle
    paths = tf.constant(files)
    if shuffle:
        seed = tf.stack([tf.constant(options.seed, tf.int64), epoch])
        paths = tf.random.experimental.stateless_shuffle(paths, seed)
    readers = min(options.num_readers, len(files)) if training else 1
    records = tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset,
        cycle_length=readers,
        num_parallel_calls=readers,
        deterministic=True,
    )
    segments = records.map(parser.segment, num_parallel_calls=2, deterministic=True)

    def of_segment(segment: ParsedSegment) -> tf.data.Dataset:
        indices = tf.range(tf.size(segment.keyframe_timestamps))
        if training and options.drop_keyframes_without_people:
            indices = tf.boolean_mask(indices, segment.boxes.row_lengths() > 0)
        if shuffle:
            own = tf.random.experimental.stateless_fold_in(
                seed, hash_of(segment.video_id, segment.start)
            )
            indices = tf.random.experimental.stateless_shuffle(indices, own)
        return tf.data.Dataset.from_tensor_slices(indices).map(
            lambda index: parser.keyframe(segment, index)
        )

    if not shuffle:
        return segments.flat_map(of_segment)
    # The parsed frames are shared by reference between the keyframes of an open segment.
    keyframes = segments.interleave(of_segment, cycle_length=options.open_segments)
    return keyframes.shuffle(options.shuffle_buffer_size, seed=options.seed * 1_000_003 + epoch)


def _epochs(
    examples: Callable[[tf.Tensor], tf.data.Dataset],
    files: list[str],
    options: InputOptions,
    parser: KeyframeParser,
    share: tuple[int, int],
    skipped: int,
) -> tf.data.Dataset:
    """(epoch, KeyframeExample) for ever, each epoch in its own order."""
    if _count_keyframes(files, options, parser, at_least=1) == 0:
        raise UserError(
            f"{', '.join(options.input_paths)}: no keyframe to train on; expected at least one"
            + (" with people" if options.drop_keyframes_without_people else "")
        )
    first_epoch = 0
    if skipped:
        count = _count_keyframes(files, options, parser)
        shard, num_shards = share
        first_epoch, skipped = divmod(skipped, max(-(-(count - shard) // num_shards), 1))

    return endless_epochs(examples, first_epoch).skip(skipped)


def endless_epochs(
    examples: Callable[[tf.Tensor], tf.data.Dataset], first_epoch: int
) -> tf.data.Dataset:
    """(epoch, example) for ever: `examples` gives those of one epoch, [] int64."""

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # Dataset.shuffle mixes its seed with the global one of tf.random.set_seed: pin that,
        # so that the order depends on options.seed alone.
        epoch.graph.seed = 1
        return examples(epoch).map(lambda example: (epoch, example))

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(one_epoch)


def _count_keyframes(
    files: list[str], options: InputOptions, parser: KeyframeParser, at_least: int | None = None
) -> int:
    """Keyframes that training sees in one epoch; stops counting at `at_least`."""
    if at_least is None and not options.drop_keyframes_without_people:
        known = count_by_manifest(files)
        if known is not None:
            return known

    def keyframes(serialized: tf.Tensor) -> tf.Tensor:
        lengths = parser.segment(serialized).boxes.row_lengths()
        if options.drop_keyframes_without_people:
            lengths = tf.boolean_mask(lengths, lengths > 0)
        return tf.size(lengths)

    count = 0
    with explained(files):
        for number in tf.data.TFRecordDataset(files).map(keyframes).as_numpy_iterator():
            count += int(number)
            if at_least is not None and count >= at_least:
                break
    return count


def filled(dataset: tf.data.Dataset, multiple: int) -> tf.data.Dataset:
    """Adds `valid`, and repeats the first example until the count is a multiple."""
    filler = dataset.take(1).repeat().map(lambda *parts: (*parts, False))
    endless = dataset.map(lambda *parts: (*parts, True)).concatenate(filler)
    wanted = endless.enumerate().take_while(
        lambda index, example: example[-1] | (index % multiple != 0)
    )
    return wanted.map(lambda index, example: example)


def make_example(
    example: KeyframeExample,
    clip_shape: ClipShape,
    options: InputOptions,
    augmentations: Sequence[Augmentation] = (),
    epoch=0,
    valid=True,
    warn: bool = False,
) -> Batch:
    """One keyframe augmented, decoded and padded: a `Batch` without the batch dimension."""
    seed = tf.stack([tf.constant(options.seed, tf.int64), tf.cast(epoch, tf.int64)])
    seed = tf.random.experimental.stateless_fold_in(
        seed, hash_of(example.video_id, example.timestamp)
    )
    view = augmentation.augment(augmentations, example.boxes, seed)
    pixels = None
    if view.window is not None:
        stored = tf.image.extract_jpeg_shape(example.frames[0])
        view, pixels = augmentation.whole_pixels(view, stored[0], stored[1])
    boxes, keep = augmentation.view_boxes(view, example.boxes)
    boxes = tf.boolean_mask(boxes, keep)
    labels = tf.boolean_mask(example.labels, keep)
    num_boxes = tf.minimum(tf.shape(boxes)[0], options.max_boxes)
    found = tf.shape(boxes)[0]
    if warn:
        num_boxes = _warn_of_dropped_boxes(num_boxes, found, example)
    else:  # scored against these boxes, so none may be missing
        complete = check(
            found <= options.max_boxes,
            [
                "keyframe ",
                example.video_id,
                "@",
                tf.cast(example.timestamp, tf.float64) / 1e6,
                " has ",
                found,
                f" people and max_number_of_boxes is {options.max_boxes}: evaluation needs "
                "room for all of them, set train_config.max_number_of_boxes higher",
            ],
        )
        with tf.control_dependencies([complete]):
            num_boxes = tf.identity(num_boxes)
    padding = [[0, options.max_boxes - num_boxes], [0, 0]]
    boxes = tf.pad(boxes[:num_boxes], padding)
    labels = tf.pad(labels[:num_boxes], padding)
    sampling_seed = tf.random.stateless_uniform(
        [2],
        tf.random.experimental.stateless_fold_in(seed, tf.constant(-1, tf.int64)),
        minval=None,
        maxval=None,
        dtype=tf.int32,
    )
    return Batch(
        clips=decode_clip(
            example.frames, example.frame_index, clip_shape, view, pixels, example.flow
        ),
        groundtruth=Groundtruth(
            boxes=tf.ensure_shape(boxes, [options.max_boxes, 4]),
            labels=tf.ensure_shape(labels, [options.max_boxes, options.num_classes]),
            num_boxes=num_boxes,
            sampling_seed=sampling_seed,
        ),
        keyframes=Keyframes(
            video_id=tf.io.decode_raw(example.video_id, tf.uint8, fixed_length=VIDEO_ID_BYTES),
            timestamp=tf.cast(example.timestamp, tf.float64) / 1e6,
        ),
        valid=tf.convert_to_tensor(valid),
    )


def _warn_of_dropped_boxes(num_boxes, found, example: KeyframeExample) -> tf.Tensor:
    def warn():
        tf.print(
            "warning: keyframe",
            example.video_id,
            example.timestamp,
            "(us) has",
            found,
            "people; training takes the first max_boxes =",
            num_boxes,
        )
        return num_boxes

    return tf.cond(found > num_boxes, warn, lambda: num_boxes)


def hash_of(video_id: tf.Tensor, microseconds: tf.Tensor) -> tf.Tensor:
    """[] int64 from 0 on, the same for the same clip everywhere: to fold into a seed."""
    text = tf.strings.join([video_id, tf.strings.as_string(microseconds)], separator="@")
    return tf.strings.to_hash_bucket_fast(text, np.iinfo(np.int64).max)


def decode_clip(
    frames: tf.Tensor,
    frame_index: tf.Tensor,
    clip_shape: ClipShape,
    view: View,
    pixels: tf.Tensor | None = None,
    flow: tf.Tensor | None = None,
) -> tf.Tensor:
    """The pixels of a clip: each JPEG is decoded once, cropped in decoding, resized bilinearly.

    Optical flow is cropped, resized and mirrored as its frame is, a mirrored x changing its sign;
    like kinetics-i3d's, it stays what it was in pixels of the stored frame.

    Args:
      frames: [F] string, JPEG, all of one size.
      frame_index: [T] int32 into `frames`.
      clip_shape: the size to resize to, and whether there is flow.
      view: gives flip and colours.
      pixels: [4] int32 (top, left, height, width) of the view's window, None for all.
      flow: [F] string, see `optical_flow.encode`; read where the clip shape has flow.

    Returns:
      [T, H, W, 3] uint8 RGB, or [T, H, W, 5] with flow x and y.
    """
    size = (clip_shape.height, clip_shape.width)

    def decode_rgb(encoded: tf.Tensor) -> tf.Tensor:
        if pixels is None:
            frame = tf.io.decode_jpeg(encoded, channels=3)
        else:
            frame = tf.io.decode_and_crop_jpeg(encoded, pixels, channels=3)
        frame = tf.image.resize(frame, size, method="bilinear")
        if view.color is not None:
            frame = tf.tensordot(frame, view.color[:, :3], [[2], [1]]) + 255.0 * view.color[:, 3]
        return tf.cast(tf.clip_by_value(tf.round(frame), 0.0, 255.0), tf.uint8)

    def decode_flow(encoded: tf.Tensor) -> tf.Tensor:
        both = tf.io.decode_jpeg(encoded, channels=1)  # [2 H, W, 1]: x over y
        # As two pictures of one channel, which is twice as fast as one of two.
        both = tf.reshape(both, [2, tf.shape(both)[0] // 2, -1, 1])
        if pixels is not None:
            top, left, height, width = tf.unstack(pixels)
            both = both[:, top : top + height, left : left + width]
        both = tf.cast(tf.round(tf.image.resize(both, size, method="bilinear")), tf.uint8)[..., 0]
        x = tf.cond(view.flip, lambda: 255 - both[0], lambda: both[0])
        return tf.stack([x, both[1]], axis=-1)

    def decode(encoded: tuple[tf.Tensor, ...]) -> tf.Tensor:
        parts = [decode_rgb(encoded[0]), *map(decode_flow, encoded[1:])]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)

    clip = tf.map_fn(
        decode,
        (frames, flow) if clip_shape.has_flow else (frames,),
        fn_output_signature=tf.TensorSpec([*size, clip_shape.channels], tf.uint8),
    )
    repeats = tf.shape(frames)[0] != clip_shape.num_frames
    clip = tf.cond(repeats, lambda: tf.gather(clip, frame_index), lambda: clip)
    clip = tf.cond(view.flip, lambda: tf.reverse(clip, [2]), lambda: clip)
    return tf.ensure_shape(clip, [clip_shape.num_frames, *size, clip_shape.channels])
