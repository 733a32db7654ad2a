"""What the input pipeline asks of a source of examples.

There are two: keyframes of segments (`keyframe_source`) and clips of labelled videos
(`labelled_clip_source`). An example is one clip that is not decoded yet.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import tensorflow as tf

from avatx.data.input.augmentation import Augmentation
from avatx.data.input.input_options import InputOptions

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Share:
    """What one of several input pipelines reads; by default there is one, which reads all.

    Attributes:
      index: of the pipeline, from 0 on.
      count: how many pipelines there are.
      by_file: each reads every count-th file. Else, where there are fewer files than pipelines,
        each reads all files and takes every count-th example.
    """

    index: int = 0
    count: int = 1
    by_file: bool = True

    def of_files(self, per_file: Sequence[T]) -> Sequence[T]:
        """Those of the files that are read, or of what there is for each file."""
        return per_file[self.index :: self.count] if self.by_file else per_file

    def of_examples(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Those of the examples of the files read that are this share's."""
        return dataset if self.by_file else dataset.shard(self.count, self.index)

    def size(self, num_examples: int) -> int:
        """How many examples are this share's, where its files hold `num_examples`."""
        return (
            num_examples if self.by_file else max(-((self.index - num_examples) // self.count), 0)
        )

    @property
    def fewest(self) -> int:
        """With so many examples in its files the share is not empty."""
        return 1 if self.by_file else self.index + 1


class ExampleSource(Protocol):
    """Lists examples, counts them and decodes them.

    Attributes:
      options: where records are and how they are read.
      files: paths that the patterns of `options` match, in order. Nothing is opened before they
        are asked for; then the first record of each is looked at, which raises UserError: no file,
        a file that is no TFRecord or holds other records, a class id above num_classes or of
        another name in the label map.
      name: of one example in messages: "keyframe".
      expected: what training needs at the least: "at least one".
    """

    options: InputOptions

    @property
    def files(self) -> list[str]: ...

    @property
    def name(self) -> str: ...

    @property
    def expected(self) -> str: ...

    def of_epoch(self, share: Share, epoch: tf.Tensor) -> tf.data.Dataset:
        """The share's examples of one epoch of training.

        Args:
          share: of this input pipeline.
          epoch: [] int64; decides the order, unless `options.shuffle` is off. Random orders come
            from it and `options.seed` alone.
        """

    def in_order(self, share: Share) -> tf.data.Dataset:
        """Every example of the share once, in the order of files and records: for evaluation."""

    def count(self, share: Share, at_least: int | None = None) -> int:
        """Examples that training sees in one epoch in the share's files.

        Args:
          share: of this input pipeline; `Share.size` tells how many of the count are its own.
          at_least: counting may stop here.

        Raises:
          UserError: a file is corrupt.
        """

    def finish(
        self,
        example: Any,
        epoch: tf.Tensor,
        valid: tf.Tensor,
        augmentations: Sequence[Augmentation],
        training: bool,
    ) -> NamedTuple:
        """An example augmented and decoded: an element of the dataset without the batch dimension.

        Args:
          example: of `of_epoch` or `in_order`.
          epoch: [] int64, of which and of the example the random numbers are.
          valid: [] bool, False for what only fills up the last batch.
          augmentations: applied in order.
          training: whether the element is for training.
        """
