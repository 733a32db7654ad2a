"""What a pipeline.config must fulfil beyond its grammar: required fields, ranges, agreement."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from avatx.config import trunk_checks as config_trunk_checks
from avatx.errors import UserError
from avatx.trunks import i3d_endpoints


class Range(NamedTuple):
    low: float | None = None
    high: float | None = None
    low_open: bool = False  # `low` itself is refused
    high_open: bool = False

    def __str__(self) -> str:
        if self.high is None:
            return f"more than {self.low:g}" if self.low_open else f"at least {self.low:g}"
        return f"in {'(['[not self.low_open]}{self.low:g}, {self.high:g}{')]'[not self.high_open]}"

    def holds(self, value: float) -> bool:
        if value == self.low:
            return not self.low_open
        if value == self.high:
            return not self.high_open
        above = self.low is None or value > self.low
        below = self.high is None or value < self.high
        return above and below and math.isfinite(value)


FRACTION = Range(0, 1)
POSITIVE = Range(0, low_open=True)
COUNT = Range(1)
NOT_NEGATIVE = Range(0)

# Message -> field -> range of its value (of each value, where repeated).
RANGES = {
    "ActionFasterRcnn": {
        "num_classes": COUNT,
        "first_stage_box_predictor_kernel_size": COUNT,
        "first_stage_box_predictor_depth": COUNT,
        "first_stage_minibatch_size": COUNT,
        "first_stage_positive_balance_fraction": FRACTION,
        "first_stage_matched_threshold": FRACTION,
        "first_stage_unmatched_threshold": FRACTION,
        "first_stage_nms_score_threshold": FRACTION,
        "first_stage_nms_iou_threshold": FRACTION,
        "first_stage_max_proposals": COUNT,
        "first_stage_localization_loss_weight": NOT_NEGATIVE,
        "first_stage_objectness_loss_weight": NOT_NEGATIVE,
        "initial_crop_size": COUNT,
        "maxpool_kernel_size": COUNT,
        "maxpool_stride": COUNT,
        "second_stage_batch_size": COUNT,
        "second_stage_balance_fraction": FRACTION,
        "second_stage_matched_threshold": FRACTION,
        "second_stage_class_prediction_bias_init": Range(-20, 20),
        "second_stage_localization_loss_weight": NOT_NEGATIVE,
        "second_stage_classification_loss_weight": NOT_NEGATIVE,
    },
    "VideoClassifier": {"num_classes": COUNT, "dropout": Range(0, 1, high_open=True)},
    "LocationEmbedding": {"depth": NOT_NEGATIVE},
    "Clip": {"num_frames": COUNT, "frame_rate": POSITIVE},
    "FrameSettings": {
        "shorter_side": NOT_NEGATIVE,
        "folder_frame_rate": Range(0, 1e6, low_open=True, high_open=True),
        "max_frame_rate": Range(0, 1e6, high_open=True),
        "video_start_seconds": Range(-1e9, 1e9, low_open=True, high_open=True),
    },
    "FixedShapeResizer": {"height": Range(16), "width": Range(16)},
    "Trunk": {"batch_norm_momentum": FRACTION},
    "I3d": {"depth_multiplier": POSITIVE},
    "GridAnchorGenerator": {
        "height": COUNT,
        "width": COUNT,
        "height_stride": NOT_NEGATIVE,
        "width_stride": NOT_NEGATIVE,
        "scales": POSITIVE,
        "aspect_ratios": POSITIVE,
    },
    "TxBoxPredictor": {
        "num_layers": COUNT,
        "num_heads": COUNT,
        "depth": COUNT,
        "dropout": Range(0, 1, high_open=True),
        "query_reduction_depth": COUNT,
        "feed_forward_depth": COUNT,
    },
    "I3dBoxPredictor": {"dropout": Range(0, 1, high_open=True)},
    "BatchNonMaxSuppression": {
        "score_threshold": FRACTION,
        "iou_threshold": FRACTION,
        "max_detections_per_class": COUNT,
        "max_total_detections": COUNT,
    },
    "Optimizer": {"moving_average_decay": Range(0, 1, high_open=True)},
    "MomentumOptimizer": {"momentum_optimizer_value": Range(0, 1, high_open=True)},
    "AdamOptimizer": {"epsilon": POSITIVE},
    "ConstantLearningRate": {"learning_rate": NOT_NEGATIVE},
    "CosineDecayLearningRate": {
        "learning_rate_base": NOT_NEGATIVE,
        "warmup_learning_rate": NOT_NEGATIVE,
    },
    "ManualStepLearningRate": {"initial_learning_rate": NOT_NEGATIVE},
    "Schedule": {"learning_rate": NOT_NEGATIVE},
    "RandomHorizontalFlip": {"probability": FRACTION},
    "RandomCropImage": {
        "min_aspect_ratio": POSITIVE,
        "max_aspect_ratio": POSITIVE,
        "min_area": Range(0, 1, low_open=True),
        "max_area": Range(0, 1, low_open=True),
        "overlap_threshold": FRACTION,
        "random_coef": FRACTION,
    },
    "RandomColor": {
        "max_brightness_delta": FRACTION,
        "contrast": FRACTION,
        "saturation": FRACTION,
    },
    "TrainConfig": {
        "batch_size": COUNT,
        "gradient_accumulation_steps": COUNT,
        "num_steps": COUNT,
        "gradient_clipping_by_norm": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "max_number_of_boxes": COUNT,
        "checkpoint_interval": COUNT,
        "max_checkpoints_to_keep": COUNT,
        "summary_interval": COUNT,
        "max_loss": POSITIVE,
    },
    "EvalConfig": {
        "batch_size": COUNT,
        "num_test_clips": COUNT,
        "num_test_crops": COUNT,
        "iou_threshold": Range(0, 1, low_open=True),
        "num_visualizations": Range(0, 100),
    },
    "InputReader": {"shuffle_buffer_size": COUNT, "num_readers": COUNT},
}

DETECTION_METRICS = ("mAP", "person_AP", "person_AP_75")
CLASSIFICATION_METRICS = ("top_1", "top_5", "mean_class_accuracy")

CHOICES = {
    "TrainConfig": {"fine_tune_checkpoint_type": ("classification", "detection")},
    "FrameSettings": {"optical_flow": ("dis", "farneback", "")},
    "I3d": {"final_endpoint": tuple(i3d_endpoints.ENDPOINTS)},
    "Resnet3d": {"model_id": (50, 101, 152, 200, 270)},
    "Movinet": {"model_id": ("a0", "a1", "a2", "a3", "a4", "a5")},
    "EvalConfig": {
        "protocol": ("AVA_2020", "AVA_2019", "AVA_2018"),
        "metrics_set": ("ava_frame_map", "action_agnostic_localization"),
        "best_checkpoint_metric": (*DETECTION_METRICS, *CLASSIFICATION_METRICS),
    },
}

# Meta-architecture -> fields outside of its own message that no other one reads.
READ_BY_ONE = {
    "action_faster_rcnn": (
        "train_config.max_number_of_boxes",
        "eval_config.protocol",
        "eval_config.iou_threshold",
        "eval_config.groundtruth_path",
        "eval_config.excluded_timestamps_path",
        "eval_config.metrics_set",
        "eval_config.num_visualizations",
    ),
    "video_classifier": ("eval_config.num_test_clips", "eval_config.num_test_crops"),
}

# Message -> fields (or oneofs) that must be set.
REQUIRED = {
    "PipelineConfig": ("model",),
    "DetectionModel": ("model",),
    "ActionFasterRcnn": (
        "num_classes",
        "clip",
        "image_resizer",
        "trunk",
        "first_stage_anchor_generator",
        "second_stage_box_predictor",
    ),
    "VideoClassifier": ("num_classes", "clip", "image_resizer", "trunk"),
    "ImageResizer": ("image_resizer_oneof",),
    "FixedShapeResizer": ("height", "width"),
    "Trunk": ("trunk_oneof",),
    "TwoStream": ("rgb", "flow"),
    "AnchorGenerator": ("anchor_generator_oneof",),
    "GridAnchorGenerator": ("scales", "aspect_ratios"),
    "BoxPredictor": ("box_predictor_oneof",),
    "TxI3dBoxPredictor": ("tx", "i3d"),
    "Optimizer": ("optimizer",),
    "MomentumOptimizer": ("learning_rate",),
    "AdamOptimizer": ("learning_rate",),
    "LearningRate": ("learning_rate",),
    "Schedule": ("step", "learning_rate"),
    "PreprocessingStep": ("preprocessing_step",),
    "TrainConfig": ("batch_size", "num_steps", "optimizer"),
    "InputReader": ("label_map_path", "input_reader"),
    "TFRecordInputReader": ("input_path",),
}


def check(config, path: str, sources: dict[str, str]) -> None:
    """Checks `config` (a PipelineConfig).

    Args:
      config: the parsed and overridden config.
      path: its file.
      sources: field path ("train_config.batch_size") -> where it was set ("file:line").

    Raises:
      UserError: the first thing that is wrong.
    """

    def where(name: str) -> str:
        while name and name not in sources:
            name = name.rpartition(".")[0]
        return sources.get(name, path)

    for name, message in _messages(config, ""):
        kind = message.DESCRIPTOR.name
        prefix = f"{name}." if name else ""
        for required in REQUIRED.get(kind, ()):
            if not _is_set(message, required):
                full = prefix + required
                raise UserError(f"{where(full)}: {prefix}{_spell(message, required)} is missing")
        for field, limits in RANGES.get(kind, {}).items():
            if _is_unknown(message, field):
                continue
            value = getattr(message, field)
            for one in [value] if isinstance(value, (int, float)) else value:
                if not limits.holds(one):
                    full = f"{prefix}{field}"
                    raise UserError(f"{where(full)}: {full} is {one:g}: expected {limits}")
        for field, choices in CHOICES.get(kind, {}).items():
            value = getattr(message, field)
            for one in [value] if isinstance(value, (str, int)) else value:
                if one not in choices:
                    full = f"{prefix}{field}"
                    expected = " or ".join(str(choice) or "nothing" for choice in choices)
                    raise UserError(f"{where(full)}: {full} is '{one}': expected {expected}")
    for field, problem in _contradictions(config):
        raise UserError(f"{where(field)}: {problem}")


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list: protobuf 6 deprecates what protobuf 4 says it by."""
    newer = getattr(field, "is_repeated", None)
    if newer is None:
        return field.label == FieldDescriptor.LABEL_REPEATED
    return newer() if callable(newer) else newer


