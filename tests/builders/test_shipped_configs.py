"""configs/: every file builds, says what it is, and differs from its base only as it should."""

import collections
import functools
import pathlib
import re

import pytest

from avatx import config
from avatx.builders import (
    input_reader_builder,
    model_builder,
    summary,
    training_builder,
)
from avatx.config import schema
from avatx.protos import action_faster_rcnn_pb2, model_pb2, pipeline_pb2
from avatx.reproduction.rows import ROWS, TABLES

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
SHIPPED = sorted(CONFIGS.glob("**/*.config"))
README = (CONFIGS / "README.md").read_text()
ROOMS = ("ava", "playground", "pets09")  # of the rows
NOT_ROWS = {
    "playground/demo",
    "playground/pretrain_i3d",
    "pets09/tx_highres",
    "ava/tx_highres_r300_two_stream",
    "playground/tx_highres_two_stream",
}

FRCNN = "model.action_faster_rcnn."
HEAD = FRCNN + "second_stage_box_predictor"
PROPOSALS = FRCNN + "first_stage_max_proposals"
SOURCE = FRCNN + "proposal_source"
STEPS = "train_config.num_steps"
# Row -> the row it is made from, and what its own is about: fields, or messages of them.
LEARNING_RATE = "train_config.optimizer.adam_optimizer.learning_rate"
DIFFERENCES = {
    "tx_highres_r64": ("i3d_r64", {HEAD, FRCNN + "location_embedding"}),
    "tx_lowres_r64": ("tx_highres_r64", {HEAD + ".tx_box_predictor.query"}),
    "i3d_gt": ("i3d_r64", {SOURCE}),
    "tx_lowres_gt": ("tx_lowres_r64", {SOURCE, STEPS}),
    "tx_highres_gt": ("tx_highres_r64", {SOURCE, STEPS}),
    "i3d_r300": ("i3d_r64", {PROPOSALS}),
    "tx_highres_r300": ("tx_highres_r64", {PROPOSALS}),
    "tx_i3d_r300": ("tx_highres_r300", {HEAD}),
    "tx_i3d_r300_96f": ("tx_i3d_r300", {FRCNN + "clip.num_frames"}),
    "i3d_r64_class_specific": ("i3d_r64", {FRCNN + "second_stage_class_specific_boxes"}),
    "i3d_r64_no_augmentation": ("i3d_r64", {"train_config.data_augmentation_options"}),
    "i3d_r64_from_scratch": (
        "i3d_r64",
        {
            FRCNN + "trunk.batch_norm",
            FRCNN + "trunk.batch_norm_momentum",
            "train_config.fine_tune_checkpoint",
            "train_config.fine_tune_checkpoint_type",
        },
    ),
}
PAPER_ROWS = {"i3d_r64", *DIFFERENCES}
# Likewise of files that are no rows.
READERS = ("train_input_reader", "eval_input_reader")
FLOW = {FRCNN + "trunk", *(f"{one}.tf_record_input_reader.input_path" for one in READERS)}
TWO_STREAM = {
    "ava/tx_highres_r300_two_stream": (
        "ava/tx_highres_r300",
        FLOW | {"train_config.fine_tune_flow_checkpoint"},
    ),
    "playground/tx_highres_two_stream": ("playground/tx_highres_r300", FLOW),
}
# What a row may, but need not, change: the paper stops some trainings early.
OPTIONAL = {STEPS, "train_config.fine_tune_checkpoint_type"}


def name_of(path):
    return str(path.relative_to(CONFIGS).with_suffix(""))


def rows(room):
    return {path.stem for path in (CONFIGS / room).glob("*.config")} - {
        name.split("/")[1] for name in NOT_ROWS if name.startswith(room)
    }


def head(path):
    return path.read_text().split("\nmodel {")[0]


def set_fields(message, prefix=""):
    """Full name of every field that is set -> its value; a list is one value."""
    fields = {}
    for field, value in message.ListFields():
        name = prefix + field.name
        if schema.is_repeated(field):
            fields[name] = [str(one) for one in value]
        elif field.message_type is not None:
            fields[name] = ""
            fields.update(set_fields(value, name + "."))
        else:
            fields[name] = value
    return fields


