"""pipeline.config: what is refused, with which words, and what is written back."""

import dataclasses
import importlib
import pathlib
import re
import typing

import pytest

from avatx import config
from avatx.builders import box_predictor_builder, preprocessor_builder, trunk_builder
from avatx.builders.options import argument_names, looked_up
from avatx.config import schema
from avatx.config.lines import field_lines
from avatx.errors import UserError
from avatx.protos import box_predictor_pb2, pipeline_pb2, preprocessor_pb2, trunk_pb2

ROOT = pathlib.Path(__file__).parents[2]
SHIPPED = sorted(ROOT.glob("configs/*/*.config"))
PLAYGROUND = ROOT / "configs/playground/demo.config"


def changed(tmp_path, old, new):
    """The playground's config with one text replaced: (path, line of the change)."""
    text = PLAYGROUND.read_text()
    assert old in text
    path = tmp_path / "changed.config"
    path.write_text(text.replace(old, new, 1))
    return str(path), text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_configs_parse_and_say_what_they_are(path):
    model = config.load(str(path)).model
    assert getattr(model, model.WhichOneof("model")).num_classes > 0
    head = path.read_text().split("\nmodel {")[0]
    assert "Command:" in head and "Hardware:" in head


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("num_classes: 80", "num_clases: 80", "unknown field 'num_clases'.*mean 'num_classes'"),
        ("num_classes: 80", "num_classes: eighty", "80|eighty"),
        ("num_classes: 80", "num_classes: 0", r"num_classes is 0: expected in \[1, 100000\]"),
        ("dropout: 0.1", "dropout: 1.0", r"dropout is 1: expected in \[0, 1\)"),
        ("query: HIGH_RES", "query: HIGHRES", "'HIGHRES'.*HIGH_RES or LOW_RES"),
        ('endpoint: "Mixed_3c"', 'endpoint: "Mixed_4g"', "is 'Mixed_4g': expected .*Mixed_4f"),
        ("balance_fraction: 0.5", "balance_fraction: 0.03", "is 16 and .* is 0.03: no person"),
        ("min_area: 0.6", "min_area: 0.9 max_area: 0.8", "min_area is 0.9 and max_area is 0.8"),
        ('protocol: "AVA_2020"', 'protocol: "AVA"', "protocol is 'AVA': expected AVA_2020 or"),
        ("scales: [0.5, 0.75, 1.0, 1.5]", "scales: [0.5, -1]", "scales is -1: expected more than"),
        ("learning_rate_base: 0.003", "learning_rate_base: nan", "learning_rate_base is nan"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(tmp_path, old, new, words):
    path, line = changed(tmp_path, old, new)
    with pytest.raises(UserError) as error:
        config.load(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:{line}: "), message
    assert re.search(words, message), message


@pytest.mark.parametrize("field", ["num_classes: 80", "num_steps: 2100", "label_map_path"])
def test_a_missing_required_field_is_named(tmp_path, field):
    text = PLAYGROUND.read_text()
    start = text.index(field)
    path = tmp_path / "missing.config"
    path.write_text(text[:start] + text[text.index("\n", start) :])
    with pytest.raises(UserError, match=f"{field.partition(':')[0]} is missing"):
        config.load(str(path))


def test_contradicting_fields_name_both_values(tmp_path):
    path, _ = changed(tmp_path, "batch_size: 8", "batch_size: 8 gradient_accumulation_steps: 3")
    with pytest.raises(UserError, match="batch_size is 8 and gradient_accumulation_steps is 3"):
        config.load(path)


@pytest.mark.parametrize(
    "name, override",
    [
        ("pretrain_i3d", "eval_config.metrics_set=ava_frame_map"),
        ("pretrain_i3d", "eval_config.groundtruth_path=x.csv"),
        ("pretrain_i3d", "eval_config.num_visualizations=4"),
        ("pretrain_i3d", "train_config.max_number_of_boxes=64"),
        ("demo", "eval_config.num_test_clips=10"),
        ("demo", "eval_config.num_test_crops=1"),
    ],
)
def test_a_field_that_the_model_does_not_read_is_refused(name, override):
    kind = "video_classifier" if name == "pretrain_i3d" else "action_faster_rcnn"
    field = override.partition("=")[0]
    with pytest.raises(UserError, match=f"^override .*: {field} is set and the model is {kind}"):
        config.load(str(ROOT / f"configs/playground/{name}.config"), [override])


def test_missing_and_binary_files_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no.config: cannot be read"):
        config.load(str(tmp_path / "no.config"))
    binary = tmp_path / "binary.config"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="binary.config: cannot be read"):
        config.load(str(binary))


def test_overrides_of_every_kind():
    loaded = config.load(
        str(PLAYGROUND),
        [
            "train_config.batch_size=4",
            "model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor.query=LOW_RES",
            "train_input_reader.tf_record_input_reader.input_path=[a-*, b]",
            "eval_input_reader.tf_record_input_reader.input_path=only one",
            "train_config.data_augmentation_options=[]",
            "train_config.optimizer={ momentum_optimizer { learning_rate { "
            "constant_learning_rate { learning_rate: 0.5 } } } }",
            "train_input_reader.shuffle=false",
        ],
    )
    tx = loaded.model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor
    assert loaded.train_config.batch_size == 4
    assert tx.query == 1
    assert list(loaded.train_input_reader.tf_record_input_reader.input_path) == ["a-*", "b"]
    assert list(loaded.eval_input_reader.tf_record_input_reader.input_path) == ["only one"]
    assert not loaded.train_config.data_augmentation_options
    momentum = loaded.train_config.optimizer.momentum_optimizer
    assert momentum.learning_rate.constant_learning_rate.learning_rate == 0.5
    assert not loaded.train_input_reader.shuffle


def test_an_override_reaches_into_a_repeated_message():
    name = "train_config.data_augmentation_options[1].random_crop_image.min_area"
    loaded = config.load(str(PLAYGROUND), [f"{name}=0.25"])
    assert loaded.train_config.data_augmentation_options[1].random_crop_image.min_area == 0.25


@pytest.mark.parametrize(
    "override, words",
    [
        (
            "eval_config.metrics_set=coco",
            "metrics_set is 'coco': expected ava_frame_map or action_",
        ),
        (
            "eval_config.metrics_set=action_agnostic_localization",
            "best_checkpoint_metric is 'mAP'.* if metrics_set holds 'ava_frame_map'",
        ),
        (
            "eval_config.best_checkpoint_metric=person_AP_95",
            "expected mAP or person_AP or person_AP_75",
        ),
        ("train_config.batchsize=4", "unknown field 'batchsize'.*mean 'batch_size'"),
        ("train_config.batch_size", "expected field=value"),
        ("train_config.batch_size=many", "batch_size=many"),
        ("train_config.batch_size=4 num_steps: 7", "batch_size=4 num_steps: 7: .* one value"),
        ("train_config.batch_size=0", r"^override train_config.batch_size=0: .* in \[1, 100000\]"),
        ("train_config.batch_size.x=1", "'batch_size' is a value"),
        (
            "train_config.data_augmentation_options[2].random_crop_image.min_area=1",
            "has 2 elements",
        ),
        ("train_config.precision=FLOAT8", "'FLOAT8' is not a value"),
        ("eval_input_reader.shuffle=true", "eval_input_reader.shuffle is true: .*set it to false"),
        ("eval_input_reader.max_skipped_share=0.1", "max_skipped_share is 0.1: .* remove it"),
    ],
)
def test_a_wrong_override_is_named(override, words):
    with pytest.raises(UserError) as error:
        config.load(str(PLAYGROUND), [override])
    assert re.search(words, str(error.value)), str(error.value)


@pytest.mark.parametrize(
    "override",
    [
        # In the file there is a line for each of these fields, which is not to blame.
        "model.action_faster_rcnn.trunk={ i3d { depth_multiplier: 0 } }",
        "model.action_faster_rcnn.first_stage_anchor_generator.grid_anchor_generator.scales=[]",
    ],
)
def test_an_override_is_named_and_not_the_line_that_it_replaces(override):
    with pytest.raises(UserError, match=f"^{re.escape('override ' + override)}: "):
        config.load(str(PLAYGROUND), [override])


def test_written_and_read_back_is_the_same(tmp_path):
    loaded = config.load(str(PLAYGROUND), ["train_config.batch_size=4"])
    config.write(loaded, str(tmp_path / "pipeline.config"))
    assert config.load(str(tmp_path / "pipeline.config")) == loaded
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.config"]


def test_lines_of_fields_in_lists_comments_and_strings():
    text = 'a { # b: {\n  c: "x { y"\n  d: [1,\n 2]\n  e { f: X } g { h: 1 }\n}\nk: 2\n'
    lines = field_lines(text)
    assert lines == {"a": 1, "a.c": 2, "a.d": 3, "a.e": 5, "a.e.f": 5, "a.g": 5, "a.g.h": 5, "k": 7}
    assert field_lines("a\n{ b: 1 }\na\n{ b: 2 }") == {"a": 1, "a.b": 2, "a[1]": 4, "a[1].b": 4}


def names_read():
    """Names of fields that builders name, and of those that a class of their tables takes."""
    source = "\n".join(path.read_text() for path in ROOT.glob("avatx/builders/*.py"))
    read = set(re.findall(r"(?:\.|\")(\w+)", source))
    for path in ROOT.glob("avatx/builders/*.py"):
        module = importlib.import_module(f"avatx.builders.{path.stem}")
        call = r"options_from\(\s*[\w.]+,\s*([A-Z]\w+)(?:, \"(\w+)\")?"
        for kind, prefix in re.findall(call, path.read_text()):
            read |= {prefix + field.name for field in dataclasses.fields(getattr(module, kind))}
        for kind in filter(dataclasses.is_dataclass, vars(module).values()):
            read |= {field.name for field in dataclasses.fields(kind)}
        read |= set(getattr(module, "FIELDS", ()))  # of FrameSettings, read one by one
    return read


def test_every_field_is_read_by_a_builder():
    """A field that is accepted and ignored would be a lie to whoever edits it."""
    read, taken = names_read(), {}
    for kind in trunk_builder.TRUNKS:  # of the message around it
        read |= set(argument_names(looked_up(trunk_builder.TRUNKS, kind, "")))
    for field, kind in classes_of_tables().items():
        names = set(argument_names(kind))
        if "options" in names:
            hints = typing.get_type_hints(kind.__init__)
            names |= {one.name for one in dataclasses.fields(hints["options"])}
        taken[field.message_type.full_name] = names
    messages = schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)
    unread = [
        field.full_name
        for message in messages
        for field in message.fields
        if field.name not in taken.get(message.full_name, read)
    ]
    assert not unread