def _is_set(message, name: str) -> bool:
    if name in message.DESCRIPTOR.oneofs_by_name:
        return message.WhichOneof(name) is not None
    if is_repeated(message.DESCRIPTOR.fields_by_name[name]):
        return len(getattr(message, name)) > 0
    return message.HasField(name)


def _is_unknown(message, name: str) -> bool:
    """Whether a field is neither set nor has a default: then it has no value to check."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if is_repeated(field) or field.has_default_value:
        return False
    return not message.HasField(name)


def _spell(message, name: str) -> str:
    oneof = message.DESCRIPTOR.oneofs_by_name.get(name)
    return " or ".join(field.name for field in oneof.fields) if oneof else name


def _messages(message, name: str) -> Iterator[tuple[str, object]]:
    """`message` and every message set inside it, with their paths."""
    yield name, message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            full = f"{name}.{field.name}" if name else field.name
            for one in value if is_repeated(field) else [value]:
                yield from _messages(one, full)


def _two_stream_contradictions(config) -> Iterator[tuple[str, str]]:
    """See `_contradictions`."""
    classifier = config.model.video_classifier.trunk
    if classifier.WhichOneof("trunk_oneof") == "two_stream":
        yield (
            "model.video_classifier.trunk",
            "model.video_classifier.trunk is two_stream: the records of labelled videos hold no "
            "flow; train each stream's trunk on its own",
        )
    trunk, train = config.model.action_faster_rcnn.trunk, config.train_config
    prefix = "model.action_faster_rcnn.trunk"
    if trunk.WhichOneof("trunk_oneof") == "two_stream":
        for field in ("batch_norm", "batch_norm_momentum"):
            if trunk.HasField(field):
                yield (
                    f"{prefix}.{field}",
                    f"{prefix}.{field} is set beside two_stream: set it in its rgb and flow",
                )
        for stream in ("rgb", "flow"):
            inner = getattr(trunk.two_stream, stream)
            if inner.WhichOneof("trunk_oneof") == "two_stream":
                yield (
                    f"{prefix}.two_stream.{stream}",
                    f"{prefix}.two_stream.{stream} is two_stream itself: expected one network",
                )
        if train.fine_tune_flow_checkpoint and train.fine_tune_checkpoint_type == "detection":
            yield (
                "train_config.fine_tune_flow_checkpoint",
                "fine_tune_flow_checkpoint is set and fine_tune_checkpoint_type is 'detection', "
                "which fills both streams: leave one of them out",
            )
    elif train.fine_tune_flow_checkpoint:
        yield (
            "train_config.fine_tune_flow_checkpoint",
            "fine_tune_flow_checkpoint is set and the model's trunk is not two_stream: it fills "
            "that one's flow trunk",
        )


def _fields_of_another_model(config) -> Iterator[tuple[str, str]]:
    """See `_contradictions`."""
    kind = config.model.WhichOneof("model")
    for reader, names in READ_BY_ONE.items():
        for name in names if reader != kind else ():
            message, _, field = name.partition(".")
            if _is_set(getattr(config, message), field):
                yield (
                    name,
                    f"{name} is set and the model is {kind}: only {reader} reads it, leave it out",
                )


def _samples_without_people(model) -> Iterator[tuple[str, str]]:
    """See `_contradictions`."""
    for size, fraction in (
        ("first_stage_minibatch_size", "first_stage_positive_balance_fraction"),
        ("second_stage_batch_size", "second_stage_balance_fraction"),
    ):
        if int(getattr(model, size) * getattr(model, fraction)) < 1:
            yield (
                f"model.action_faster_rcnn.{fraction}",
                f"{size} is {getattr(model, size)} and {fraction} is "
                f"{getattr(model, fraction):g}: no person would ever be sampled, their product "
                "must be at least 1",
            )


def _contradictions(config) -> Iterator[tuple[str, str]]:
    """Pairs of fields that do not go together: (where to look, what is wrong)."""
    model, prefix = config.model.action_faster_rcnn, "model.action_faster_rcnn."
    low, high = model.first_stage_unmatched_threshold, model.first_stage_matched_threshold
    if low > high:
        yield (
            prefix + "first_stage_unmatched_threshold",
            f"first_stage_unmatched_threshold is {low:g} and first_stage_matched_threshold is "
            f"{high:g}: the first must not exceed the second",
        )
    if model.initial_crop_size < model.maxpool_kernel_size:
        yield (
            prefix + "initial_crop_size",
            f"initial_crop_size is {model.initial_crop_size} and maxpool_kernel_size is "
            f"{model.maxpool_kernel_size}: the crop must be as large as the pool's kernel",
        )
    yield from _samples_without_people(model)
    train = config.train_config
    yield from _two_stream_contradictions(config)
    yield from config_trunk_checks.contradictions(config)
    yield from _fields_of_another_model(config)
    if train.gradient_accumulation_steps and train.batch_size % train.gradient_accumulation_steps:
        yield (
            "train_config.gradient_accumulation_steps",
            f"train_config.batch_size is {train.batch_size} and gradient_accumulation_steps is "
            f"{train.gradient_accumulation_steps}: the first must be a multiple of the second",
        )
    if config.eval_input_reader.HasField("shuffle") and config.eval_input_reader.shuffle:
        yield (
            "eval_input_reader.shuffle",
            "eval_input_reader.shuffle is true: evaluation reads its records in their order, set "
            "it to false or leave it out",
        )
    evaluation = config.eval_config
    kind = config.model.WhichOneof("model")
    computed = CLASSIFICATION_METRICS if kind == "video_classifier" else DETECTION_METRICS
    wanted = evaluation.best_checkpoint_metric
    if evaluation.HasField("best_checkpoint_metric") and wanted not in computed:
        yield (
            "eval_config.best_checkpoint_metric",
            f"best_checkpoint_metric is '{wanted}' and the model is {kind}: expected "
            f"{' or '.join(computed)}",
        )
    metrics_set = "ava_frame_map"
    if evaluation.best_checkpoint_metric.startswith("person_AP"):
        metrics_set = "action_agnostic_localization"
    if evaluation.metrics_set and metrics_set not in evaluation.metrics_set:
        yield (
            "eval_config.metrics_set",
            f"best_checkpoint_metric is '{evaluation.best_checkpoint_metric}', which is computed "
            f"only if metrics_set holds '{metrics_set}': add it or choose another metric",
        )
    for optimizer in (train.optimizer.momentum_optimizer, train.optimizer.adam_optimizer):
        cosine = optimizer.learning_rate.cosine_decay_learning_rate
        total = cosine.total_steps or train.num_steps
        given = optimizer.learning_rate.WhichOneof("learning_rate") and cosine.ListFields()
        if given and cosine.warmup_steps >= total:
            yield (
                "train_config.optimizer",
                f"warmup_steps is {cosine.warmup_steps} and total_steps is {total}: "
                "warm-up must end before the last step",
            )
        steps = [entry.step for entry in optimizer.learning_rate.manual_step_learning_rate.schedule]
        if steps != sorted(set(steps)):
            yield "train_config.optimizer", f"schedule steps are {steps}: expected ascending ones"
    for option in train.data_augmentation_options:
        crop = option.random_crop_image
        for first, second in (("min_area", "max_area"), ("min_aspect_ratio", "max_aspect_ratio")):
            if getattr(crop, first) > getattr(crop, second):
                yield (
                    f"train_config.data_augmentation_options.random_crop_image.{first}",
                    f"{first} is {getattr(crop, first):g} and {second} is "
                    f"{getattr(crop, second):g}: the first must not exceed the second",
                )
