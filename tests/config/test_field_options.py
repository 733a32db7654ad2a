"""What the schema says of its fields, and that a config which breaks it is refused."""

import pathlib

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from avatx import registrations
from avatx.config import schema
from avatx.config.checks import problems_of
from avatx.evaluation.metrics import METRICS_SETS
from avatx.protos import (
    box_predictor_pb2,
    eval_pb2,
    optimizer_pb2,
    pipeline_pb2,
    trunk_pb2,
    video_classifier_pb2,
)
from avatx.trunks import i3d_endpoints, model_garden

MESSAGES = schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)
FIELDS = [field for message in MESSAGES for field in message.fields]
META_ARCHITECTURES = registrations.names()
ROOT = pathlib.Path(__file__).parents[2]


def field_of(message, name):
    return message.DESCRIPTOR.fields_by_name[name]


def problems(field, value):
    """What is said of `field` when it holds `value`."""
    message = GetMessageClass(field.containing_type)()
    if schema.is_repeated(field):
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)
    return [problem for name, problem in problems_of(message) if name == field.name]


def neighbour(field, limit, direction):
    """The nearest number beyond `limit`; None where the field cannot hold it."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return float(np.nextafter(np.float32(limit), np.float32(direction * np.inf)))
    beyond = int(limit) + direction
    return None if field.cpp_type == FieldDescriptor.CPPTYPE_UINT32 and beyond < 0 else beyond


RANGED = [field for field in FIELDS if schema.range_of(field)]


@pytest.mark.parametrize("field", RANGED, ids=lambda field: field.full_name)
def test_a_limit_is_kept_and_what_lies_just_outside_is_refused(field):
    limits = schema.range_of(field)
    assert limits.low is not None or limits.high is not None
    for limit, is_open, outwards in (
        (limits.low, limits.low_open, -1),
        (limits.high, limits.high_open, 1),
    ):
        if limit is None:
            continue
        number = float if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT else int
        at, outside = number(limit), neighbour(field, limit, outwards)
        inside = neighbour(field, limit, -outwards)
        assert not problems(field, inside)
        if is_open:
            assert problems(field, at) == [f"{field.name} is {at:g}: expected {limits}"]
        else:
            assert not problems(field, at)
        if outside is not None:
            assert problems(field, outside) == [f"{field.name} is {outside:g}: expected {limits}"]


@pytest.mark.parametrize(
    "message, field, right, wrong",
    [
        (box_predictor_pb2.TxBoxPredictor, "num_heads", (1,), (0, -1)),
        (box_predictor_pb2.TxBoxPredictor, "dropout", (0.0, 0.99), (-0.01, 1.0, float("nan"))),
        (eval_pb2.EvalConfig, "iou_threshold", (0.01, 1.0), (0.0, 1.01)),
        (eval_pb2.EvalConfig, "num_visualizations", (0, 100), (101,)),
        (optimizer_pb2.AdamOptimizer, "beta_2", (0.0, 0.999), (1.0,)),
        (optimizer_pb2.AdamOptimizer, "epsilon", (1e-8,), (0.0, float("inf"))),
        (trunk_pb2.Resnet3d, "model_id", (50, 270), (51,)),
        (trunk_pb2.Movinet, "model_id", ("a0",), ("a6", "")),
        (eval_pb2.EvalConfig, "metrics_set", ("ava_frame_map",), ("AVA",)),
    ],
)
def test_by_hand(message, field, right, wrong):
    assert not any(problems(field_of(message, field), value) for value in right)
    assert all(problems(field_of(message, field), value) for value in wrong)


def test_a_missing_field_and_an_empty_oneof_are_named():
    found = list(problems_of(video_classifier_pb2.VideoClassifier(num_classes=3)))
    assert [problem for _, problem in found] == [
        "clip is missing",
        "image_resizer is missing",
        "trunk is missing",
    ]
    names = "constant_learning_rate or cosine_decay_learning_rate or manual_step_learning_rate"
    missing = list(problems_of(optimizer_pb2.LearningRate()))
    assert missing == [("learning_rate", f"{names} is missing")]


def test_defaults_are_right_themselves():
    wrong = []
    for message in MESSAGES:
        for name, problem in problems_of(GetMessageClass(message)()):
            required = name in message.oneofs_by_name or schema.is_required(
                message.fields_by_name[name]
            )
            if not required:
                wrong.append(f"{message.name}.{problem}")
    assert not wrong


def test_options_fit_their_fields():
    for field in FIELDS:
        numeric = schema.is_number(field)
        assert numeric or not (schema.range_of(field) or schema.unit_of(field)), field.full_name
        assert schema.read_by(field) in ("", *META_ARCHITECTURES), field.full_name
        if schema.is_required(field):
            assert not field.has_default_value, f"{field.full_name} is required and has a default"


def test_choices_are_those_of_the_code():
    endpoint = field_of(trunk_pb2.I3d, "final_endpoint")
    assert schema.choices_of(endpoint) == tuple(i3d_endpoints.ENDPOINTS)
    metrics_sets = field_of(eval_pb2.EvalConfig, "metrics_set")
    assert schema.choices_of(metrics_sets) == tuple(METRICS_SETS)
    # Which metrics there are is said by the registrations alone; the comment names them all.
    metric = field_of(eval_pb2.EvalConfig, "best_checkpoint_metric")
    assert schema.choices_of(metric) == ()
    text = (ROOT / "protos" / "eval.proto").read_text().partition(" best_checkpoint_metric ")[0]
    comment = text.rpartition("\n\n")[2]
    for name in registrations.names():
        assert all(metric in comment for metric in registrations.find(name).metrics)
    ids = schema.choices_of(field_of(trunk_pb2.Resnet3d, "model_id"))
    assert ids == tuple(map(str, model_garden.RESNET_3D_IDS))
    assert schema.choices_of(field_of(trunk_pb2.Movinet, "model_id")) == model_garden.MOVINET_IDS
