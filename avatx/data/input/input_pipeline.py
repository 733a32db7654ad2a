"""Batches of clips from TFRecords, for training and evaluation: one pipeline for every source.

files -> records -> examples (clips that are still encoded) -> shuffle -> augment, decode, crop and
resize -> batches. What an example is, and in which order they come, is the source's: keyframes of
segments (`keyframe_source`) or clips of labelled videos (`labelled_clip_source`). Every random
number comes from (seed, epoch, video, time) by a stateless generator, so the stream is the same
for any number of threads, and a clip's augmentation and sampling seed do not depend on which
batch or replica it lands in.

Several workers (machines) have one stream, too: each reads all of it, keeps its part of every batch
and decodes only that. So an epoch has each example once, however many workers there are, and a
training goes on with the same batches on another number of them. The price is that every worker
reads every record; decoding, which costs far more, is shared.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from avatx.data.input.augmentation import Augmentation
from avatx.data.input.skipped_records import map_good
from avatx.data.input.source import ExampleSource
from avatx.errors import UserError

_PREFETCHED_BATCHES = 2  # bounded: a batch of 30 clips of 64 x 400 x 400 is 920 MB


@tf.autograph.experimental.do_not_convert  # all is TensorFlow already, and converting takes seconds
def build_dataset(
    source: ExampleSource,
    batch_size: int,
    *,
    training: bool,
    augmentations: Sequence[Augmentation] = (),
    input_context: tf.distribute.InputContext | None = None,
    start_step: int = 0,
) -> tf.data.Dataset:
    """A dataset of what the source's examples become, each batch of the same static shape.

    Training repeats for ever. Evaluation gives every example once; the last batch is filled up
    with repeats of the first clip and `valid=False`, so that each replica of each worker gets as
    many batches.

    Args:
      source: lists, counts and decodes the examples.
      batch_size: clips of all replicas together.
      training: shuffle and repeat; else one pass in order.
      augmentations: applied in order; normally none in evaluation.
      input_context: of `strategy.distribute_datasets_from_function`; then each element is one
        replica's share, and one after the other they are the worker's replicas' parts of each
        global batch.
      start_step: training continues as if this many batches had been taken. The order of the
        clips skipped is replayed without decoding a frame, which costs reading the part of
        the epoch that is skipped, and a pass to count examples where no manifest tells.

    Raises:
      UserError: of the files (see `ExampleSource.files`), no example at all to train on, or a
        batch that the replicas cannot share evenly. Later records raise when they are read: see
        `input_errors.explained`.
    """
    worker = _worker(batch_size, input_context)
    len(source.files)  # which looks at them here, and not in the graph of an epoch
    if training:
        dataset = _epochs(source, skipped=start_step * batch_size)
        dataset = dataset.map(lambda epoch, example: (epoch, example, True))
    else:
        no_epoch = tf.data.Dataset.from_tensors(np.int64(0)).repeat()
        dataset = tf.data.Dataset.zip((no_epoch, source.in_order()))
        dataset = _filled(dataset, batch_size)
    dataset = worker.part_of(dataset)
    options = source.options

    def finish(epoch: tf.Tensor, example, valid: tf.Tensor):
        return source.finish(example, epoch, valid, augmentations, training)

    if training and options.max_skipped_share:
        share = options.max_skipped_share
        at_once = options.num_parallel_decodes or os.cpu_count() or 1
        dataset = map_good(dataset, finish, share, f"{source.name} clips", at_once)
    else:
        at_once = options.num_parallel_decodes or tf.data.AUTOTUNE
        dataset = dataset.map(finish, num_parallel_calls=at_once, deterministic=True)
    return _batched(dataset, worker.replica_batch)


@dataclasses.dataclass(frozen=True)
class _Worker:
    """One of the input pipelines of a distribution strategy."""

    index: int
    count: int  # of input pipelines
    replicas: int  # that this pipeline feeds
    replica_batch: int  # clips of one replica

    def part_of(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """This worker's examples of those of all: of each batch the index-th of `count` parts."""
        if self.count == 1:
            return dataset
        part = self.replicas * self.replica_batch
        own = dataset.enumerate().filter(
            lambda number, _: number // part % self.count == self.index
        )
        return own.map(lambda _, example: example)


def _worker(batch_size: int, context: tf.distribute.InputContext | None) -> _Worker:
    if context is None:
        return _Worker(0, 1, 1, batch_size)
    if batch_size % context.num_replicas_in_sync:
        raise UserError(
            f"batch_size: {batch_size} clips cannot be shared evenly by "
            f"{context.num_replicas_in_sync} replicas; expected a multiple of "
            f"{context.num_replicas_in_sync}"
        )
    return _Worker(
        context.input_pipeline_id,
        context.num_input_pipelines,
        context.num_replicas_in_sync // context.num_input_pipelines,
        batch_size // context.num_replicas_in_sync,
    )


def _epochs(source: ExampleSource, skipped: int) -> tf.data.Dataset:
    """(epoch, example) for ever, each epoch in its own order, after the first `skipped`."""
    if source.count(at_least=1) < 1:  # it would repeat nothing for ever
        raise UserError(
            f"{', '.join(source.options.input_paths)}: no {source.name} to train on; "
            f"expected {source.expected}"
        )
    first_epoch = 0
    if skipped:
        first_epoch, skipped = divmod(skipped, max(source.count(), 1))
    return _endless_epochs(source.of_epoch, first_epoch).skip(skipped)


def _endless_epochs(
    examples: Callable[[tf.Tensor], tf.data.Dataset], first_epoch: int
) -> tf.data.Dataset:
    """(epoch, example) for ever: `examples` gives those of one epoch, [] int64."""

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # Dataset.shuffle mixes its seed with the global one of tf.random.set_seed: pin that,
        # so that the order depends on options.seed alone.
        epoch.graph.seed = 1
        return examples(epoch).map(lambda example: (epoch, example))

    return tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(one_epoch)


def _filled(dataset: tf.data.Dataset, multiple: int) -> tf.data.Dataset:
    """Adds `valid`, and repeats the first example until the count is a multiple."""
    filler = dataset.take(1).repeat().map(lambda *parts: (*parts, False))
    endless = dataset.map(lambda *parts: (*parts, True)).concatenate(filler)
    wanted = endless.enumerate().take_while(
        lambda index, example: example[-1] | (index % multiple != 0)
    )
    return wanted.map(lambda index, example: example)


def _batched(dataset: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Whole batches, ready ahead of time, always in the same order."""
    dataset = dataset.batch(batch_size, drop_remainder=True).prefetch(_PREFETCHED_BATCHES)
    settings = tf.data.Options()
    settings.deterministic = True
    settings.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(settings)
