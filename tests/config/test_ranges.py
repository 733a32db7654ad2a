"""Every range of every field: its bounds are taken, what lies just outside is refused.

`ranges` and `required` below are the only places here that know where these are kept.
"""

import pathlib
from typing import NamedTuple

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor

from avatx.config import checks as config_checks
from avatx.config import schema
from avatx.errors import UserError
from avatx.protos import action_faster_rcnn_pb2, pipeline_pb2

ROOT = pathlib.Path(__file__).parents[2]


class FieldRange(NamedTuple):
    """What a field may hold; None is no bound, an open bound is refused itself."""

    message: str  # as in the .proto
    field: str
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool

    def __str__(self):
        return f"{self.message}.{self.field}"


def ranges():
    """Every range that a config is checked against."""
    for message in schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR):
        for field in message.fields:
            one = schema.range_of(field)
            if one is not None:
                yield FieldRange(
                    message.name, field.name, one.low, one.high, one.low_open, one.high_open
                )


def required(message: str) -> tuple[str, ...]:
    """Fields (or oneofs) of a message that must be set."""
    kinds = schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)
    descriptor = next(kind for kind in kinds if kind.name == message)
    fields = [field.name for field in descriptor.fields if schema.is_required(field)]
    return (*fields, *(oneof.name for oneof in descriptor.oneofs))


