"""A trunk that does not fit is refused with file and line, before anything is built."""

import pathlib
import re

import pytest

from avatx import config
from avatx.errors import UserError
from avatx.trunks import model_garden
from avatx.trunks.strides import OUTPUT_STRIDES

PLAYGROUND = pathlib.Path(__file__).parents[2] / "configs/playground"
I3D = 'i3d { final_endpoint: "Mixed_4f" depth_multiplier: 0.25 }'
HEAD = "model.action_faster_rcnn.second_stage_box_predictor="


def load(tmp_path, trunk, overrides=(), name="tx_highres_r64"):
    """A shipped config with `trunk` in place of its trunk's network; errors must name its line."""
    text = (PLAYGROUND / f"{name}.config").read_text()
    assert text.count(I3D) == 1
    line = text[: text.index(I3D)].count("\n") + 1
    path = tmp_path / "pipeline.config"
    path.write_text(text.replace(I3D, trunk).replace("      batch_norm: FROZEN\n", ""))
    try:
        return config.load(str(path), overrides)
    except UserError as error:
        assert str(error).startswith(f"{path}:{line}: "), str(error)
        raise


@pytest.mark.parametrize(
    "flow, strides",
    [
        ('i3d { final_endpoint: "Mixed_3c" }', "(4, 16, 16) and flow of (2, 8, 8)"),
        ("movinet {}", "(4, 16, 16) and flow of (1, 16, 16)"),
    ],
)
def test_two_streams_of_different_strides(flow, strides, tmp_path):
    with pytest.raises(UserError, match=re.escape(f"output stride of {strides}")):
        load(tmp_path, f"two_stream {{ rgb {{ {I3D} }} flow {{ {flow} }} }}")


def test_two_streams_of_one_stride_may_be_of_two_kinds(tmp_path):
    assert load(tmp_path, f"two_stream {{ rgb {{ {I3D} }} flow {{ resnet_3d {{}} }} }}")


@pytest.mark.parametrize("head", ["i3d_box_predictor {}", "tx_i3d_box_predictor { tx {} i3d {} }"])
@pytest.mark.parametrize("endpoint", ["Mixed_5c", "Conv3d_2b_1x1"])
def test_a_head_that_needs_a_tail_and_a_trunk_that_leaves_none(head, endpoint, tmp_path):
    trunk = f'i3d {{ final_endpoint: "{endpoint}" }}'
    for text in (trunk, f"two_stream {{ rgb {{ {trunk} }} flow {{ {trunk} }} }}"):
        assert load(tmp_path, text)  # under the Tx head, which needs none
        with pytest.raises(UserError, match=f"'{endpoint}' and {head.split()[0]} runs"):
            load(tmp_path, text, [f"{HEAD}{{ {head} }}"])


def test_a_classifier_needs_a_tail(tmp_path):
    with pytest.raises(UserError, match="'Mixed_5c' and video_classifier runs"):
        load(tmp_path, 'i3d { final_endpoint: "Mixed_5c" }', name="pretrain_i3d")


def test_the_strides_are_the_trunks():
    assert model_garden.Resnet3D(50).output_stride == OUTPUT_STRIDES["resnet_3d"] == (4, 16, 16)
    assert model_garden.Movinet("a0").output_stride == OUTPUT_STRIDES["movinet"] == (1, 16, 16)
    assert len(OUTPUT_STRIDES) == 2
