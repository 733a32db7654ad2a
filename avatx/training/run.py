"""Train, evaluate, or both: an `Experiment` in, a model directory out.

The model directory gets checkpoints (`ckpt-STEP`), `best/` (the best checkpoint and its
numbers), events in `train/` and `eval/`, `pipeline.config`, `metrics.json`, `detections.csv`.
"""

import contextlib
import json
import os
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
import tf_keras
from official.modeling import performance

from avatx import file_lock, file_systems, freed_memory
from avatx.checkpoints import paths, restore, saver, waiting
from avatx.checkpoints.reader import DamagedCheckpoint
from avatx.errors import UserError, first_line
from avatx.evaluation.evaluation_run import METRICS_FILE
from avatx.progress import slow
from avatx.training import earlier_results, fine_tuning, precision_check, report
from avatx.training.best_checkpoint import CHECKPOINT_NAME as BEST_CHECKPOINT_NAME
from avatx.training.best_checkpoint import BestCheckpoint, evaluation_settings
from avatx.training.controller import TrainingController
from avatx.training.distribution import check_batch_size, check_compiled_update, make_strategy
from avatx.training.evaluation_note import EvaluationNote
from avatx.training.interruption import Stop, StopRequest
from avatx.training.last_start import LastStart, write_config
from avatx.training.optimizer import averaged_weights, build_optimizer, reset_average
from avatx.training.options import Experiment
from avatx.training.seed import make_deterministic, set_random_seed
from avatx.training.summaries import ScalarSummaries
from avatx.training.trainer import ModelTrainer
from avatx.training.workers import Workers

CHECKPOINT_NAME = "ckpt"


def train(experiment: Experiment) -> None:
    """Trains to `num_steps`, from the newest checkpoint in the model directory if there is one.

    Raises:
      UserError: a mistake in the options; or the loss or the gradient is not a number, or the loss
        explodes, in which case nothing of it was saved.
    """
    _train(experiment, evaluate=False)


def train_and_eval(experiment: Experiment) -> dict[str, float] | None:
    """Trains, evaluates at every `eval.interval` and at the end, and keeps the best checkpoint.

    Returns:
      The last evaluation's headline numbers: `mAP`, `person_AP`, `person_AP_75`.
    """
    return _train(experiment, evaluate=True)


def evaluate(experiment: Experiment, checkpoint: str = "") -> dict[str, float]:
    """Evaluates one checkpoint: a prefix, or the newest one of a directory.

    Args:
      experiment: where `model_dir` is where the results go.
      checkpoint: "" for the model directory's newest. Of a directory's, one that is damaged is
        skipped with a line that says so.

    Returns:
      `mAP`, `person_AP` and `person_AP_75`, those of the metrics_set.
    """
    field = "checkpoint" if checkpoint else "model_dir"
    source = checkpoint or experiment.model_dir
    path = paths.resolve_checkpoint(source, field)
    # As resuming does; a checkpoint that was asked for by its name is that one or none.
    candidates = [path] if paths.is_checkpoint(source) else paths.checkpoint_paths(source)
    workers = Workers(make_strategy(experiment.distribution_strategy))
    with workers.watched(), _precision(experiment.train.precision):
        evaluation = _CheckpointEvaluation(experiment)
        for candidate in candidates:
            try:
                metrics = evaluation(candidate)
                workers.meet()
                return metrics
            except DamagedCheckpoint as error:
                if candidate == candidates[-1]:
                    raise
                reason = first_line(error.__cause__ or error)
                print(f"checkpoint {candidate} is damaged ({reason}): trying the one before it")
    raise AssertionError("there is one at least")


def evaluate_continuously(
    experiment: Experiment, checkpoint_dir: str, timeout: float = 3600.0
) -> dict[str, float] | None:
    """Evaluates every new checkpoint of a directory until that of the last step.

    Args:
      experiment: where `model_dir` is where the results go.
      checkpoint_dir: where another job trains; may not be there yet. Or a checkpoint's prefix:
        then it alone is evaluated.
      timeout: seconds to wait for the next checkpoint before giving up.

    Returns:
      The last evaluation's headline numbers: `mAP`, `person_AP`, `person_AP_75`.

    Raises:
      UserError: no checkpoint came at all, `checkpoint_dir` is a file, or a checkpoint is of
        another model or not finite.
    """
    if paths.is_checkpoint(checkpoint_dir):
        return evaluate(experiment, checkpoint_dir)
    if Workers(make_strategy(experiment.distribution_strategy)).are_several:
        raise UserError(
            "distribution_strategy: each new checkpoint is evaluated by one machine alone; start "
            "one with TF_CONFIG unset, or with `distribution_strategy` one_device or cpu"
        )
    if missing := waiting.absence(checkpoint_dir):
        print(f"{missing}: waiting for one, {timeout:g} seconds at most", flush=True)
    metrics = None
    with _precision(experiment.train.precision):
        evaluation = _CheckpointEvaluation(experiment)
        for path in waiting.new_checkpoints(checkpoint_dir, timeout):
            try:
                metrics = evaluation(path)
                freed_memory.collect()
                step = paths.checkpoint_step(path)
            except DamagedCheckpoint as error:  # or removed meanwhile, as too old
                print(f"{error}: waiting for the next one", flush=True)
                continue
            if step >= experiment.train.num_steps:
                return metrics
    if metrics is None:
        raise UserError(
            f"checkpoint_dir {waiting.absence(checkpoint_dir) or checkpoint_dir}: no checkpoint "
            f"that can be read came within {timeout:g} seconds"
        )
    print(f"no new checkpoint within {timeout:g} seconds: evaluation ends")
    return metrics