# The literal ranges, so that one that is loosened (or tightened) is noticed: [a, b] in words.
FRACTION, UNDER_ONE, ABOVE_ZERO_TO_ONE = "[0, 1]", "[0, 1)", "(0, 1]"
COUNT, NOT_NEGATIVE, POSITIVE = "[1, ...", "[0, ...", "(0, ..."
EXPECTED = {
    "ExternalBoxes.score_threshold": FRACTION,
    "ExternalBoxes.max_number_of_boxes": "[1, 100000]",
    "TrainConfig.steps_per_loop": COUNT,
    "InputReader.open_segments": "[1, 100000]",
    "InputReader.num_parallel_decodes": "[0, 1024]",
    "InputReader.max_skipped_share": FRACTION,
    "AdamOptimizer.beta_1": UNDER_ONE,
    "AdamOptimizer.beta_2": UNDER_ONE,
    "AdamwOptimizer.epsilon": POSITIVE,
    "AdamwOptimizer.beta_1": UNDER_ONE,
    "AdamwOptimizer.beta_2": UNDER_ONE,
    "FrameSettings.shorter_side": NOT_NEGATIVE,
    "FrameSettings.folder_frame_rate": "(0, 1e+06)",
    "FrameSettings.max_frame_rate": "[0, 1e+06)",
    "FrameSettings.video_start_seconds": "(-1e+09, 1e+09)",
    "ActionFasterRcnn.num_classes": "[1, 100000]",
    "ActionFasterRcnn.first_stage_box_predictor_kernel_size": "[1, 99]",
    "ActionFasterRcnn.first_stage_box_predictor_depth": "[1, 65536]",
    "ActionFasterRcnn.first_stage_minibatch_size": "[1, 1e+06]",
    "ActionFasterRcnn.first_stage_positive_balance_fraction": FRACTION,
    "ActionFasterRcnn.first_stage_matched_threshold": "(0, 1]",
    "ActionFasterRcnn.first_stage_unmatched_threshold": "(0, 1]",
    "ActionFasterRcnn.first_stage_nms_score_threshold": FRACTION,
    "ActionFasterRcnn.first_stage_nms_iou_threshold": FRACTION,
    "ActionFasterRcnn.first_stage_max_proposals": "[1, 100000]",
    "ActionFasterRcnn.first_stage_localization_loss_weight": NOT_NEGATIVE,
    "ActionFasterRcnn.first_stage_objectness_loss_weight": NOT_NEGATIVE,
    "ActionFasterRcnn.initial_crop_size": "[1, 1024]",
    "ActionFasterRcnn.maxpool_kernel_size": COUNT,
    "ActionFasterRcnn.maxpool_stride": "[1, 1024]",
    "ActionFasterRcnn.second_stage_batch_size": "[1, 100000]",
    "ActionFasterRcnn.second_stage_balance_fraction": FRACTION,
    "ActionFasterRcnn.second_stage_matched_threshold": "(0, 1]",
    "ActionFasterRcnn.second_stage_class_prediction_bias_init": "[-20, 20]",
    "ActionFasterRcnn.second_stage_localization_loss_weight": NOT_NEGATIVE,
    "ActionFasterRcnn.second_stage_classification_loss_weight": NOT_NEGATIVE,
    "ActionFasterRcnn.second_stage_focal_loss_gamma": "[0, 100]",
    "ActionFasterRcnn.second_stage_focal_loss_alpha": "(0, 1)",
    "ActionFasterRcnn.second_stage_hidden_depth": "[0, 65536]",
    "LearningRateMultiplier.multiplier": "[0, 1e+06]",
    "VideoClassifier.num_classes": "[1, 100000]",
    "VideoClassifier.dropout": UNDER_ONE,
    "LocationEmbedding.depth": "[0, 65536]",
    "Clip.num_frames": "[1, 10000]",
    "Clip.frame_rate": "[0.001, 1000]",
    "FixedShapeResizer.height": "[16, 16384]",
    "FixedShapeResizer.width": "[16, 16384]",
    "Trunk.batch_norm_momentum": FRACTION,
    "I3d.depth_multiplier": "(0, 100]",
    "GridAnchorGenerator.height": COUNT,
    "GridAnchorGenerator.width": COUNT,
    "GridAnchorGenerator.height_stride": NOT_NEGATIVE,
    "GridAnchorGenerator.width_stride": NOT_NEGATIVE,
    "GridAnchorGenerator.scales": POSITIVE,
    "GridAnchorGenerator.aspect_ratios": POSITIVE,
    "TxBoxPredictor.num_layers": "[1, 1000]",
    "TxBoxPredictor.num_heads": "[1, 1024]",
    "TxBoxPredictor.depth": "[1, 65536]",
    "TxBoxPredictor.dropout": UNDER_ONE,
    "TxBoxPredictor.query_reduction_depth": "[1, 65536]",
    "TxBoxPredictor.feed_forward_depth": "[1, 1e+06]",
    "I3dBoxPredictor.dropout": UNDER_ONE,
    "BatchNonMaxSuppression.score_threshold": FRACTION,
    "BatchNonMaxSuppression.iou_threshold": FRACTION,
    "BatchNonMaxSuppression.max_detections_per_class": "[1, 100000]",
    "BatchNonMaxSuppression.max_total_detections": "[1, 1e+06]",
    "Optimizer.moving_average_decay": UNDER_ONE,
    "MomentumOptimizer.momentum_optimizer_value": UNDER_ONE,
    "AdamOptimizer.epsilon": POSITIVE,
    "ConstantLearningRate.learning_rate": NOT_NEGATIVE,
    "CosineDecayLearningRate.learning_rate_base": NOT_NEGATIVE,
    "CosineDecayLearningRate.warmup_learning_rate": NOT_NEGATIVE,
    "ManualStepLearningRate.initial_learning_rate": NOT_NEGATIVE,
    "Schedule.learning_rate": NOT_NEGATIVE,
    "RandomHorizontalFlip.probability": FRACTION,
    "RandomCropImage.min_aspect_ratio": POSITIVE,
    "RandomCropImage.max_aspect_ratio": POSITIVE,
    "RandomCropImage.min_area": ABOVE_ZERO_TO_ONE,
    "RandomCropImage.max_area": ABOVE_ZERO_TO_ONE,
    "RandomCropImage.overlap_threshold": FRACTION,
    "RandomCropImage.random_coef": FRACTION,
    "RandomColor.max_brightness_delta": FRACTION,
    "RandomColor.contrast": FRACTION,
    "RandomColor.saturation": FRACTION,
    "TrainConfig.batch_size": "[1, 100000]",
    "TrainConfig.gradient_accumulation_steps": COUNT,
    "TrainConfig.num_steps": COUNT,
    "TrainConfig.gradient_clipping_by_norm": NOT_NEGATIVE,
    "TrainConfig.weight_decay": NOT_NEGATIVE,
    "TrainConfig.max_number_of_boxes": "[1, 10000]",
    "TrainConfig.checkpoint_interval": COUNT,
    "TrainConfig.max_checkpoints_to_keep": COUNT,
    "TrainConfig.summary_interval": COUNT,
    "TrainConfig.max_loss": POSITIVE,
    "EvalConfig.batch_size": "[1, 100000]",
    "EvalConfig.num_test_clips": "[1, 1000]",
    "EvalConfig.num_test_crops": "[1, 100]",
    "EvalConfig.iou_threshold": ABOVE_ZERO_TO_ONE,
    "EvalConfig.num_visualizations": "[0, 100]",
    "InputReader.shuffle_buffer_size": "[1, 1e+07]",
    "InputReader.num_readers": "[1, 1024]",
}

