"""What a config must say of boxes from elsewhere."""

import pathlib

import pytest

from avatx import config
from avatx.builders import input_checks, input_reader_builder
from avatx.errors import UserError

DEMO = str(pathlib.Path(__file__).parents[2] / "configs/playground/demo.config")
EXTERNAL = "model.action_faster_rcnn.proposal_source=EXTERNAL"
BOXES = "eval_input_reader.external_boxes={ input_path: ['a.csv', 'b.csv'] score_threshold: 0.25 }"


def test_boxes_that_nothing_reads_are_refused():
    with pytest.raises(UserError, match="external_boxes is set and proposal_source is not EXTERN"):
        config.load(DEMO, [BOXES])


def test_a_run_says_which_reader_names_no_file():
    loaded = config.load(DEMO, [EXTERNAL, BOXES])
    with pytest.raises(UserError, match="^train_input_reader.external_boxes: names no file"):
        input_checks.check(loaded, training=True, evaluating=False)
    with pytest.raises(UserError, match="no such file; ") as raised:
        input_checks.check(loaded, training=False, evaluating=True)
    assert "\n" not in str(raised.value)


def test_options():
    loaded = config.load(DEMO, [EXTERNAL, BOXES])
    model, train = loaded.model.action_faster_rcnn, loaded.train_config
    options = input_reader_builder.build_options(loaded.eval_input_reader, model, train)
    assert options.external_boxes.input_path == ("a.csv", "b.csv")
    assert options.external_boxes.score_threshold == 0.25
    assert options.external_boxes.max_number_of_boxes == 64
    assert options.external_boxes.coco_images_path == ""
    loaded = config.load(DEMO)
    model = loaded.model.action_faster_rcnn
    options = input_reader_builder.build_options(loaded.eval_input_reader, model, train)
    assert options.external_boxes is None
