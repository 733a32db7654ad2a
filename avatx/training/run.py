"""Train, evaluate, or both: an `Experiment` in, a model directory out.

The model directory gets checkpoints (`ckpt-STEP`), `best/` (the best checkpoint and its
numbers), events in `train/` and `eval/`, `pipeline.config`, `metrics.json`, `detections.csv`.
"""

import contextlib
import json
import os
import shutil

import orbit
import tensorflow as tf
import tf_keras
from official.core import train_utils
from official.modeling import performance

from avatx.checkpoints import paths, restore, waiting
from avatx.checkpoints.reader import DamagedCheckpoint
from avatx.errors import UserError
from avatx.evaluation.evaluation_run import METRICS_FILE
from avatx.training import fine_tuning, report
from avatx.training.controller import TrainingController
from avatx.training.distribution import check_batch_size, make_strategy
from avatx.training.last_start import LastStart, write_config
from avatx.training.optimizer import averaged_weights, build_optimizer, reset_average
from avatx.training.options import Experiment
from avatx.training.seed import set_random_seed
from avatx.training.trainer import ModelTrainer

CHECKPOINT_NAME = "ckpt"
BEST_DIRECTORY = "best"


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
      checkpoint: "" for the model directory's newest.

    Returns:
      `mAP`, `person_AP` and `person_AP_75`, those of the metrics_set.
    """
    field = "checkpoint" if checkpoint else "model_dir"
    path = paths.resolve_checkpoint(checkpoint or experiment.model_dir, field)
    with _precision(experiment.train.precision):
        return _CheckpointEvaluation(experiment)(path)


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
    if missing := waiting.absence(checkpoint_dir):
        print(f"{missing}: waiting for one, {timeout:g} seconds at most", flush=True)
    metrics = None
    with _precision(experiment.train.precision):
        evaluation = _CheckpointEvaluation(experiment)
        for path in waiting.new_checkpoints(checkpoint_dir, timeout):
            try:
                metrics = evaluation(path)
                step = paths.checkpoint_step(path)
            except DamagedCheckpoint as error:  # or removed meanwhile, as too old
                print(f"{error}: waiting for the next one", flush=True)
                continue
            if step >= experiment.train.num_steps:
                return metrics
    if metrics is None:
        raise UserError(
            f"{waiting.absence(checkpoint_dir) or f'checkpoint_dir {checkpoint_dir}'}: no "
            f"checkpoint that can be read came within {timeout:g} seconds"
        )
    print(f"no new checkpoint within {timeout:g} seconds: evaluation ends")
    return metrics


class _CheckpointEvaluation:
    """Evaluates checkpoints one after another with one model."""

    def __init__(self, experiment: Experiment):
        self._experiment = experiment
        _check_frames(experiment, training=False, evaluating=True)
        _make_model_dir(experiment.model_dir)
        self._strategy = make_strategy(experiment.distribution_strategy)
        kind = experiment.meta_architecture
        task = kind.make_task(experiment.train)
        with self._strategy.scope():
            self._model = experiment.make_model()
            self._step = orbit.utils.create_global_step()
        evaluator = kind.make_evaluator(experiment, task, self._model, self._strategy, self._step)
        self._controller = orbit.Controller(
            evaluator=evaluator,
            global_step=self._step,
            strategy=self._strategy,
            eval_summary_dir=os.path.join(experiment.model_dir, "eval"),
        )
        self._evaluator = evaluator

    def __call__(self, path: str) -> dict[str, float]:
        writer = self._controller.eval_summary_manager.summary_writer()
        with self._strategy.scope(), writer.as_default():  # for the evaluator's pictures
            self._step.assign(restore.restore_for_inference(self._model, path))
            # Where there are checkpoints, the file says how they were trained.
            if not paths.checkpoint_paths(self._experiment.model_dir):
                write_config(self._experiment)
            metrics = self._evaluator.evaluate(tf.constant(-1))
        self._controller.eval_summary_manager.write_summaries(metrics)
        self._controller.eval_summary_manager.flush()
        return metrics


def _train(experiment: Experiment, evaluate: bool) -> dict[str, float] | None:
    options = experiment.train
    strategy = make_strategy(experiment.distribution_strategy)
    check_batch_size(options, strategy.num_replicas_in_sync)
    _dtype(options.precision)
    trained_to = _trained_to(experiment)
    if trained_to >= options.num_steps and not (evaluate and _lacks_evaluation(experiment)):
        print(
            f"{experiment.model_dir} is trained to step {trained_to} already, and "
            f"train_config.num_steps is {options.num_steps}: nothing to do; raise it or choose "
            "another model directory"
        )
        return None
    _check_frames(experiment, training=True, evaluating=evaluate)
    prepare_model_dir(experiment)
    last_start = LastStart(experiment)
    set_random_seed(options.seed)
    with _precision(options.precision):
        controller = _make_controller(experiment, strategy, evaluate, last_start)
        changed = last_start.lines() if controller.trainer.last_checkpoint else []
        # Not before: a config that the checkpoints do not fit must not replace theirs.
        last_start.write()
        start_step = int(controller.global_step.numpy())
        for line in report.startup_lines(
            experiment, strategy, controller.trainer.model, start_step
        ):
            print(line)
        if controller.trainer.last_checkpoint:
            print(f"resuming at step {start_step} from {controller.trainer.last_checkpoint}")
        for line in changed:
            print(f"note: {line}")
        # Only now is it known at which step the training data begin.
        controller.trainer.train_dataset = strategy.distribute_datasets_from_function(
            lambda context: experiment.make_train_dataset(options.batch_size, context, start_step)
        )
        if not evaluate:
            controller.train(options.num_steps)
            return None
        return controller.train_and_evaluate(
            options.num_steps, eval_interval=experiment.eval.interval
        )


def _make_controller(
    experiment: Experiment, strategy, evaluate: bool, last_start: LastStart
) -> TrainingController:
    options, kind = experiment.train, experiment.meta_architecture
    task = kind.make_task(options)
    with strategy.scope():
        model = experiment.make_model()
        optimizer = build_optimizer(options, model)
        global_step = orbit.utils.create_global_step()
    trainer = ModelTrainer(task, model, optimizer, strategy, global_step)
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=optimizer.checkpointed, global_step=global_step
    )
    manager = tf.train.CheckpointManager(
        checkpoint,
        experiment.model_dir,
        max_to_keep=options.checkpoints_to_keep,
        checkpoint_name=CHECKPOINT_NAME,
    )
    evaluator, eval_actions = None, []
    if evaluate:
        evaluator = kind.make_evaluator(
            experiment,
            task,
            model,
            strategy,
            global_step,
            weights=lambda: averaged_weights(optimizer, model),
        )
        if experiment.eval.best_checkpoint_metric:
            eval_actions.append(_best_checkpoint_action(experiment, checkpoint, global_step))

    def initialize() -> None:
        for line in fine_tuning.initialize(model, options):
            print(line)
        if optimizer.average is not None:
            reset_average(optimizer.average, model)

    return TrainingController(
        trainer=trainer,
        evaluator=evaluator,
        eval_actions=eval_actions,
        options=options,
        initialize=initialize,
        changes=last_start.changed_settings,
        global_step=global_step,
        strategy=strategy,
        checkpoint_manager=manager,
        summary_dir=os.path.join(experiment.model_dir, "train"),
        eval_summary_dir=os.path.join(experiment.model_dir, "eval"),
    )


def _best_checkpoint_action(experiment: Experiment, checkpoint, global_step):
    """Keeps the checkpoint of the best evaluation in `best/`, by Model Garden's exporter."""
    directory = os.path.join(experiment.model_dir, BEST_DIRECTORY)
    information = os.path.join(directory, "info.json")
    with contextlib.suppress(FileNotFoundError):
        try:
            with open(information, encoding="utf-8") as file:
                json.load(file)
        except ValueError:  # cut off while it was written
            os.unlink(information)
    metric = experiment.eval.best_checkpoint_metric
    exporter = train_utils.BestCheckpointExporter(directory, metric, "higher")

    def action(metrics: dict[str, float]) -> None:
        step = int(global_step.numpy())
        # The checkpoint first, then the note of how good it is: killed in between, the next
        # evaluation compares with the older note, and nothing better is lost.
        if exporter.maybe_export_checkpoint(checkpoint, metrics, step, write_logs=False):
            exporter.export_best_eval_metric(dict(metrics), step)
            best = f"{metrics[metric]:.4f} at step {step}"
            print(f"best {metric} so far: {best}, kept in {directory}")

    return action