REQUIRED_VALUES = {
    "ActionFasterRcnn.num_classes": 4,
    "VideoClassifier.num_classes": 4,
    "FixedShapeResizer.height": 64,
    "FixedShapeResizer.width": 64,
    "TrainConfig.batch_size": 12,
    "TrainConfig.num_steps": 3000,
    "Schedule.step": 5,
    "Schedule.learning_rate": 0.1,
    "LearningRateMultiplier.pattern": "kernel",
    "LearningRateMultiplier.multiplier": 0.5,
    "GridAnchorGenerator.scales": [1.0],
    "GridAnchorGenerator.aspect_ratios": [1.0],
    "InputReader.label_map_path": "map",
    "TFRecordInputReader.input_path": ["records"],
}
# Which field of its parent leads to a message, where a oneof or two fields leave the choice.
CHOSEN = {
    "DetectionModel.model": "action_faster_rcnn",
    "Trunk.trunk_oneof": "i3d",
    "BoxPredictor.box_predictor_oneof": "tx_box_predictor",
    "Optimizer.optimizer": "momentum_optimizer",
    "LearningRate.learning_rate": "constant_learning_rate",
    "PreprocessingStep.preprocessing_step": "random_horizontal_flip",
}


def is_repeated(field) -> bool:
    return schema.is_repeated(field)


def path_to(name, descriptor=pipeline_pb2.PipelineConfig.DESCRIPTOR, seen=()):
    """The fields that lead from PipelineConfig to a message of this name, the shortest way."""
    if descriptor.name == name:
        return []
    ways = []
    for field in descriptor.fields:
        inner = field.message_type
        if inner is not None and inner.full_name not in seen:
            way = path_to(name, inner, (*seen, descriptor.full_name))
            if way is not None:
                ways.append([field, *way])
    return min(ways, key=len, default=None)


def all_messages(descriptor) -> set[str]:
    """Names of the messages that a config may hold."""
    found, todo = set(), [descriptor]
    while todo:
        one = todo.pop()
        if one.name not in found:
            found.add(one.name)
            todo += [field.message_type for field in one.fields if field.message_type is not None]
    return found


