"""Each contradiction in avatx/config/contradictions.py is refused, its nearest right text taken."""

import ast
import inspect
import pathlib
import re
from typing import NamedTuple

import pytest

from avatx import config
from avatx.config import contradictions, unread_fields
from avatx.errors import UserError

PLAYGROUND = pathlib.Path(__file__).parents[2] / "configs/playground"

# What is exchanged in the config: regular expressions.
MODEL = "first_stage_minibatch_size: 64"
TRUNK = r"trunk \{\n[^}]*\}[^}]*\}"
TRAIN = "batch_size: 8"
OPTIMIZER = r"optimizer \{\n.*?warmup_steps: 100.*?\n  \}"
CROP = "min_area: 0.6"
EVAL = r"(?<=eval_config \{)"
BEST = "best_checkpoint_metric: "

I3D = "i3d {}"
STREAMS = f"two_stream {{ rgb {{ {I3D} }} flow {{ {I3D} }} }}"
COSINE = (
    "optimizer { adam_optimizer { learning_rate { cosine_decay_learning_rate { "
    "learning_rate_base: 1 warmup_steps: @ } } } }"
)
MANUAL = (
    "optimizer { adam_optimizer { learning_rate { manual_step_learning_rate { "
    "initial_learning_rate: 1 schedule { step: 4 learning_rate: 1 } "
    "schedule { step: @ learning_rate: 1 } } } } }"
)


class Case(NamedTuple):
    """`text` takes the place of `old`; with `wrong` for its "@" its last line is refused."""

    old: str
    text: str
    wrong: str
    right: str
    words: str
    base: str = "demo"
    overrides: tuple[str, ...] = ()


