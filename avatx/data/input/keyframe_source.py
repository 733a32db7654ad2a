"""Keyframes of segments: clips with boxes and labels of the people in their middle.

Order of training: each epoch holds each keyframe once. Files come in random order and are read
`num_readers` at once; `open_segments` records are open at a time and give one random keyframe in
turn; a buffer of `shuffle_buffer_size` encoded clips mixes these.

How well that mixes (benchmarks/measure_mixing.py, AVA's size, 8 readers): of a batch of 30 clips
33 % show the same ten seconds as another one of it with 16 open records and a buffer of 256, 11 %
with 32 and 1,024, 6 % with 256 and 256; of a batch of 3 it is 3, 1 and 0.4 %. The Object Detection
API shuffles single keyframes, 2,048 at a time, each with all its frames of its own.

Host memory, with b bytes a JPEG frame, F frames a record, T x H x W clips and batch size B:
  shuffle        shuffle_buffer_size * T * b                     256 * 64 * 55 kB = 900 MB
  open records   2 * (open_segments + num_readers) * F * b       40 * 350 * 55 kB = 770 MB
  decoded        (threads + (prefetched + 2) * B) * T * H * W * 3, a batch of 3 being 92 MB
(numbers: 64 frames of 400 x 400 from records of 14 s at 25 frames a second, 534 x 400, JPEG
quality 90, 55 kB a frame as measured on PETS09; films take less.)
None of it grows with the data set or with time.
"""

import functools
from collections.abc import Iterable, Sequence

import tensorflow as tf

from avatx.core.structures import VIDEO_ID_BYTES, Batch, Groundtruth, Keyframes, Proposals
from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.data.input import augmentation, person_box_coverage
from avatx.data.input.augmentation import Augmentation
from avatx.data.input.clip_decoding import decode_clip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.example_seed import epoch_seed, example_seed, hash_of
from avatx.data.input.input_check import check_first_records
from avatx.data.input.input_options import InputOptions
from avatx.data.input.keyframe_parsing import KeyframeExample, KeyframeParser
from avatx.data.input.person_box_lookup import PersonBoxLookup
from avatx.data.input.skipped_records import map_good
from avatx.data.records import remote_files
from avatx.data.records.data_statistics import counts_by_manifest
from avatx.data.records.input_errors import check, explained
from avatx.data.records.record import ParsedSegment
from avatx.data.records.shard_sizes import check_sizes