def _check_frames(experiment: Experiment, training: bool, evaluating: bool) -> None:
    """Prints what is odd about how the records' frames were taken; raises what is wrong."""
    for line in experiment.check_frames(training, evaluating):
        print(f"note: {line}")


def _make_model_dir(model_dir: str) -> None:
    try:
        os.makedirs(model_dir, exist_ok=True)
    except OSError as error:
        raise UserError(f"model_dir {model_dir}: cannot be made ({error.strerror})") from error


def prepare_model_dir(experiment: Experiment) -> None:
    """Makes the directory and sweeps what a killed save left behind.

    For training alone: beside a training that runs it would sweep away what is being saved.
    """
    _make_model_dir(experiment.model_dir)
    for name in os.listdir(experiment.model_dir):
        if name.startswith(CHECKPOINT_NAME + "-") and name.endswith("_temp"):
            shutil.rmtree(os.path.join(experiment.model_dir, name), ignore_errors=True)


def _lacks_evaluation(experiment: Experiment) -> bool:
    """Whether metrics.json is not that of the last step: killed in the last evaluation."""
    try:
        path = os.path.join(experiment.model_dir, METRICS_FILE)
        with open(path, encoding="utf-8") as file:
            return json.load(file)["step"] < experiment.train.num_steps
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