class _CheckpointEvaluation:
    """Evaluates checkpoints one after another with one model."""

    def __init__(self, experiment: Experiment):
        self._experiment = experiment
        _check_inputs(experiment, training=False, evaluating=True)
        file_systems.make_folder(experiment.model_dir, "model_dir")
        self._strategy = make_strategy(experiment.distribution_strategy)
        self._is_chief = Workers(self._strategy).is_chief
        kind = experiment.meta_architecture
        task = kind.make_task(experiment.train)
        with slow("building the model"), self._strategy.scope():
            self._model = experiment.make_model()
            self._step = orbit.utils.create_global_step()
        evaluator = kind.make_evaluator(experiment, task, self._model, self._strategy, self._step)
        self._controller = orbit.Controller(
            evaluator=evaluator,
            global_step=self._step,
            strategy=self._strategy,
            **_summaries(experiment, "eval", self._is_chief, self._step),
        )
        self._evaluator = evaluator
        self._checked = False

    def __call__(self, path: str) -> dict[str, float]:
        with self._strategy.scope():
            self._step.assign(
                restore.restore_for_inference(self._model, path, self._experiment.changed_settings)
            )
            if not self._checked:
                _check_precision(
                    self._experiment,
                    self._strategy,
                    self._model,
                    self._evaluator.dataset,
                    gradients=False,
                )
                self._checked = True
            # Where there are checkpoints, the file says how they were trained.
            if self._is_chief and not paths.checkpoint_paths(self._experiment.model_dir):
                write_config(self._experiment)
        # Not before: a checkpoint that is refused leaves no events. The evaluator writes pictures.
        writer = self._controller.eval_summary_manager.summary_writer()
        with self._strategy.scope(), writer.as_default():
            metrics = self._evaluator.evaluate(tf.constant(-1))
        self._controller.eval_summary_manager.write_summaries(metrics)
        self._controller.eval_summary_manager.flush()
        return metrics


def _train(experiment: Experiment, evaluate: bool) -> dict[str, float] | None:
    options = experiment.train
    file_systems.load(experiment.model_dir)
    strategy = make_strategy(experiment.distribution_strategy)
    workers = Workers(strategy)
    check_batch_size(options, strategy.num_replicas_in_sync)
    check_compiled_update(options, strategy.num_replicas_in_sync)
    _dtype(options.precision)
    with workers.watched():
        if not workers.from_chief(lambda: _is_done(experiment, evaluate)):
            _check_inputs(experiment, training=True, evaluating=evaluate)
            if not paths.checkpoint_paths(experiment.model_dir):
                fine_tuning.check_paths(options)
        file_systems.make_folder(experiment.model_dir, "model_dir")
        with _alone(experiment, workers):
            metrics = _train_if_not_done(experiment, strategy, workers, evaluate)
            # The chief's process is what holds the others together: it must not end first.
            workers.meet()
            return metrics


def _alone(experiment: Experiment, workers: Workers) -> contextlib.AbstractContextManager:
    """Holds the model directory, for all workers the chief."""
    if workers.is_chief:
        if not file_lock.has_locks(experiment.model_dir):
            print(
                f"note: model_dir {experiment.model_dir}: this storage has no locks: see to it "
                "that no second training writes there"
            )
        return file_lock.alone_in(experiment.model_dir, "model_dir")
    return contextlib.nullcontext()