def fill(message, way=()):
    """Sets what is required; goes along `way` where a oneof leaves the choice. Gives its end."""
    end = message
    for field in message.DESCRIPTOR.fields:
        if f"{message.DESCRIPTOR.name}.{field.name}" in REQUIRED_VALUES and not is_repeated(field):
            setattr(message, field.name, REQUIRED_VALUES[f"{message.DESCRIPTOR.name}.{field.name}"])
        elif f"{message.DESCRIPTOR.name}.{field.name}" in REQUIRED_VALUES:
            values = REQUIRED_VALUES[f"{message.DESCRIPTOR.name}.{field.name}"]
            getattr(message, field.name).extend(values)
    needed = list(required(message.DESCRIPTOR.name))
    if way:
        needed.append(way[0].name)
    done = set()
    for name in needed:
        oneof = message.DESCRIPTOR.oneofs_by_name.get(name)
        if oneof is not None:
            on_the_way = bool(way) and way[0].containing_oneof is oneof
            name = (
                way[0].name
                if on_the_way
                else CHOSEN.get(f"{message.DESCRIPTOR.name}.{name}", oneof.fields[0].name)
            )
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is None or name in done:
            continue
        done.add(name)
        inner = getattr(message, name)
        if is_repeated(field):
            inner = inner.add()
        else:
            inner.SetInParent()
        below = fill(inner, way[1:] if way and way[0].name == name else ())
        if way and way[0].name == name:
            end = below
    return end


def sample(name):
    """A config that passes every check, and the message of this name in it."""
    whole = pipeline_pb2.PipelineConfig()
    message = fill(whole, path_to(name))
    if name == "ExternalBoxes":
        message.input_path[:] = ["people.csv"]
        whole.model.action_faster_rcnn.proposal_source = action_faster_rcnn_pb2.EXTERNAL
    return whole, message


def put(message, field, value):
    if is_repeated(message.DESCRIPTOR.fields_by_name[field]):
        del getattr(message, field)[:]
        getattr(message, field).append(value)
    else:
        setattr(message, field, value)


def mend(whole, message, field, value):
    """Makes the fields agree that must agree with the changed one."""
    model = whole.model.action_faster_rcnn
    if field in ("first_stage_matched_threshold", "first_stage_unmatched_threshold"):
        model.first_stage_unmatched_threshold = value
        model.first_stage_matched_threshold = value
    if "focal_loss" in field:
        model.second_stage_classification_loss = action_faster_rcnn_pb2.SIGMOID_FOCAL
    if field == "initial_crop_size":
        model.maxpool_kernel_size = 1
    for size, fraction in (
        ("first_stage_minibatch_size", "first_stage_positive_balance_fraction"),
        ("second_stage_batch_size", "second_stage_balance_fraction"),
    ):
        if field == size:
            setattr(model, fraction, 1.0)
    for first, second in (("min_area", "max_area"), ("min_aspect_ratio", "max_aspect_ratio")):
        if field in (first, second):
            setattr(message, first, value)
            setattr(message, second, value)
    if message.DESCRIPTOR.name == "EvalConfig" and field.startswith("num_test_"):
        whole.model.Clear()
        whole.model.video_classifier.SetInParent()
        fill(whole.model.video_classifier)


# Fractions that sample nobody at 0 are refused by another rule (_samples_without_people).
REFUSED_BY_ANOTHER_RULE = {
    ("ActionFasterRcnn.first_stage_positive_balance_fraction", 0.0),
    ("ActionFasterRcnn.second_stage_balance_fraction", 0.0),
}


def verdict(one, value, alone=False):
    """None where the config is taken, else what is said; `alone`: no other field follows suit."""
    whole, message = sample(one.message)
    put(message, one.field, value)
    if not alone:
        mend(whole, message, one.field, value)
    try:
        config_checks.check(whole, "file", {})
    except UserError as error:
        return str(error)
    return None


def is_float(one) -> bool:
    _, message = sample(one.message)
    return message.DESCRIPTOR.fields_by_name[one.field].cpp_type == FieldDescriptor.CPPTYPE_FLOAT


def steps(one):
    """(the next number above, the next below) a value, as the field keeps them."""
    if is_float(one):
        return (
            lambda value: float(np.nextafter(np.float32(value), np.float32(np.inf))),
            lambda value: float(np.nextafter(np.float32(value), np.float32(-np.inf))),
        )
    return (lambda value: int(value) + 1), (lambda value: int(value) - 1)


