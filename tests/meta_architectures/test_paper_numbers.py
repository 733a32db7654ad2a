"""The parameter counts of the paper's table 1 (80 classes), trunk and RPN included."""

import pathlib

import numpy as np
import pytest

from avatx import config
from avatx.builders import model_builder

CONFIGS = pathlib.Path(__file__).parents[2] / "configs/ava"
# Row -> (config, millions of parameters in the paper; it gives none for Tx + I3D).
ROWS = {
    "I3D trunk, I3D head": ("i3d_r64", 16.2),
    "I3D trunk, Tx LowRes": ("tx_lowres_r64", 13.9),
    "I3D trunk, Tx HighRes": ("tx_highres_r64", 19.3),
    "I3D trunk, Tx + I3D": ("tx_i3d_r300", None),
}


def count(part):
    return sum(int(np.prod(v.shape)) for v in part.trainable_variables)


@pytest.fixture(scope="module", name="models")
def fixture_models():
    return {
        row: model_builder.build(config.load(str(CONFIGS / f"{name}.config")).model)
        for row, (name, _) in ROWS.items()
    }


def test_parameters_are_the_papers(models, capsys):
    lines = [f"{'':24}{'trunk':>12}{'RPN':>12}{'head':>12}{'total':>9}{'paper':>9}"]
    for row, (_, paper) in ROWS.items():
        model = models[row]
        parts = (model.trunk, model.proposal_stage, model.box_predictor)
        lines.append(
            f"{row:24}"
            + "".join(f"{count(part):12,}" for part in parts)
            + f"{count(model) / 1e6:7.2f} M"
            + (f"{paper:7.1f} M" if paper else f"{'-':>9}")
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    for row, (_, paper) in ROWS.items():
        assert count(models[row].trunk) == 7_518_272 + 4_992
        assert count(models[row].proposal_stage) == 3_871_304
        if paper:
            assert abs(count(models[row]) / 1e6 - paper) < 0.1, row


def test_both_heads_are_the_parts_that_are_used(models):
    """Tx + I3D is both heads without Tx's box layer and without I3D's class layer."""
    tx, i3d, both = (
        count(models[f"I3D trunk, {head}"].box_predictor)
        for head in ("Tx HighRes", "I3D head", "Tx + I3D")
    )
    assert both == tx + i3d - (256 + 1) * 4 - (1024 + 1) * 81


def test_the_tail_is_kinetics(models):
    assert count(models["I3D trunk, I3D head"].box_predictor.tail) == 4_754_432 + 2_288