def _train_if_not_done(
    experiment: Experiment, strategy, workers: Workers, evaluate: bool
) -> dict[str, float] | None:
    options = experiment.train
    if workers.is_chief:
        sweep(experiment)
    if workers.from_chief(lambda: _is_done(experiment, evaluate)):
        if workers.is_chief:
            newest = paths.checkpoint_paths(experiment.model_dir)[0]
            saver.settle(experiment.model_dir, options.checkpoints_to_keep, newest)
            print(
                f"{experiment.model_dir} is trained to step {_trained_to(experiment)} already, and "
                f"train_config.num_steps is {options.num_steps}: nothing to do; raise it or choose "
                "another model directory"
            )
        return None
    return _train_alone(experiment, strategy, workers, evaluate)


def _train_alone(
    experiment: Experiment, strategy, workers: Workers, evaluate: bool
) -> dict[str, float] | None:
    options = experiment.train
    last_start = LastStart(experiment)
    set_random_seed(options.seed)
    if options.deterministic:
        make_deterministic()
    with StopRequest(workers.any) as stop, _precision(options.precision):
        controller = None
        try:
            controller = _make_controller(experiment, strategy, workers, evaluate, last_start, stop)
            _prepare(controller, experiment, strategy, workers, last_start)
            if not evaluate:
                controller.train(options.num_steps)
                return None
            return controller.train_and_evaluate(
                options.num_steps, eval_interval=experiment.eval.interval
            )
        except Stop as asked:
            with stop.held():
                _end(controller, asked, experiment.model_dir)
            raise asked.exit_error() from None


def _prepare(
    controller, experiment: Experiment, strategy, workers: Workers, last_start: LastStart
) -> None:
    """Says what is about to be trained, and gives the trainer its data."""
    options = experiment.train
    _check_start(int(controller.global_step.numpy()), experiment.model_dir, workers)
    changed = last_start.lines() if controller.trainer.last_checkpoint else []
    # Not before: a config that the checkpoints do not fit must not replace theirs.
    if workers.is_chief:
        last_start.write()
    # Not before it is known that the newest can be read.
    if workers.is_chief and controller.trainer.last_checkpoint:
        newest = controller.trainer.last_checkpoint
        saver.settle(experiment.model_dir, options.checkpoints_to_keep, newest)
    start_step = int(controller.global_step.numpy())
    for line in report.startup_lines(experiment, strategy, controller.trainer.model, start_step):
        print(line)
    if controller.trainer.last_checkpoint:
        print(f"resuming at step {start_step} from {controller.trainer.last_checkpoint}")
    for line in changed:
        print(f"note: {line}")
    # Only now is it known at which step the training data begin.
    controller.trainer.train_dataset = strategy.distribute_datasets_from_function(
        lambda context: experiment.make_train_dataset(options.batch_size, context, start_step)
    )
    _check_precision(
        experiment, strategy, controller.trainer.model, controller.trainer.train_dataset
    )


def _check_start(step: int, model_dir: str, workers: Workers) -> None:
    """Raises UserError unless all workers have found the same checkpoint."""
    steps = workers.gather(np.array(step)).tolist()
    for worker, other in enumerate(steps):
        if other != steps[0]:
            raise UserError(
                f"model_dir {model_dir}: worker {worker} finds a training at step {other} there, "
                f"and the chief at step {steps[0]}; it must be one folder, on a file system that "
                "all workers reach"
            )


def _end(controller: TrainingController | None, asked: Stop, model_dir: str) -> None:
    """Saves where a training is that somebody asked to end, and says how to go on."""
    step = int(controller.global_step.numpy()) if controller else 0
    if controller is None or step == 0:
        print(f"{asked.name}: ended before the first step; nothing to save in {model_dir}")
        return
    controller.save_checkpoint()
    print(
        f"{asked.name}: ended after step {step}, saved in {controller.trainer.last_checkpoint}; "
        "the same command goes on from there",
        flush=True,
    )


def _is_done(experiment: Experiment, evaluate: bool) -> bool:
    """Whether nothing is left to do."""
    trained = _trained_to(experiment) >= experiment.train.num_steps
    return trained and not (evaluate and _lacks_evaluation(experiment))


