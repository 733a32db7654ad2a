"""A variable's name says where in the model it is: `learning_rate_multiplier` goes by it."""

import pathlib
import re

import pytest
from google.protobuf import text_format

from avatx import config
from avatx.builders import model_builder, summary
from avatx.errors import UserError

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SMALL = "i3d { depth_multiplier: 0.05 }"
TRUNKS = {
    "i3d": SMALL,
    "movinet": 'movinet { model_id: "a0" }',
    "resnet_3d": "resnet_3d { model_id: 50 }",
    "two_stream": f"two_stream {{ rgb {{ {SMALL} }} flow {{ {SMALL} }} }}",
}


def names_by_part(trunk: str, head: str) -> dict[str, list[str]]:
    message = config.load(CONFIGS / "playground" / f"{head}.config").model
    message.action_faster_rcnn.trunk.Clear()
    text_format.Merge(trunk, message.action_faster_rcnn.trunk)
    model = model_builder.build(message)
    model.create_variables()
    parts = ("trunk", "proposal_stage", "box_predictor")
    found = {part: [v.name for v in getattr(model, part).trainable_variables] for part in parts}
    assert sum(map(len, found.values())) == len(model.trainable_variables)
    return found


def plain(names: list[str]) -> list[str]:
    """Without Keras's numbers, which count over a process: Model Garden's ResNet names no layer."""
    return [
        re.sub(r"(batch_normalization|conv3d|self_gating)_\d+/", r"\1/", name) for name in names
    ]


@pytest.mark.parametrize("kind", TRUNKS)
def test_names_are_unique_begin_with_the_part_and_do_not_depend_on_other_models(kind):
    first = names_by_part(TRUNKS[kind], "tx_i3d_r300")
    for part, names in first.items():
        assert names and all(name.startswith(f"{part}/") for name in names), part
    together = sum(first.values(), [])
    assert len(set(together)) == len(together)
    again = names_by_part(TRUNKS[kind], "tx_i3d_r300")
    assert {part: plain(names) for part, names in again.items()} == {
        part: plain(names) for part, names in first.items()
    }


@pytest.mark.parametrize("head", ["i3d_r64", "tx_lowres_r64", "tx_highres_r64"])
def test_of_every_head(head):
    names = names_by_part(SMALL, head)["box_predictor"]
    assert len(set(names)) == len(names) and all(re.match("box_predictor/", n) for n in names)


def test_config_check_says_what_training_would():
    """Which pattern finds nothing, and that what is frozen has to come from somewhere."""
    demo = str(CONFIGS / "playground" / "demo.config")
    field = "train_config.optimizer.learning_rate_multiplier"
    frozen = "model.action_faster_rcnn.trunk.batch_norm=FROZEN"
    loaded = config.load(demo, [field + '={ pattern: "^box_predictor/" multiplier: 0.5 }', frozen])
    found = summary.summarize(loaded)
    assert found["schedule"]["learning_rate_multipliers"] == {"^box_predictor/": 0.5}
    (note,) = found["notes"]
    assert "training from scratch, with batch_norm FROZEN: its statistics stay 0 and 1" in note
    assert summary.summarize(config.load(demo))["notes"] == [
        "fine_tune_checkpoint is empty: training from scratch"
    ]
    nothing = config.load(demo, [field + '={ pattern: "^head/" multiplier: 0.5 }'])
    with pytest.raises(UserError, match=f"{field}.pattern '.head/': found in no trained variable"):
        summary.summarize(nothing)
