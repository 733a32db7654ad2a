"""The inner loop: steps on all replicas, in one tf.function, with nothing read in between.

An `orbit.StandardTrainer` around a `ModelTask`. It is not `official.core`'s `Trainer`:
that one keeps its state in an ExperimentConfig, swaps averaged weights lossily, and has no room
for a guard before the checkpoint or for the time spent waiting for input.
"""

import time

import orbit
import tensorflow as tf

from avatx.training.guards import LossGuard
from avatx.training.interruption import StopRequest
from avatx.training.optimizer import Optimizer
from avatx.training.task import GRADIENT_NORM, MAX_SCALARS, TOTAL_LOSS, ModelTask
from avatx.training.workers import Workers

SKIPPED_STEPS = "skipped_steps"


class ModelTrainer(orbit.StandardTrainer):
    """Runs train steps and keeps their sums until somebody asks for the means."""

    def __init__(
        self,
        task: ModelTask,
        model,
        optimizer: Optimizer,
        strategy: tf.distribute.Strategy,
        global_step: tf.Variable,
        stop: StopRequest | None = None,
    ):
        """Makes the sums of the losses and the guard that watches them.

        Args:
          task: the train step of one replica.
          model: what is trained, built.
          optimizer: its optimiser, built.
          strategy: where the replicas are.
          global_step: scalar int64, steps trained.
          stop: ends a loop after the step that runs when it is asked for.

        Set `train_dataset` (distributed, endless, of the task's batches) before training.
        """
        super().__init__(train_dataset=None)
        self._task = task
        self.model = model
        self._optimizer = optimizer
        self._strategy = strategy
        self._global_step = global_step
        replica_batch_size = task.options.batch_size // strategy.num_replicas_in_sync
        self._replica_batch_size = replica_batch_size
        self._stop = stop or StopRequest()
        self._workers = Workers(strategy)
        self._names: list[str] = []  # of the scalars, known once the step is traced
        self._guard = LossGuard(
            replica_batch_size * len(strategy.extended.worker_devices),
            MAX_SCALARS,
            task.options.max_loss,
            task.clip_specs,
            task.clip_names,
        )
        with tf.device("/cpu:0"):
            self._sums = tf.Variable(tf.zeros([MAX_SCALARS]), trainable=False)
            self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._num_summed = 0
        # The first loop traces the graph: it counts in the means, but not in the timings.
        self._traced = False
        self._num_timed, self._seconds = 0, 0.0
        self.last_checkpoint = None  # path, for the guard's message

    def create_train_loop_fn(self):
        """The loop of steps in one graph, which ends early if somebody asks for it."""

        @tf.function(autograph=False)
        def loop(iterator, num_steps):
            several = self._workers.are_several

            def body(done, asked):
                if several:  # all end after the same step
                    asked = self._workers.anywhere(self._stop.asked)
                with tf.name_scope(""):
                    self.train_step(iterator)
                return done + 1, asked

            tf.while_loop(
                lambda done, asked: (done < num_steps) & ~(asked if several else self._stop.asked),
                body,
                (tf.zeros([], tf.int32), tf.constant(False)),
                parallel_iterations=1,
            )

        return loop

    def train_loop_begin(self) -> None:
        """Starts the clock."""
        self._begin = time.perf_counter()
        self._first_step = int(self._global_step.numpy())

    def train_step(self, iterator) -> None:
        """One step on all replicas. In graph, in cross-replica context."""
        begin = self._now()
        batch = next(iterator)
        with tf.control_dependencies(tf.nest.flatten(self._local(batch.valid))):
            waited = self._waited.assign_add(self._now() - begin)

        step = tf.identity(self._global_step.read_value())
        stacked = self._strategy.run(self._replica_step, args=(batch, tf.identity(waited), step))
        # As one vector: what machines tell each other costs by how often they do.
        means = self._strategy.reduce(tf.distribute.ReduceOp.MEAN, stacked, axis=None)
        logs = dict(zip(self._names, tf.unstack(means), strict=True))
        scalars = self._stacked(logs)
        skips = self._optimizer.loss_scale is not None
        norm = logs[GRADIENT_NORM]
        if skips:  # the means are over the steps that were taken
            counted = {GRADIENT_NORM: tf.where(tf.math.is_finite(norm), norm, 0.0)}
            self._sums.assign_add(self._stacked({**logs, **counted}))
        else:
            self._sums.assign_add(scalars)
        done = self._global_step.assign_add(1)
        clips = tuple(tf.concat(self._local(x), axis=0) for x in self._task.clip_identity(batch))
        self._guard.check(tf.identity(done), logs[TOTAL_LOSS], scalars, clips, norm, skips)

    def train_loop_end(self) -> None:
        """Stops the clock and looks at the guard.

        Raises:
          UserError: a loss or gradient of the loop was not a number, or a loss exploded.
        """
        self._guard.raise_if_bad(self._names, self.last_checkpoint)
        steps = int(self._global_step.numpy()) - self._first_step
        self._num_summed += steps
        if self._traced:
            self._num_timed += steps
            self._seconds += time.perf_counter() - self._begin
        else:
            self._traced = True
            self._waited.assign(0.0)

    def seconds_per_step(self) -> float:
        """Over the steps since the last `pop_means`, the time for input included."""
        return self._seconds / max(1, self._num_timed)

    def mean_loss(self) -> float:
        """The mean total loss over the steps since the last `pop_means`."""
        total = self._sums.numpy()[self._names.index(TOTAL_LOSS)]
        return float(total) / max(1, self._num_summed)

    def pop_means(self) -> dict[str, float]:
        """Means over the steps since the last call.

        Returns:
          Every loss, `total_loss`, `gradient_norm`, the `learning_rate` now,
          `clips_per_second`, `input_wait_share`, the share in [0, 1] of the time in which the
          replicas waited for input, and in float16 `skipped_steps`, a number: those whose gradient
          overflowed; `gradient_norm` is the mean over the others.
        """
        steps = max(1, self._num_summed)
        sums, waited, learning_rate = (value.numpy() for value in self._take_sums())
        values = sums / steps
        # The vector has room for more losses than there are.
        means = {name: float(value) for name, value in zip(self._names, values, strict=False)}
        if self._optimizer.loss_scale is not None:
            skipped = self._guard.pop_num_skipped()
            means[SKIPPED_STEPS] = float(skipped)
            if GRADIENT_NORM in means:
                means[GRADIENT_NORM] *= steps / max(1, steps - skipped)
        means["learning_rate"] = float(learning_rate)
        clips = self._replica_batch_size * self._strategy.num_replicas_in_sync * self._num_timed
        means["clips_per_second"] = clips / max(self._seconds, 1e-9)
        means["input_wait_share"] = float(waited) / max(self._seconds, 1e-9)
        self._num_summed, self._num_timed, self._seconds = 0, 0, 0.0
        return means

    @tf.function(autograph=False)
    def _take_sums(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What was summed, which begins anew, the seconds waited for input, and the learning rate.

        One graph, for eager operations would keep memory (`avatx.training.summaries`).
        """
        sums, waited = tf.identity(self._sums), tf.identity(self._waited)
        learning_rate = self._optimizer.learning_rate(self._optimizer.apply.iterations)
        self._sums.assign(tf.zeros_like(sums))
        self._waited.assign(tf.zeros_like(waited))
        return sums, waited, tf.convert_to_tensor(learning_rate)

    def _replica_step(self, batch, waited: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        # The model waits for the clock to be read: where it has but one thread, it would else come
        # first, and its time would count as time spent waiting for input.
        with tf.control_dependencies([waited]):
            # Distributed iterators lose the batch dimension; the model builds better code with it.
            batch = tf.nest.map_structure(
                lambda x: tf.ensure_shape(x, [self._replica_batch_size, *x.shape[1:]]), batch
            )
        logs = self._task.train_step(batch, self.model, self._optimizer, step)
        self._names = list(logs)
        return tf.stack(list(logs.values()))

    def _now(self) -> tf.Tensor:
        """Scalar float64, seconds; in graph."""
        if self._task.options.deterministic:  # TensorFlow then refuses its own clock
            now = tf.numpy_function(time.time, [], tf.float64)
            return tf.ensure_shape(now, [])
        return tf.timestamp()

    def _stacked(self, logs: dict[str, tf.Tensor]) -> tf.Tensor:
        scalars = tf.stack([logs[name] for name in self._names])
        return tf.pad(scalars, [[0, MAX_SCALARS - len(self._names)]])

    def _local(self, value):
        return self._strategy.experimental_local_results(value)
