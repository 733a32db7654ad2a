"""Which fields of two configs differ, and how that is said."""

import pathlib

import pytest
from google.protobuf import text_format

from avatx import config
from avatx.config.differences import differences

DEMO = str(pathlib.Path(__file__).parents[2] / "configs" / "playground" / "demo.config")
MODEL = "model.action_faster_rcnn"


def changed(*overrides):
    before = text_format.MessageToString(config.load(DEMO))
    return [tuple(found) for found in differences(before, config.load(DEMO, overrides))]


@pytest.mark.parametrize(
    "override, expected",
    [
        ("train_config.num_steps=1900", ("train_config.num_steps", "2100", "1900")),
        ("train_config.precision=BFLOAT16", ("train_config.precision", "FLOAT32", "BFLOAT16")),
        ("eval_config.protocol=AVA_2018", ("eval_config.protocol", "'AVA_2020'", "'AVA_2018'")),
        (
            f"{MODEL}.first_stage_anchor_generator.grid_anchor_generator.scales=[0.5, 2]",
            (
                f"{MODEL}.first_stage_anchor_generator.grid_anchor_generator.scales",
                "[0.5, 0.75, 1, 1.5]",
                "[0.5, 2]",
            ),
        ),
        (f"{MODEL}.trunk.movinet={{}}", (f"{MODEL}.trunk", "i3d", "movinet")),
        (
            "train_config.data_augmentation_options={ random_horizontal_flip {} }",
            (
                "train_config.data_augmentation_options",
                "[{random_horizontal_flip { }}, {random_crop_image { min_a...",
                "[{random_horizontal_flip { }}]",
            ),
        ),
        (
            f"{MODEL}.clip.frame_settings.shorter_side=256",
            (f"{MODEL}.clip.frame_settings.shorter_side", "0", "256"),
        ),
    ],
)
def test_a_field_that_differs(override, expected):
    assert changed(override) == [expected]


def test_the_same_and_what_is_set_to_its_default():
    assert changed() == []
    assert changed("train_config.seed=0", "train_config.precision=FLOAT32") == []


@pytest.mark.parametrize("before", ["", "# nothing\n", "no config {{{", "future_field: 3"])
def test_what_is_no_config_differs_in_nothing(before):
    assert differences(before, config.load(DEMO)) == []