class KeyframeSource:
    """See `source.ExampleSource`; an example is a `KeyframeExample` and becomes a `Batch`.

    Args:
      options: where records are and how they are read.
      clip_shape: what one clip is.
    """

    name = "keyframe"

    def __init__(self, options: InputOptions, clip_shape: ClipShape):
        self.options = options
        self.clip_shape = clip_shape

    @functools.cached_property
    def files(self) -> list[str]:
        """Paths, the first record of each of which is good; with skipping, that of some."""
        files = remote_files.match_files(self.options.input_paths)
        check_sizes(files)
        may_skip = self.options.max_skipped_share > 0
        check_first_records(files, self._parser.segment, may_skip=may_skip)
        if self.person_boxes is not None:
            person_box_coverage.report(self.person_boxes.table, files, may_skip=may_skip)
        return files

    @functools.cached_property
    def person_boxes(self) -> PersonBoxLookup | None:
        """Somebody else's boxes, where the options name any. Read when first asked for."""
        given = self.options.external_boxes
        if given is None:
            return None
        table = read_person_boxes(
            given.input_path,
            given.score_threshold,
            given.max_number_of_boxes,
            given.coco_images_path,
        )
        with tf.init_scope():
            return PersonBoxLookup(table, given.max_number_of_boxes)

    @functools.cached_property
    def _parser(self) -> KeyframeParser:
        options = self.options
        return KeyframeParser(self.clip_shape, options.num_classes, options.label_map_path)

    @property
    def expected(self) -> str:
        """What training needs at the least."""
        return "at least one" + (
            " with people" if self.options.drop_keyframes_without_people else ""
        )

    def of_epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """KeyframeExamples in an order that `epoch` decides."""
        options = self.options
        paths = tf.constant(self.files)
        if not options.shuffle:
            segments = self._segments(paths, options.num_readers, options.max_skipped_share)
            return segments.flat_map(
                lambda segment: self._keyframes(segment, self._for_training(segment))
            )
        seed = epoch_seed(options.seed, epoch)
        paths = tf.random.experimental.stateless_shuffle(paths, seed)

        def in_random_order(segment: ParsedSegment) -> tf.data.Dataset:
            own = tf.random.experimental.stateless_fold_in(
                seed, hash_of(segment.video_id, segment.start)
            )
            indices = self._for_training(segment)
            return self._keyframes(segment, tf.random.experimental.stateless_shuffle(indices, own))

        # The parsed frames are shared by reference between the keyframes of an open segment.
        segments = self._segments(paths, options.num_readers, options.max_skipped_share)
        keyframes = segments.interleave(in_random_order, cycle_length=options.open_segments)
        return keyframes.shuffle(options.shuffle_buffer_size, seed=options.seed * 1_000_003 + epoch)

    def in_order(self) -> tf.data.Dataset:
        """Every KeyframeExample once, those without people too."""
        return self._segments(tf.constant(self.files), readers=1).flat_map(
            lambda segment: self._keyframes(segment, tf.range(tf.size(segment.keyframe_timestamps)))
        )

    def count(self, at_least: int | None = None) -> int:
        """Keyframes that training sees in one epoch; stops counting at `at_least`."""
        files = self.files
        if at_least is None and not self.options.drop_keyframes_without_people:
            known = counts_by_manifest(files, "keyframes")
            if known is not None:
                return sum(known)
        count = 0
        with explained(files):
            for number in self._numbers_for_training(few=at_least is not None):
                count += int(number)
                if at_least is not None and count >= at_least:
                    break
        return count

    def _numbers_for_training(self, few: bool) -> Iterable:
        """Of each record how many keyframes training looks at; with `few` the first comes soon."""
        share = self.options.max_skipped_share
        if few and not share:  # it takes longer to build a dataset than to parse a record
            records = tf.data.TFRecordDataset(self.files)
            return (tf.size(self._for_training(self._parser.segment(one))) for one in records)
        segments = self._segments(tf.constant(self.files), 1, share)
        numbers = segments.map(lambda segment: tf.size(self._for_training(segment)))
        return numbers.as_numpy_iterator()

    def finish(
        self,
        example: KeyframeExample,
        epoch: tf.Tensor,
        valid: tf.Tensor,
        augmentations: Sequence[Augmentation],
        training: bool,
    ) -> Batch:
        """See `make_example`."""
        return make_example(
            example,
            self.clip_shape,
            self.options,
            augmentations,
            epoch,
            valid,
            warn=training,
            person_boxes=self.person_boxes,
        )

    def _segments(
        self, paths: tf.Tensor, readers: int, max_skipped_share: float = 0.0
    ) -> tf.data.Dataset:
        """ParsedSegments of the files, of which `readers` are read at once."""
        readers = min(readers, paths.shape[0])
        records = tf.data.Dataset.from_tensor_slices(paths).interleave(
            tf.data.TFRecordDataset,
            cycle_length=readers,
            num_parallel_calls=readers,
            deterministic=True,
        )
        if max_skipped_share:
            return map_good(records, self._parser.segment, max_skipped_share, "records")
        return records.map(self._parser.segment, num_parallel_calls=2, deterministic=True)

    def _for_training(self, segment: ParsedSegment) -> tf.Tensor:
        """[K] int32: the keyframes of a segment that training looks at."""
        indices = tf.range(tf.size(segment.keyframe_timestamps))
        if self.options.drop_keyframes_without_people:
            indices = tf.boolean_mask(indices, segment.boxes.row_lengths() > 0)
        return indices

    def _keyframes(self, segment: ParsedSegment, indices: tf.Tensor) -> tf.data.Dataset:
        """KeyframeExamples of the keyframes `indices`, [K] int32, of a segment."""
        return tf.data.Dataset.from_tensor_slices(indices).map(
            lambda index: self._parser.keyframe(segment, index)
        )


def make_example(
    example: KeyframeExample,
    clip_shape: ClipShape,
    options: InputOptions,
    augmentations: Sequence[Augmentation] = (),
    epoch=0,
    valid=True,
    warn: bool = False,
    person_boxes: PersonBoxLookup | None = None,
) -> Batch:
    """One keyframe augmented, decoded and padded: a `Batch` without the batch dimension."""
    seed = example_seed(options.seed, epoch, example.video_id, example.timestamp)
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
        person_boxes=_in_view(person_boxes, example, view) if person_boxes else (),
    )


def _in_view(person_boxes: PersonBoxLookup, example: KeyframeExample, view) -> Proposals:
    """Somebody else's boxes of the keyframe, as groundtruth is seen: [R, 4], [R], []."""
    found = person_boxes(example.video_id, example.timestamp)
    boxes, keep = augmentation.view_boxes(view, found.boxes)
    return person_boxes.padded(tf.boolean_mask(boxes, keep), tf.boolean_mask(found.scores, keep))


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