def compare(base, name, about):
    """Fields in which two configs differ beyond `about`; and those of `about` that are equal."""
    first, second = (
        set_fields(config.load(str(CONFIGS / f"{one}.config"))) for one in (base, name)
    )
    different = {field for field in {*first, *second} if first.get(field) != second.get(field)}
    strangers = {
        field
        for field in different
        if not any(field == one or field.startswith(one + ".") for one in about)
    }
    return strangers, {one for one in about if not any(f.startswith(one) for f in different)}


def tables_in_readme():
    """Row -> {number of a table: numbers of the paper in that row}."""
    found = collections.defaultdict(dict)
    for section in re.split(r"^## ", README, flags=re.MULTILINE)[1:]:
        if title := re.match(r"Table (\d)", section):
            for line in section.splitlines():
                if link := re.search(r"\[(\w+)\]\(ava/(\w+)\.config\)", line):
                    assert link[1] == link[2]
                    found[link[1]][title[1]] = set(re.findall(r"\b\d\d\.\d+\b", line))
    return found


@functools.cache
def builds(model: bytes) -> bool:
    return bool(model_builder.build(model_pb2.DetectionModel.FromString(model)).trainable_variables)


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_config_builds(path):
    loaded = config.load(str(path))
    # Rows that differ in these alone share a model here; test_builders.py follows the fields, and
    # the long test below builds each file as it is.
    if loaded.model.WhichOneof("model") == "action_faster_rcnn":
        for field in ("clip", "first_stage_max_proposals", "proposal_source"):
            loaded.model.action_faster_rcnn.ClearField(field)
    assert builds(loaded.model.SerializeToString(deterministic=True))
    options = training_builder.build_train_options(loaded.train_config)
    assert options.num_steps == loaded.train_config.num_steps
    input_reader_builder.build_augmentations(loaded.train_config)


# Building and tracing all of them takes minutes: the quick suite does one, not of the usual clip.
DESCRIBED = "playground/tx_i3d_r300_96f"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if name_of(path) == DESCRIBED else pytest.mark.long)
        for path in SHIPPED
    ],
    ids=name_of,
)
def test_check_config_describes_it(path):
    found = summary.summarize(config.load(str(path)))
    assert found["parameters"]["total"] > 0
    assert found["schedule"]["num_steps"] > 0


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_config_is_named_in_the_readme(path):
    room, name = name_of(path).split("/")
    assert f"{room}/" in README
    assert name in README


@pytest.mark.parametrize("room", ["ava", "playground"])
def test_there_is_a_file_for_each_row_and_no_other(room):
    assert rows(room) == PAPER_ROWS == set(tables_in_readme()) == set(ROWS)


def test_the_readme_has_the_numbers_that_reproduce_prints():
    readme = tables_in_readme()
    for number, table in enumerate(TABLES, start=1):
        key = str(number)
        assert {line.row for line in table.lines} == {row for row in readme if key in readme[row]}
        for line in table.lines:
            assert {f"{value:.1f}" for value in line.paper.values()} <= readme[line.row][key]


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parent.name in ROOMS], ids=name_of
)
def test_the_head_names_row_command_hardware_and_number(path):
    room, name = name_of(path).split("/")
    labels = dict(re.findall(r"^# (\w+): +(.*(?:\n#   .*)*)", head(path), flags=re.MULTILINE))
    assert {"Command", "Hardware", "Number"} <= set(labels)
    command = " ".join(labels["Command"].replace("\\\n#", " ").split())
    if f"{room}/{name}" in NOT_ROWS:
        return
    if room == "playground":
        assert command == f"python tools/reproduce.py --suite playground --rows {name}"
    elif room == "pets09":
        assert command.startswith("python tools/reproduce.py --suite pets09 --data ")
        assert command.endswith(f" --rows {name}")
    else:
        assert f"--pipeline_config_path configs/{room}/{name}.config" in command
        assert re.search(rf"--model_dir runs/{room}/{name}(\s|$)", command)
    tables = tables_in_readme()[name]
    named = set(re.findall(r"Table (\d)", labels["Row"]))
    # PETS09 and the playground have no server's test numbers; PETS09 carries Tables 1 and 2 only.
    assert named == set(tables) if room != "pets09" else named == set(tables) & {"1", "2"}
    expected = set().union(*(tables[number] for number in named))
    given = set(re.findall(r"\b\d\d\.\d+\b", re.sub(r"\(.*?\)", "", labels["Number"])))
    assert given and given <= expected
    assert room != "ava" or given == expected


