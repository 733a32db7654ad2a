"""What a training and an evaluation run are told, as plain frozen dataclasses.

The builders fill them from `train_config` and `eval_config`; tests fill them by hand. Steps are
optimiser updates: with gradient accumulation one step consumes `gradient_accumulation_steps`
micro-batches. Field names are the Object Detection API's where it has the field.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from avatx.registrations import MetaArchitecture


@dataclasses.dataclass(frozen=True)
class LearningRateOptions:
    """The learning rate as a function of the step.

    cosine_decay: linear from `warmup_learning_rate` at step 0 to `learning_rate_base` at
        `warmup_steps`, then half a cosine down to zero at `total_steps`.
    constant: `learning_rate_base`, after the same warm-up where `warmup_steps` > 0.
    manual_step: `learning_rate_base`, from step `manual_steps[i][0]` on `manual_steps[i][1]`.
    """

    kind: str  # cosine_decay | constant | manual_step
    learning_rate_base: float
    total_steps: int  # cosine_decay only
    warmup_learning_rate: float
    warmup_steps: int
    manual_steps: tuple[tuple[int, float], ...]  # (first step, learning rate)


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
    """The optimiser; `momentum` is read by SGD alone, the betas by Adam alone."""

    kind: str  # momentum | adam | adamw
    momentum: float
    nesterov: bool
    beta_1: float
    beta_2: float
    epsilon: float
    learning_rate: LearningRateOptions
    # (regular expression, factor on the learning rate of the variables in whose names it is found).
    learning_rate_multipliers: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """One training run."""

    batch_size: int  # clips a step over all replicas and micro-batches
    num_steps: int
    optimizer: OptimizerOptions
    gradient_clipping_by_norm: float  # by the global norm; 0: off
    gradient_accumulation_steps: int  # micro-batches a step
    moving_average_decay: float  # of the trained weights; 0: off
    weight_decay: float  # x sum of squared kernels is added to the loss; adamw: decoupled
    precision: str  # float32 | bfloat16 | float16
    seed: int
    deterministic: bool  # bit-equal from run to run, at a cost
    fine_tune_checkpoint: str  # "": from scratch
    fine_tune_flow_checkpoint: str  # of a two_stream trunk's flow trunk
    fine_tune_checkpoint_type: str  # classification | detection
    checkpoint_interval: int  # steps
    checkpoints_to_keep: int
    summary_interval: int  # steps between TensorBoard points and progress lines
    steps_per_loop: int  # most steps run without coming back to Python
    jit_compile_update: bool  # XLA compiles what follows the gradients; one replica, not float16
    max_loss: float  # a total loss beyond it stops the run, as NaN does; 0: only NaN does


@dataclasses.dataclass(frozen=True)
class EvalOptions:
    """One evaluation of one checkpoint."""

    batch_size: int  # clips a step over all replicas, rounded up to a multiple of these
    interval: int  # training steps between evaluations of train_and_eval; 0: only at the end
    protocol: str
    iou_threshold: float
    groundtruth_path: str  # AVA csv; "": the boxes of the evaluation records
    excluded_timestamps_path: str  # "": none
    # What is computed: the keys of `avatx.evaluation.evaluation_run.METRICS_SETS`.
    metrics_set: tuple[str, ...]
    # mAP, person_AP or person_AP_75 (classification: top_1, top_5 or mean_class_accuracy);
    # "": export no best checkpoint.
    best_checkpoint_metric: str
    num_visualizations: int  # clips that TensorBoard shows at each evaluation


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything a run needs, built: what the builders hand to `avatx.training.run`.

    meta_architecture: what is trained; says the step of training, what an evaluation counts and
        what an epoch is counted in.
    make_model() -> its model, a `VideoModel`, its variables made. Called under the distribution
        strategy's scope and the precision policy.
    make_train_dataset(batch_size, input_context, start_step) -> endless tf.data.Dataset of
        its task's batches (`Batch`, `LabelledClips`), each of one replica's share. `batch_size` is
        the clips of all replicas a step, `input_context` a tf.distribute.InputContext,
        `start_step` how many such steps were trained before.
    make_eval_dataset(batch_size, input_context) -> tf.data.Dataset of such batches that ends, with
        as many batches for each replica; it is filled up with clips marked as not valid.
    label_map: a `LabelMap` of the classes that are scored.
    class_names: class id -> name, of all classes that the model may give.
    """

    meta_architecture: MetaArchitecture
    make_model: Callable[[], Any]
    make_train_dataset: Callable[..., Any]
    make_eval_dataset: Callable[..., Any]
    train: TrainOptions
    eval: EvalOptions
    label_map: Any
    class_names: dict[int, str]
    model_dir: str
    config_text: str = ""  # the effective pipeline.config
    # check_inputs(training, evaluating) raises a UserError where a file that such a run reads is
    # not there.
    check_inputs: Callable[[bool, bool], None] = lambda training, evaluating: None
    # check_frames(training, evaluating) -> lines to print on how the records' frames were taken;
    # raises a UserError where they do not fit the config or each other.
    check_frames: Callable[[bool, bool], list[str]] = lambda training, evaluating: []
    # changed_settings(text of an earlier pipeline.config) -> (field, its value there, its value
    # now) of every field that differs.
    changed_settings: Callable[[str], Sequence[tuple[str, str, str]]] = lambda before: ()
    # input_files() -> field of the config -> name of a file that it names -> its fingerprint.
    input_files: Callable[[], dict[str, dict[str, str]]] = dict
    distribution_strategy: str = "mirrored"  # see avatx.training.distribution
    # What an epoch has of the meta-architecture's `epoch_unit`, where known: for the report.
    num_train_keyframes: int | None = None
    # How many keyframes an evaluation has, where that is known without reading: for its progress.
    count_eval_keyframes: Callable[[], int | None] = lambda: None
    data_statistics: tuple[tuple[str, str], ...] = ()  # (name, value) lines of the report
    # class id -> its label map's `label_type`, where it has one.
    class_groups: dict[int, str] = dataclasses.field(default_factory=dict)