def classes_of_tables():
    """Field of a oneof -> the class that a builder's table has for it."""
    tables = (
        (trunk_builder.TRUNKS, trunk_pb2.Trunk),
        (box_predictor_builder.BOX_PREDICTORS, box_predictor_pb2.BoxPredictor),
        (preprocessor_builder.AUGMENTATIONS, preprocessor_pb2.PreprocessingStep),
    )
    return {
        message.DESCRIPTOR.fields_by_name[name]: looked_up(table, name, "")
        for table, message in tables
        for name in table
    }


def test_every_number_has_a_range():
    # Any value is right for these.
    free = {"height_offset", "width_offset", "seed", "warmup_steps", "total_steps", "step"}
    free.add("eval_interval")
    messages = schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)
    missing = [
        field.full_name
        for message in messages
        for field in message.fields
        if schema.is_number(field)
        and field.name not in free
        and not schema.range_of(field)
        and not schema.choices_of(field)
    ]
    assert not missing


@pytest.mark.parametrize("wrong", [0, 1])
def test_of_several_messages_of_a_field_the_wrong_one_is_named(tmp_path, wrong):
    areas = ["min_area: 0.5", "min_area: 0.5"]
    areas[wrong] = "min_area: 7"
    options = "".join(
        f"  data_augmentation_options {{\n    random_crop_image {{ {area} }}\n  }}\n"
        for area in areas
    )
    text = re.sub(
        r"  data_augmentation_options \{.*\}\n(?=\s*max_number)",
        "",
        PLAYGROUND.read_text(),
        flags=re.S,
    )
    begin = text.index("train_config {\n") + len("train_config {\n")
    path = tmp_path / "pipeline.config"
    path.write_text(text[:begin] + options + text[begin:])
    line = 1 + path.read_text()[: path.read_text().index("min_area: 7")].count("\n")
    with pytest.raises(UserError, match=rf"pipeline.config:{line}: .*min_area is 7"):
        config.load(str(path))
    # What an override puts in their place is the override's mistake.
    with pytest.raises(UserError, match="^override .*min_area is 9"):
        config.load(
            str(PLAYGROUND),
            ["train_config.data_augmentation_options={ random_crop_image { min_area: 9 } }"],
        )