@pytest.mark.parametrize(
    "room, name", [(room, name) for room in ROOMS for name in sorted(rows(room) - {"i3d_r64"})]
)
def test_a_row_differs_from_its_base_in_what_it_is_about(room, name):
    base, about = DIFFERENCES[name]
    if (room, name) == ("playground", "tx_highres_r64"):
        about = about | {LEARNING_RATE}  # each head at the better of the same two
    strangers, missing = compare(f"{room}/{base}", f"{room}/{name}", about)
    assert not strangers, f"{room}/{name} differs from {base} also in these"
    missing -= OPTIONAL
    if room != "ava" and name.endswith("from_scratch"):
        missing -= {FRCNN + "trunk.batch_norm_momentum"}
    assert not missing, f"{room}/{name} does not differ from {base} in these"


@pytest.mark.parametrize("name", TWO_STREAM)
def test_a_second_stream_is_all_that_its_config_adds(name):
    base, about = TWO_STREAM[name]
    assert compare(base, name, about) == (set(), set())
    alone, both = (
        config.load(str(CONFIGS / f"{one}.config")).model.action_faster_rcnn.trunk
        for one in (base, name)
    )
    assert both.two_stream.rgb == alone
    assert both.two_stream.flow.i3d == alone.i3d


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_protocol_and_conventions(path):
    """The paper's rows follow its year and the Object Detection API."""
    whole = config.load(str(path))
    if whole.model.WhichOneof("model") != "action_faster_rcnn":
        return
    model = whole.model.action_faster_rcnn
    suppression = model.second_stage_post_processing.batch_non_max_suppression
    if path.parent.name != "ava":
        assert whole.eval_config.protocol == "AVA_2020"
        assert suppression.max_total_detections <= 50  # no more are read
        return
    assert whole.eval_config.protocol == "AVA_2018"
    assert suppression.max_total_detections == 300
    assert model.central_frame == action_faster_rcnn_pb2.MIDDLE
    assert model.roi_alignment == action_faster_rcnn_pb2.OBJECT_DETECTION_API
    assert not model.second_stage_add_groundtruth_boxes
    assert model.second_stage_classification_loss == action_faster_rcnn_pb2.SIGMOID
    assert model.second_stage_hidden_depth == 0
    assert "temporal_pooling: MAX" not in str(model)
    assert not whole.train_config.optimizer.learning_rate_multiplier


def test_the_rows_are_what_their_names_say():
    for room in ROOMS:
        for name in rows(room):
            frcnn = config.load(str(CONFIGS / room / f"{name}.config")).model.action_faster_rcnn
            few, many = (16, 64) if room == "playground" else (64, 300)  # by its anchors
            assert frcnn.first_stage_max_proposals == (many if "r300" in name else few)
            kind = frcnn.second_stage_box_predictor.WhichOneof("box_predictor_oneof")
            assert kind == re.match(r"tx_i3d|tx|i3d", name)[0] + "_box_predictor"
            assert (frcnn.proposal_source == 1) == name.endswith("_gt")
    base = config.load(str(CONFIGS / "ava/i3d_r64.config"))
    assert base.train_config.fine_tune_checkpoint
    assert len(base.train_config.data_augmentation_options) == 2
    scratch = config.load(str(CONFIGS / "ava/i3d_r64_from_scratch.config"))
    assert not scratch.train_config.fine_tune_checkpoint
    trunks = [one.model.action_faster_rcnn.trunk for one in (scratch, base)]
    assert trunks[0].batch_norm != trunks[1].batch_norm
    long = config.load(str(CONFIGS / "ava/tx_i3d_r300_96f.config"))
    assert long.model.action_faster_rcnn.clip.num_frames == 96


def test_fields_are_compared_one_by_one():
    message = pipeline_pb2.PipelineConfig()
    message.train_config.batch_size = 3
    message.train_config.data_augmentation_options.add().random_crop_image.min_area = 0.5
    fields = set_fields(message)
    assert fields["train_config.batch_size"] == 3
    assert "min_area" in fields["train_config.data_augmentation_options"][0]
