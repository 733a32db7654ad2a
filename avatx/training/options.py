"""What a training and an evaluation run are told, as plain frozen dataclasses.

The builders fill them from `train_config` and `eval_config`; tests fill them by hand. Steps are
optimiser updates: with gradient accumulation one step consumes `gradient_accumulation_steps`
micro-batches. Field names are the Object Detection API's where it has the field.
"""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class LearningRateOptions:
    """The learning rate as a function of the step.

    cosine_decay: linear from `warmup_learning_rate` at step 0 to `learning_rate_base` at
        `warmup_steps`, then half a cosine down to zero at `total_steps`.
    constant: `learning_rate_base`, after the same warm-up where `warmup_steps` > 0.
    manual_step: `learning_rate_base`, from step `manual_steps[i][0]` on `manual_steps[i][1]`.
    """

    kind: str = "cosine_decay"  # cosine_decay | constant | manual_step
    learning_rate_base: float = 0.1
    total_steps: int = 500000  # cosine_decay only
    warmup_learning_rate: float = 0.01
    warmup_steps: int = 0
    manual_steps: tuple[tuple[int, float], ...] = ()  # (first step, learning rate)


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
    """The optimiser; `momentum` is read by SGD alone, the betas by Adam alone."""

    kind: str = "momentum"  # momentum | adam | adamw
    momentum: float = 0.9
    nesterov: bool = False
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    learning_rate: LearningRateOptions = LearningRateOptions()


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """One training run."""

    batch_size: int = 30  # clips a step over all replicas and micro-batches
    num_steps: int = 500000
    optimizer: OptimizerOptions = OptimizerOptions()
    gradient_clipping_by_norm: float = 0.0  # by the global norm; 0: off
    gradient_accumulation_steps: int = 1  # micro-batches a step
    moving_average_decay: float = 0.0  # of the trained weights; 0: off
    weight_decay: float = 0.0  # x sum of squared kernels is added to the loss; adamw: decoupled
    precision: str = "float32"  # float32 | bfloat16 | float16
    seed: int = 0
    fine_tune_checkpoint: str = ""  # "": from scratch
    fine_tune_flow_checkpoint: str = ""  # of a two_stream trunk's flow trunk
    fine_tune_checkpoint_type: str = "classification"  # classification | detection
    checkpoint_interval: int = 1000  # steps
    checkpoints_to_keep: int = 5
    summary_interval: int = 100  # steps between TensorBoard points and progress lines
    steps_per_loop: int = 100  # most steps run without coming back to Python
    max_loss: float = 1e4  # a total loss beyond it stops the run, as NaN does; 0: only NaN does


@dataclasses.dataclass(frozen=True)
class EvalOptions:
    """One evaluation of one checkpoint."""

    batch_size: int = 1  # clips a step over all replicas, rounded up to a multiple of these
    interval: int = 0  # training steps between evaluations of train_and_eval; 0: only at the end
    protocol: str = "AVA_2020"
    iou_threshold: float = 0.5
    groundtruth_path: str = ""  # AVA csv; "": the boxes of the evaluation records
    excluded_timestamps_path: str = ""  # "": none
    # What is computed: the keys of `avatx.evaluation.evaluation_run.METRICS_SETS`.
    metrics_set: tuple[str, ...] = ("ava_frame_map", "action_agnostic_localization")
    # mAP, person_AP or person_AP_75 (classification: top_1, top_5 or mean_class_accuracy);
    # "": export no best checkpoint.
    best_checkpoint_metric: str = "mAP"
    num_visualizations: int = 0  # clips that TensorBoard shows at each evaluation


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything a run needs, built: what the builders hand to `avatx.training.run`.

    make_model() -> DetectionModel, or VideoClassifier for the task "classification", its
        variables made. Called under the distribution strategy's scope and the precision policy.
    make_train_dataset(batch_size, input_context, start_step) -> endless tf.data.Dataset of
        `Batch` (classification: `LabelledClips`), each of one replica's share. `batch_size` is
        the clips of all replicas a step, `input_context` a tf.distribute.InputContext,
        `start_step` how many such steps were trained before.
    make_eval_dataset(batch_size, input_context) -> tf.data.Dataset of `Batch` that ends, with
        as many batches for each replica; it is filled up with clips marked as not valid.
    """

    make_model: Callable[[], Any]
    make_train_dataset: Callable[..., Any] | None
    make_eval_dataset: Callable[..., Any] | None
    train: TrainOptions
    eval: EvalOptions
    label_map: Any  # avatx.data.annotations.label_map.LabelMap
    model_dir: str
    config_text: str = ""  # the effective pipeline.config
    # check_frames(training, evaluating) -> lines to print on how the records' frames were taken;
    # raises a UserError where they do not fit the config or each other.
    check_frames: Callable[[bool, bool], list[str]] = lambda training, evaluating: []
    distribution_strategy: str = "mirrored"  # see avatx.training.distribution
    num_train_keyframes: int | None = None  # where known: for the epochs of the report
    train_unit: str = "keyframes"  # what these are: keyframes or videos
    # What is trained, a key of `avatx.training.tasks.TASKS`.
    task: str = "action_detection"
    data_statistics: tuple[tuple[str, str], ...] = ()  # (name, value) lines of the report
