"""The outer loop: when to report, save and evaluate.

An `orbit.Controller` whose loops end at multiples of the intervals, counted from step 0, so that a
resumed run reports, saves and evaluates at the same steps as one that was never interrupted;
Orbit's own counts from where the process started. The guard raises inside `trainer.train`,
before anything is saved.
"""

import datetime
import time
from collections.abc import Callable
from contextlib import nullcontext

import orbit
import tensorflow as tf

from avatx import freed_memory
from avatx.checkpoints import finite, restore
from avatx.checkpoints.saver import CheckpointSaver
from avatx.checkpoints.training_state import Changes, TrainingState
from avatx.progress import slow
from avatx.training.evaluation_note import EvaluationNote
from avatx.training.interruption import StopRequest
from avatx.training.options import TrainOptions
from avatx.training.trainer import SKIPPED_STEPS, ModelTrainer
from avatx.training.workers import Workers


class TrainingController(orbit.Controller):
    """Trains, and evaluates in between where it has an evaluator."""

    def __init__(
        self,
        *,
        trainer: ModelTrainer,
        options: TrainOptions,
        initialize: Callable[[], None],
        saver: CheckpointSaver,
        evaluated: EvaluationNote,
        changes: Callable[[], Changes] = lambda: (),
        stop: StopRequest | None = None,
        **kwargs,
    ):
        """Takes the trainer and what to do before its first step.

        Args:
          trainer: the inner loop.
          options: intervals and the last step.
          initialize: called without arguments when there is no checkpoint to resume from.
          saver: of the checkpoints, also those to resume from.
          evaluated: where it is noted which evaluation was the last.
          changes: () -> the settings that changed since the checkpoints there were written.
          stop: whether somebody asked the training to end.
          **kwargs: of `orbit.Controller`.
        """
        self._options = options
        self._initialize = initialize
        self._saver = saver
        self._evaluated = evaluated
        self._changes = changes
        self._stop = stop or StopRequest()
        self._last_saved: int | None = None
        self._last_checked: int | None = None
        self._started = False
        super().__init__(trainer=trainer, steps_per_loop=options.steps_per_loop, **kwargs)
        self._resume()

    def _resume(self) -> None:
        """From the newest whole checkpoint, or initializes."""
        with self.strategy.scope():
            path = restore.resume(self._saver.checkpoint, self._saver.directory, self._changes)
            if path is None:
                self._initialize()
                return
        self._last_saved = int(self.global_step.numpy())
        self._evaluated.rewind(self._last_saved)
        self.trainer.last_checkpoint = path

    def train(self, steps: int, checkpoint_at_completion: bool = True) -> None:
        """Trains until `steps` steps are done.

        Raises:
          UserError: the loss or the gradient is not a number, or the loss explodes; or a
            checkpoint cannot be written.
          Stop: somebody asked for it; the step that ran then is finished.
        """
        with self._stop.held():
            self._train(steps)
            if checkpoint_at_completion:
                self.save_checkpoint()
            self._stop.raise_if_asked()

    def _train(self, steps: int) -> None:
        options = self._options
        step = int(self.global_step.numpy())
        while step < steps:
            # One step first: a loss that is bad from the start shows at once.
            first, self._started = not self._started, True
            most = 1 if first else options.steps_per_loop
            loop_end = min(
                steps,
                step + most,
                _next_multiple(step, options.summary_interval),
                _next_multiple(step, options.checkpoint_interval),
            )
            begin = time.perf_counter()
            with slow("the first step, which compiles") if first else nullcontext():
                self.trainer.train(tf.constant(loop_end - step, tf.int32))
            step = int(self.global_step.numpy())
            if step % options.summary_interval == 0 or step == options.num_steps:
                self._report(step)
            elif first:
                took, loss = time.perf_counter() - begin, self.trainer.mean_loss()
                print(first_step_line(step, options.num_steps, loss, took), flush=True)
            if step % options.checkpoint_interval == 0:
                self.save_checkpoint()
            self._stop.raise_if_asked()

    def train_and_evaluate(
        self, train_steps: int, eval_steps: int = -1, eval_interval: int | None = None
    ) -> dict | None:
        """Trains to `train_steps`; evaluates at multiples of `eval_interval` and at the end.

        A training that is at the end already is evaluated once more; and so is one whose
        evaluation was due where it goes on and has no result, for it was cut off.

        Returns:
          The last evaluation's metrics.
        """
        output = None
        step = int(self.global_step.numpy())
        if step >= train_steps:
            return self.evaluate(eval_steps)
        due = step > 0 and step % (eval_interval or train_steps) == 0
        if due and self._evaluated.step < step:
            print(f"the evaluation of step {step} was cut off: it is made now", flush=True)
            self.evaluate(eval_steps)
        while step < train_steps:
            step = min(train_steps, _next_multiple(step, eval_interval or train_steps))
            self.train(step, checkpoint_at_completion=step == train_steps)
            output = self.evaluate(eval_steps)
        return output

    def evaluate(self, steps: int = -1) -> dict | None:
        """One evaluation with the current weights.

        Raises:
          UserError: they are not finite.
        """
        del steps
        self._check_finite()
        # The evaluator writes its pictures to the default writer.
        writer = self.eval_summary_manager.summary_writer()
        # One of several machines must not leave the others alone within a batch.
        held = self._stop.held() if Workers(self.strategy).are_several else nullcontext()
        with held, self.strategy.scope(), writer.as_default():
            metrics = self.evaluator.evaluate(tf.constant(-1))
        for action in self.eval_actions:
            action(metrics)
        self.eval_summary_manager.write_summaries(metrics)
        self.eval_summary_manager.flush()
        # Not before: what follows of an evaluation, as the best checkpoint, is part of it.
        self._evaluated.write(int(self.global_step.numpy()))
        freed_memory.collect()
        return metrics

    def save_checkpoint(self) -> None:
        """Saves the whole training state, unless this step is saved already.

        Raises:
          UserError: it is not finite, or cannot be written: nothing is saved.
        """
        step = int(self.global_step.numpy())
        if step == self._last_saved:
            return
        self._check_finite()
        self.trainer.last_checkpoint = self._saver.save(step)
        self._last_saved = step

    def _check_finite(self) -> None:
        """The guard sees the loss and the gradient of a step; this what the step made of them."""
        step = int(self.global_step.numpy())
        if step in (self._last_checked, self._last_saved):
            return
        state = TrainingState(self._saver.checkpoint)
        last = self.trainer.last_checkpoint or "the start (there is no checkpoint yet)"
        finite.check(
            f"the training after step {step}",
            state.values(),
            f"nothing was saved since {last}; lower the learning rate, lengthen the warm-up or set "
            "gradient_clipping_by_norm",
        )
        self._last_checked = step

    def _report(self, step: int) -> None:
        seconds = self.trainer.seconds_per_step()
        means = self.trainer.pop_means()
        self.summary_manager.write_summaries(means)
        self.summary_manager.flush()
        print(progress_line(step, self._options.num_steps, means, seconds), flush=True)


