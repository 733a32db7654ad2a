"""A dataclass filled from a message, by name."""

import dataclasses
import enum
import inspect

import pytest

from avatx.builders.options import fields_of, options_from
from avatx.predictors.box_predictor import BoxPredictor
from avatx.protos import (
    action_faster_rcnn_pb2,
    anchor_generator_pb2,
    box_predictor_pb2,
    trunk_pb2,
)
from avatx.trunks.i3d import I3D
from avatx.trunks.model_garden import Resnet3D


class Query(enum.Enum):
    HIGH_RES = "high"
    LOW_RES = "low"


@dataclasses.dataclass(frozen=True)
class Head:
    num_heads: int
    query: Query
    name: str


def test_fields_are_filled_by_name_and_enums_by_their_members():
    message = box_predictor_pb2.TxBoxPredictor(num_heads=3, query=box_predictor_pb2.LOW_RES)
    assert options_from(message, Head, name="tx") == Head(3, Query.LOW_RES, "tx")


def test_what_is_not_set_is_the_default_of_the_schema():
    head = options_from(box_predictor_pb2.TxBoxPredictor(), Head, name="tx")
    assert head == Head(2, Query.HIGH_RES, "tx")


def test_what_is_given_goes_before_the_message():
    head = options_from(box_predictor_pb2.TxBoxPredictor(), Head, name="tx", num_heads=7)
    assert head.num_heads == 7


def test_a_field_that_nothing_fills_is_named():
    with pytest.raises(TypeError, match=r"Head\.name: expected TxBoxPredictor to have such a"):
        options_from(box_predictor_pb2.TxBoxPredictor(), Head)


def test_a_field_that_the_dataclass_lacks_is_refused():
    with pytest.raises(TypeError, match="width"):
        options_from(box_predictor_pb2.TxBoxPredictor(), Head, name="tx", width=1)


def test_a_message_is_left_to_the_caller():
    with pytest.raises(TypeError, match=r"Boxes\.clip"):
        options_from(
            action_faster_rcnn_pb2.ActionFasterRcnn(),
            dataclasses.make_dataclass("Boxes", ["clip"]),
        )


def test_a_prefix_is_cut_off():
    kind = dataclasses.make_dataclass("Stage", ["batch_size", "matched_threshold"])
    message = action_faster_rcnn_pb2.ActionFasterRcnn(second_stage_batch_size=9)
    assert options_from(message, kind, "second_stage_") == kind(9, 0.5)


def test_repeated_fields_are_tuples_and_enums_names():
    grid = anchor_generator_pb2.GridAnchorGenerator(scales=[0.5, 2.0], height=7)
    fields = fields_of(grid)
    assert (fields["scales"], fields["aspect_ratios"], fields["height"]) == ((0.5, 2.0), (), 7)
    assert fields_of(box_predictor_pb2.TxBoxPredictor())["query"] == "HIGH_RES"


@pytest.mark.parametrize(
    "kind, message, prefix",
    [
        (I3D, trunk_pb2.I3d, ""),
        (I3D, trunk_pb2.Trunk, ""),
        (Resnet3D, trunk_pb2.Trunk, ""),
        (BoxPredictor, action_faster_rcnn_pb2.ActionFasterRcnn, "second_stage_"),
    ],
)
def test_a_class_that_is_used_without_a_config_too_has_the_schemas_defaults(kind, message, prefix):
    parameters = inspect.signature(kind.__init__).parameters
    compared = 0
    for name, value in fields_of(message(), prefix).items():
        if name in parameters:
            assert parameters[name].default == pytest.approx(value), name
            compared += 1
    assert compared >= 2