def _make_controller(
    experiment: Experiment,
    strategy,
    workers: Workers,
    evaluate: bool,
    last_start: LastStart,
    stop: StopRequest,
) -> TrainingController:
    options, kind = experiment.train, experiment.meta_architecture
    task = kind.make_task(options)
    with strategy.scope():
        model = experiment.make_model()
        optimizer = build_optimizer(options, model)
        global_step = orbit.utils.create_global_step()
    trainer = ModelTrainer(task, model, optimizer, strategy, global_step, stop)
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=optimizer.checkpointed, global_step=global_step
    )
    evaluated = EvaluationNote(experiment.model_dir, workers)
    evaluator, best = None, None
    if evaluate:
        evaluator = kind.make_evaluator(
            experiment,
            task,
            model,
            strategy,
            global_step,
            weights=lambda: averaged_weights(optimizer, model),
            # One worker alone stops where it is.
            between=stop.raise_if_asked if workers.are_several else lambda: None,
        )
        if metric := experiment.eval.best_checkpoint_metric:
            directory = os.path.join(experiment.model_dir, paths.BEST_DIRECTORY)
            best = BestCheckpoint(
                directory,
                metric,
                checkpoint,
                workers,
                lambda: evaluation_settings(experiment, last_start.input_files),
            )

    def initialize() -> None:
        for line in fine_tuning.initialize(model, options):
            print(line)
        if optimizer.average is not None:
            reset_average(optimizer.average, model)
        if workers.is_chief and (folder := earlier_results.set_aside(experiment.model_dir)):
            print(
                f"{experiment.model_dir} holds no checkpoint to go on from, and results of an "
                f"earlier training, which were moved to {folder}"
            )
        for one in (evaluated, best):
            if one is not None:
                one.forget()

    return TrainingController(
        trainer=trainer,
        evaluator=evaluator,
        eval_actions=[lambda metrics: best.offer(metrics, int(global_step.numpy()))]
        if best
        else [],
        options=options,
        initialize=initialize,
        changes=last_start.changed_settings,
        saver=saver.saver_of(workers.is_chief)(
            checkpoint, experiment.model_dir, CHECKPOINT_NAME, options.checkpoints_to_keep
        ),
        evaluated=evaluated,
        stop=stop,
        global_step=global_step,
        strategy=strategy,
        **_summaries(experiment, "train", workers.is_chief, global_step),
        **_summaries(experiment, "eval", workers.is_chief, global_step),
    )


def _summaries(experiment: Experiment, name: str, is_chief: bool, global_step) -> dict[str, Any]:
    """Orbit's arguments for the numbers of training ("train") or evaluation ("eval")."""
    directory = os.path.join(experiment.model_dir, name) if is_chief else None
    prefix = "eval_" if name == "eval" else ""
    return {
        f"{prefix}summary_dir": directory,
        f"{prefix}summary_manager": ScalarSummaries(directory, global_step),
    }


def _check_inputs(experiment: Experiment, training: bool, evaluating: bool) -> None:
    """Prints what is odd about how the records' frames were taken; raises what is wrong.

    Before the model is built and anything is written.
    """
    experiment.check_inputs(training, evaluating)
    for line in experiment.check_frames(training, evaluating):
        print(f"note: {line}")


def _check_precision(
    experiment: Experiment, strategy, model, dataset, gradients: bool = True
) -> None:
    """Raises UserError where this CPU computes the trunk wrongly in the chosen precision."""
    precision = experiment.train.precision
    if precision_check.is_needed(precision, strategy) and hasattr(model, "trunk"):
        shape = precision_check.clip_shape_of(dataset)
        precision_check.check_trunk(model, experiment.make_model, precision, shape, gradients)


def sweep(experiment: Experiment) -> None:
    """Removes what a killed training left behind.

    For training alone: beside a training that runs it would sweep away what is being saved.
    """
    saver.sweep(experiment.model_dir, CHECKPOINT_NAME)
    saver.sweep(os.path.join(experiment.model_dir, paths.BEST_DIRECTORY), BEST_CHECKPOINT_NAME)


def _lacks_evaluation(experiment: Experiment) -> bool:
    """Whether the last step's evaluation did not come to its end, or its metrics.json is gone."""
    last = experiment.train.num_steps
    if EvaluationNote(experiment.model_dir).step < last:
        return True
    try:
        path = os.path.join(experiment.model_dir, METRICS_FILE)
        with file_systems.open_text(path) as file:
            return json.load(file)["step"] < last
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _trained_to(experiment: Experiment) -> int:
    """The step of the newest checkpoint; 0 if there is none, or none that can be read."""
    checkpoints = paths.checkpoint_paths(experiment.model_dir)
    try:
        return paths.checkpoint_step(checkpoints[0]) if checkpoints else 0
    except UserError:  # damaged: resuming will look for an older one
        return 0


@contextlib.contextmanager
def _precision(precision: str):
    """Sets the precision policy for what is built inside."""
    before = tf_keras.mixed_precision.global_policy()
    performance.set_mixed_precision_policy(_dtype(precision))
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def _dtype(precision: str) -> tf.DType:
    dtypes = {"float32": tf.float32, "bfloat16": tf.bfloat16, "float16": tf.float16}
    if precision not in dtypes:
        raise UserError(
            f"train_config.precision: {precision!r} is unknown; expected {', '.join(dtypes)}"
        )
    return dtypes[precision]