def fits(one, value) -> bool:
    """Whether the field can hold the value at all."""
    _, message = sample(one.message)
    field = message.DESCRIPTOR.fields_by_name[one.field]
    return value >= 0 or field.cpp_type != FieldDescriptor.CPPTYPE_UINT32


ALL = list(ranges())


def test_the_ranges_are_these():
    found = {}
    for one in ALL:
        low = f"{'(' if one.low_open else '['}{one.low:g}, "
        found[str(one)] = low + (
            "..." if one.high is None else f"{one.high:g}{')' if one.high_open else ']'}"
        )
    assert found == EXPECTED


@pytest.mark.parametrize("one", ALL, ids=str)
def test_a_range(one):
    above, below = steps(one)
    kind = float if is_float(one) else int
    inside, outside = [], []
    if one.low is not None:
        (outside if one.low_open else inside).append(kind(one.low))
        inside.append(above(one.low))
        outside.append(below(one.low))
    if one.high is not None:
        (outside if one.high_open else inside).append(kind(one.high))
        inside.append(below(one.high))
        outside.append(above(one.high))
    if is_float(one):
        outside += [float("nan"), float("inf"), float("-inf")]
    for value in inside:
        found = verdict(one, value)
        if (str(one), value) in REFUSED_BY_ANOTHER_RULE:
            assert "no person would ever be sampled" in found
        elif found is not None and value == above(one.low) and "no person would" in found:
            assert "fraction" in one.field  # the smallest fraction samples nobody either
        else:
            assert found is None, (value, found)
    for value in outside:
        if fits(one, value):
            found = verdict(one, value, alone=True)
            assert found is not None, value
            assert one.field in found and "expected" in found, found


@pytest.mark.parametrize(
    "one", [one for one in ALL if one.field in ("scales", "aspect_ratios")], ids=str
)
def test_every_element_of_a_list_is_looked_at(one):
    for values in ([1.0, 2.0, 0.0], [0.0, 1.0], [1.0, -1.0, 2.0]):
        whole, message = sample(one.message)
        del getattr(message, one.field)[:]
        getattr(message, one.field).extend(values)
        with pytest.raises(UserError, match=f"{one.field} is (0|-1): expected more than 0"):
            config_checks.check(whole, "file", {})


@pytest.mark.parametrize(
    "name, values",
    [
        ("TrainConfig.fine_tune_checkpoint_type", ["classification", "detection"]),
        ("Resnet3d.model_id", [50, 101, 152, 200, 270]),
        ("Movinet.model_id", ["a0", "a1", "a2", "a3", "a4", "a5"]),
        ("EvalConfig.protocol", ["AVA_2020", "AVA_2019", "AVA_2018"]),
        ("EvalConfig.metrics_set", ["ava_frame_map", "action_agnostic_localization"]),
        ("EvalConfig.best_checkpoint_metric", ["mAP", "person_AP", "person_AP_75"]),
    ],
)
def test_choices(name, values):
    kind, field = name.split(".")
    for value in values:
        whole, message = sample(kind)
        put(message, field, value)
        if name == "EvalConfig.metrics_set" and value == "action_agnostic_localization":
            message.best_checkpoint_metric = "person_AP"
        config_checks.check(whole, "file", {})
    whole, message = sample(kind)
    put(message, field, 34 if isinstance(values[0], int) else f"{values[0]}x")
    with pytest.raises(UserError, match=f"{field} is '"):
        config_checks.check(whole, "file", {})


def test_what_must_be_set():
    """Each required field in turn is left out."""
    left_out = 0
    for kind in sorted(all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)):
        for name in required(kind):
            if kind == "PipelineConfig":
                whole, message = pipeline_pb2.PipelineConfig(), None
            else:
                whole, message = sample(kind)
                if name in message.DESCRIPTOR.oneofs_by_name:
                    message.ClearField(message.WhichOneof(name))
                else:
                    message.ClearField(name)
            with pytest.raises(UserError, match="is missing"):
                config_checks.check(whole, "file", {})
            left_out += 1
    assert left_out >= 37
