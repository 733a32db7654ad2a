"""Clips of labelled videos, to train and test a classifier of videos.

Each epoch of training holds each video once, by one random window in time and space; testing
gives every view of every video once, a video's views one after the other. Only the frames that a
clip shows are decoded.

Host memory: the shuffle buffer holds shuffle_buffer_size clips of T encoded frames; 64 frames of
340 x 256 are about 1.3 MB. Beside it, a record a reader and the decoded clips.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from avatx.core.structures import LabelledClips
from avatx.data.input import augmentation
from avatx.data.input.augmentation import Augmentation
from avatx.data.input.clip_decoding import decode_clip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.example_seed import epoch_seed, example_seed
from avatx.data.input.input_check import check_first_records
from avatx.data.input.input_options import InputOptions
from avatx.data.input.labelled_clip_parsing import LabelledClip, LabelledClipParser, TestViews
from avatx.data.input.skipped_records import map_good
from avatx.data.input.spatial_window import crop, random_corner, spread_corner, window_size
from avatx.data.records import remote_files
from avatx.data.records.data_statistics import count_videos
from avatx.data.records.shard_sizes import check_sizes
from avatx.errors import UserError

__all__ = ["LabelledClipSource", "TestViews"]


class LabelledClipSource:
    """See `source.ExampleSource`; an example is a `LabelledClip` and becomes `LabelledClips`.

    Args:
      options: where records are and how they are read; `max_boxes`, `open_segments` and
        `drop_keyframes_without_people` play no part.
      clip_shape: what one clip is.
      views: what is shown of each video in testing; training needs none.

    Raises:
      UserError: clips with optical flow, which these records do not hold.
    """

    name = "video"
    expected = "at least one"

    def __init__(
        self, options: InputOptions, clip_shape: ClipShape, views: TestViews | None = None
    ):
        if clip_shape.channels != 3:
            raise UserError(
                "trunk two_stream: records of labelled videos hold no optical flow; "
                "expected a trunk of RGB frames"
            )
        self.options = options
        self.clip_shape = clip_shape
        self.views = views

    @functools.cached_property
    def files(self) -> list[str]:
        """Paths, the first record of each of which is good; with skipping, that of some."""
        files = remote_files.match_files(self.options.input_paths)
        check_sizes(files)
        check_first_records(
            files,
            lambda serialized: self._parser.video(0, serialized),
            labelled=True,
            may_skip=self.options.max_skipped_share > 0,
        )
        return files

    @functools.cached_property
    def _parser(self) -> LabelledClipParser:
        options = self.options
        return LabelledClipParser(self.clip_shape, options.num_classes, options.label_map_path)

    @functools.cached_property
    def _counts(self) -> list[int]:
        """Videos in each file."""
        with tf.init_scope():  # an epoch is made inside a graph, which may be who asks first
            return count_videos(self.files)

    def of_epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """LabelledClips of random windows in time, in an order that `epoch` decides."""
        options = self.options
        videos = self._videos(epoch if options.shuffle else None)

        def random_clip(index: tf.Tensor, serialized: tf.Tensor) -> LabelledClip:
            video = self._parser.video(index, serialized)
            return self._parser.random_clip(index, video, options.seed, epoch)

        if options.max_skipped_share:
            clips = map_good(videos, random_clip, options.max_skipped_share, "records")
        else:
            clips = videos.map(random_clip, num_parallel_calls=2, deterministic=True)
        if not options.shuffle:
            return clips
        return clips.shuffle(options.shuffle_buffer_size, seed=options.seed * 1_000_003 + epoch)

    def in_order(self) -> tf.data.Dataset:
        """The views of every video, one after the other."""
        views = self._given_views()
        return self._videos(None).flat_map(
            lambda index, serialized: self._parser.test_clips(
                index, self._parser.video(index, serialized), views
            )
        )

    def count(self, at_least: int | None = None) -> int:
        """Videos in the files, which are counted already."""
        del at_least
        return sum(self._counts)

    def finish(
        self,
        example: LabelledClip,
        epoch: tf.Tensor,
        valid: tf.Tensor,
        augmentations: Sequence[Augmentation],
        training: bool,
    ) -> LabelledClips:
        """In training a random crop and after it the augmentations, in testing neither."""
        window = window_size(example.size, (self.clip_shape.height, self.clip_shape.width))
        margin = example.size - window
        if training:
            seed = example_seed(self.options.seed, epoch, example.video_id, example.start)
            place = tf.random.stateless_uniform(
                [2], tf.random.experimental.stateless_fold_in(seed, tf.constant(-1, tf.int64))
            )
            view = crop(example.size, window, random_corner(margin, place))
            view = augmentation.augment(augmentations, tf.zeros([0, 4]), seed, view)
        else:
            count = self._given_views().num_crops
            corner = spread_corner(margin, example.size, example.view % count, count)
            view = crop(example.size, window, corner)
        view, pixels = augmentation.whole_pixels(view, example.size[0], example.size[1])
        return LabelledClips(
            clips=decode_clip(example.frames, example.frame_index, self.clip_shape, view, pixels),
            labels=tf.cast(example.class_id - 1, tf.int32),
            video_index=example.video_index,
            view=example.view,
            valid=tf.convert_to_tensor(valid),
        )

    def _given_views(self) -> TestViews:
        if self.views is None:
            raise ValueError("views: None; expected TestViews for testing")
        return self.views

    def _videos(self, epoch: tf.Tensor | None) -> tf.data.Dataset:
        """(video's ordinal, record); files in an order that `epoch` decides, or as they are."""
        paths = tf.constant(self.files)
        # Ordinal of each file's first video.
        firsts = tf.constant(np.cumsum([0, *self._counts[:-1]]).astype(np.int64))
        if epoch is not None:
            seed = epoch_seed(self.options.seed, epoch)
            order = tf.random.experimental.stateless_shuffle(tf.range(tf.size(paths)), seed)
            paths, firsts = tf.gather(paths, order), tf.gather(firsts, order)
        readers = 1 if epoch is None else min(self.options.num_readers, len(self.files))
        return tf.data.Dataset.from_tensor_slices((paths, firsts)).interleave(
            lambda path, first: tf.data.TFRecordDataset(path).enumerate(first),
            cycle_length=readers,
            num_parallel_calls=readers,
            deterministic=True,
        )