def progress_line(step: int, num_steps: int, means: dict[str, float], seconds: float) -> str:
    """One line on how far training is and how it goes.

    `seconds` is what one step takes, 0 if that is not known yet.
    """
    left = datetime.timedelta(seconds=round((num_steps - step) * seconds))
    skipped = int(means.get(SKIPPED_STEPS, 0))
    speed = (
        f"  {means['clips_per_second']:.1f} clips/s  input wait {means['input_wait_share']:.0%}  "
        f"left {left}"
    )
    told = f"  skipped {skipped} steps whose float16 gradient overflowed" if skipped else ""
    return (
        f"{_of_step(step, num_steps, means['total_loss'])}  "
        f"learning rate {means['learning_rate']:.3g}  gradient {means['gradient_norm']:.3g}"
        f"{speed if seconds else ''}{told}"
    )


def first_step_line(step: int, num_steps: int, loss: float, seconds: float) -> str:
    """One line on a process's first step, which took `seconds`: training has begun."""
    return f"{_of_step(step, num_steps, loss)}  the first here, compiled in {seconds:.0f} s"


def _of_step(step: int, num_steps: int, loss: float) -> str:
    clock = time.strftime("%H:%M:%S")
    return f"{clock} step {step:>{len(str(num_steps))}}/{num_steps} loss {loss:.4f}"


def _next_multiple(step: int, interval: int) -> int:
    return (step // interval + 1) * interval