CASES = [
    Case(
        MODEL,
        "first_stage_unmatched_threshold: 0.5 first_stage_matched_threshold: @",
        "0.4375",
        "0.5",
        "unmatched_threshold is 0.5 and first_stage_matched_threshold is 0.4375: .* not exceed",
    ),
    Case(
        MODEL,
        "second_stage_focal_loss_gamma: 1 second_stage_classification_loss: @",
        "SIGMOID",
        "SIGMOID_FOCAL",
        "second_stage_focal_loss_gamma is set and .* is SIGMOID, so nothing reads it",
    ),
    Case(
        "grid_anchor_generator {",
        "grid_anchor_generator { width_offset: 8 placement: @",
        "WHERE_CELLS_LOOK",
        "OFFSET_AND_STRIDE",
        "width_offset is set and placement is WHERE_CELLS_LOOK, so nothing reads it",
    ),
    Case(
        r"(?<=optimizer \{)",
        'learning_rate_multiplier { pattern: "@" multiplier: 0.5 }',
        "trunk(",
        "^trunk/",
        r"learning_rate_multiplier.pattern 'trunk\(': no regular expression",
    ),
    Case(
        r"(?<=optimizer \{)",
        'learning_rate_multiplier { pattern: "^trunk/" multiplier: 0 } '
        'learning_rate_multiplier { pattern: "@" multiplier: 1 }',
        "^trunk/",
        "^trunk/Conv3d_1a",
        r"pattern '\^trunk/' is there 2 times: a variable takes the first",
    ),
    Case(
        TRUNK,
        "trunk { i3d { separable: true stem_as_blocks: @ } }",
        "true",
        "false",
        "stem_as_blocks and separable are both true",
    ),
    Case(
        MODEL, "initial_crop_size: @ maxpool_kernel_size: 3", "2", "3", "is 2 .* is 3: .* as large"
    ),
    Case(
        MODEL,
        "first_stage_minibatch_size: 8 first_stage_positive_balance_fraction: @",
        "0.1171875",
        "0.125",
        "first_stage_minibatch_size is 8 .* is 0.117188: no person",
    ),
    Case(
        "second_stage_balance_fraction: 0.5",
        "second_stage_balance_fraction: @",
        "0.03",
        "0.0625",
        "second_stage_batch_size is 16 .* is 0.03: no person",
    ),
    Case(TRAIN, "batch_size: 8 gradient_accumulation_steps: @", "16", "8", "is 8 .* 16: .* multip"),
    Case(
        "shuffle: false",
        "shuffle: false\n@",
        "external_boxes { input_path: 'people.csv' }",
        "",
        "eval_input_reader.external_boxes is set and proposal_source is not EXTERNAL",
    ),
    Case(
        TRAIN,
        "batch_size: 8 jit_compile_update: true precision: @",
        "FLOAT16",
        "BFLOAT16",
        "jit_compile_update is true and precision is FLOAT16, .* not compiled: leave one",
    ),
    Case(OPTIMIZER, COSINE, "2100", "2099", "warmup_steps is 2100 .* is 2100: .* before the last"),
    Case(OPTIMIZER, COSINE, "5 total_steps: 5", "4 total_steps: 5", "is 5 .* is 5: .* before"),
    Case(OPTIMIZER, MANUAL, "4", "5", r"steps are \[4, 4\]: expected ascending"),
    Case(OPTIMIZER, MANUAL, "3", "5", r"steps are \[4, 3\]: expected ascending"),
    *[
        Case(CROP, f"min_{of}: 0.75 max_{of}: @", "0.5", "0.75", f"max_{of} is 0.5: .* not exceed")
        for of in ("area", "aspect_ratio")
    ],
    Case("shuffle: false", "shuffle: @", "true", "false", "shuffle is true: .* set it to"),
    Case("shuffle: false", "shuffle: false\nmax_skipped_share: @", "0.1", "0", "0.1: .* remove it"),
    Case(EVAL, BEST + "'@'", "top_1", "person_AP", "'top_1' .* is action_f.*expected .*person_AP"),
    Case(
        BEST + '"top_1"',
        BEST + "'@'",
        "mAP",
        "top_5",
        "'mAP' .* is video_classifier: expected .*top_5",
        "pretrain_i3d",
    ),
    Case(
        EVAL,
        f"metrics_set: 'ava_frame_map' {BEST}'@'",
        "person_AP_75",
        "mAP",
        "'person_AP_75', which .* if metrics_set holds 'action_agnostic_localization'",
    ),
    Case(
        EVAL,
        "metrics_set: [@'action_agnostic_localization']",
        "",
        "'ava_frame_map', ",
        "'mAP', which .* if metrics_set holds 'ava_frame_map'",
    ),
    Case(EVAL, "@", "num_test_crops: 1", "", "num_test_crops is set .* only video_classifier"),
    Case(TRUNK, "trunk { @ }", STREAMS, I3D, "is two_stream: .* hold no flow", "pretrain_i3d"),
    *[
        Case(
            TRUNK,
            f"trunk {{ {STREAMS}\n@ }}",
            f"{field}: {value}",
            "",
            f"trunk.{field} is set beside two_stream: set it in its rgb and flow",
        )
        for field, value in (("batch_norm", "TRAINED"), ("batch_norm_momentum", "0.9"))
    ],
    *[
        Case(
            TRUNK,
            f"trunk {{ two_stream {{ {other} {{ {I3D} }}\n{stream} {{ @ }} }} }}",
            STREAMS,
            I3D,
            f"two_stream.{stream} is two_stream itself: expected one network",
        )
        for stream, other in (("rgb", "flow"), ("flow", "rgb"))
    ],
    Case(
        TRAIN,
        "batch_size: 8\nfine_tune_checkpoint_type: '@' fine_tune_flow_checkpoint: 'b'",
        "detection",
        "classification",
        "fine_tune_flow_checkpoint is set and .* is 'detection', .* leave one",
        overrides=(f"model.action_faster_rcnn.trunk={{ {STREAMS} }}",),
    ),
    Case(TRAIN, "batch_size: 8\n@", "fine_tune_flow_checkpoint: 'b'", "", "trunk is not two_strea"),
]


def load(case: Case, value: str, folder: pathlib.Path):
    """The config with the case's text; an error must name the last line of that."""
    base = (PLAYGROUND / f"{case.base}.config").read_text()
    found = re.search(case.old, base, re.DOTALL)
    before = base[: found.start()] + "\n" + case.text.replace("@", value)
    path = folder / "pipeline.config"
    path.write_text(before + "\n" + base[found.end() :])
    try:
        return config.load(str(path), case.overrides)
    except UserError as error:
        where = f"{path}:{1 + before.count(chr(10))}: "
        assert str(error).startswith(where), str(error)
        raise UserError(str(error).removeprefix(where)) from None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words[:50])
def test_a_contradiction_and_its_nearest_right_text(case, tmp_path):
    with pytest.raises(UserError, match=case.words):
        load(case, case.wrong, tmp_path)
    assert load(case, case.right, tmp_path)


def test_every_contradiction_has_a_case(tmp_path):
    """Each message of the module is one of those above, its values left open."""
    messages = []
    for case in CASES:
        with pytest.raises(UserError) as error:
            load(case, case.wrong, tmp_path)
        messages.append(str(error.value))
    yields = [
        node.value.elts[1]
        for module in (contradictions, unread_fields)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple)
    ]
    assert yields
    for text in yields:
        parts = text.values if isinstance(text, ast.JoinedStr) else [text]
        pattern = "".join(
            re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in parts
        )
        assert any(re.fullmatch(pattern, message) for message in messages), pattern
