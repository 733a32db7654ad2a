"""What the input pipeline asks of a source of examples.

There are two: keyframes of segments (`keyframe_source`) and clips of labelled videos
(`labelled_clip_source`). An example is one clip that is not decoded yet.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from avatx.data.input.augmentation import Augmentation
from avatx.data.input.input_options import InputOptions


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

    def of_epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """The examples of one epoch of training, each once.

        Args:
          epoch: [] int64; decides the order, unless `options.shuffle` is off. Random orders come
            from it and `options.seed` alone.
        """

    def in_order(self) -> tf.data.Dataset:
        """Every example once, in the order of files and records: for evaluation."""

    def count(self, at_least: int | None = None) -> int:
        """Examples that training sees in one epoch.

        Args:
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
