"""The processes of a training on several machines: who this one is, what they tell each other.

Each machine runs the same program; what one does alone is the chief's: printing, writing. All
that the workers tell each other here is a collective operation: every worker has to come to it, in
the same order, or all wait. With one worker each of these is nothing.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from avatx import peer_errors
from avatx.errors import UserError

T = TypeVar("T")


class PeerLost(UserError):
    """Another worker is gone, and the training cannot go on without it. The next try may."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class Workers:
    """The workers of a strategy.

    Attributes:
      count: how many there are.
      index: of this one.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.count, self.index = 1, 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            self.count = resolver.cluster_spec().num_tasks("worker")
            self.index = resolver.task_id
        self._gather = tf.function(self._gathered, autograph=False)

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the one that writes."""
        return self.index == 0

    @property
    def are_several(self) -> bool:
        """Whether there is anybody else."""
        return self.count > 1

    def gather(self, values: np.ndarray) -> np.ndarray:
        """[...] int32 of this worker, of the same shape on all -> [count, ...], those of all."""
        values = np.asarray(values, np.int32)
        if not self.are_several:
            return values[np.newaxis]
        # Of few lengths, for each is a graph of its own.
        length = max(16, 1 << (values.size - 1).bit_length())
        replicas = self._gather(tf.constant(np.resize(values, length))).numpy()
        of_workers = replicas[:: len(replicas) // self.count, : values.size]
        return of_workers.reshape(self.count, *values.shape)

    def gather_arrays(self, arrays: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Arrays of this worker -> those of each worker, bit by bit the same.

        Args:
          arrays: of fixed size: as many, of the same shapes and types, on every worker.
        """
        if not self.are_several:
            return [list(arrays)]
        packed = b"".join(array.tobytes() for array in arrays)
        return [_unpacked(row.tobytes(), arrays) for row in self.gather(_as_numbers(packed))]

    def from_chief(self, make: Callable[[], T]) -> T:
        """What `make`, which the chief alone calls, gives; JSON can say it."""
        if not self.are_several:
            return make()
        text = json.dumps(make()).encode() if self.is_chief else b""
        length = int(self.gather(np.array(len(text)))[0])
        numbers = _as_numbers(text.ljust(length, b" "))
        return json.loads(self.gather(numbers)[0].tobytes()[:length])

    def meet(self) -> None:
        """Waits until every worker is here."""
        self.gather(np.zeros([1]))

    def any(self, number: int) -> int:
        """The largest of the numbers that the workers give."""
        return int(self.gather(np.array(number)).max())

    def anywhere(self, here: tf.Tensor) -> tf.Tensor:
        """In graph, in cross-replica context: whether a scalar bool is True on any worker."""
        if not self.are_several:
            return here
        replicas = self._strategy.run(lambda: tf.cast(here, tf.float32))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, replicas, axis=None) > 0.0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, the loss of another worker is one line, and all but the chief print nothing.

        Raises:
          PeerLost: another worker is gone, or its network.
        """
        if not self.are_several:
            yield
            return
        with contextlib.ExitStack() as stack:
            if not self.is_chief:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stdout(nowhere))
            try:
                yield
            except tf.errors.OpError as error:
                if not peer_errors.is_of_peers(error):
                    raise
                raise PeerLost(
                    f"worker {self.index} of {self.count}: another worker is gone "
                    f"({peer_errors.reason(error)}); start all {self.count} again with the same "
                    "command: they go on from the last checkpoint"
                ) from error

    def _gathered(self, values: tf.Tensor) -> tf.Tensor:
        def of_replica():
            replica = tf.distribute.get_replica_context()
            return replica.all_gather(values[tf.newaxis], axis=0)

        return self._strategy.experimental_local_results(self._strategy.run(of_replica))[0]


def _as_numbers(packed: bytes) -> np.ndarray:
    return np.frombuffer(packed.ljust(-(-len(packed) // 4) * 4, b"\0"), np.int32)


def _unpacked(packed: bytes, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    arrays, offset = [], 0
    for array in like:
        end = offset + array.nbytes
        arrays.append(np.frombuffer(packed[offset:end], array.dtype).reshape(array.shape))
        offset = end
    return arrays
