"""What people write into a pipeline.config that a text proto reads otherwise is told, or read."""

import os
import pathlib
import re

import pytest

from avatx import config
from avatx.config import slips
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
DEMO = ROOT / "configs" / "playground" / "demo.config"
RECORDS = '"runs/demo/data/train-*.tfrecord"'
QUERY = "model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor.query"
INPUT_PATH = "train_input_reader.tf_record_input_reader.input_path"


def written(tmp_path, old, new):
    path = tmp_path / "edited.config"
    text = DEMO.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return str(path)


SLIPS = [
    ("num_steps: 2100", "num_steps: 500,000", "num_steps: 500,000: .* comma; write 500000"),
    ("num_steps: 2100", "num_steps: 500 000", "num_steps: 500 000: .* space; write 500000"),
    ("num_steps: 2100", "num_steps: 1,000,000", "1,000.*number with a comma"),
    ("norm: 10.0", "norm: 10,0", "gradient_clipping_by_norm: 10,0: .* comma; write 10.0$"),
    ("norm: 10.0", "norm: -1,5e-3", "number with a comma; write -1.5e-3$"),
    ("HIGH_RES", '"HIGH_RES"', '"HIGH_RES": quotes too many, expected HIGH_RES'),
    ("HIGH_RES", "'LOW_RES'", "'LOW_RES': quotes too many, expected LOW_RES"),
    ("num_steps: 2100", 'num_steps: "2100"', '"2100": quotes too many, expected .* 2100'),
    ("shuffle: false", 'shuffle: "false"', "quotes too many, expected true or false"),
    (RECORDS, r'"D:\new\train.record"', 'backslash.*write "D:/new/train.record" or'),
    (RECORDS, r'"D:\2024\06\t"', "backslash"),
    (RECORDS, r'"\\server\data\t"', "backslash"),
    (RECORDS, r'"D:\users\t"', "backslash"),
    (RECORDS, '"a,b"', r'input_path is \'a,b\'.*write \["a", "b"\]'),
    (RECORDS, '"a" "b"', r'input_path: "a" "b": .* one value; write \["a", "b"\]'),
    (RECORDS, '["a" "b"]', r"would be read as one value"),
    (RECORDS, '"a", "b"', r'expected brackets around several values, \["a", "b"\]'),
    (RECORDS, "a", "input_path: expected quotes"),
    (RECORDS, "“a”", "expected plain quotes"),
    (RECORDS, '"$NO_SUCH_PLACE/a"', r"the environment has no \$NO_SUCH_PLACE"),
    (RECORDS, '"${NO_SUCH_PLACE}/a"', r"the environment has no \$\{NO_SUCH_PLACE\}"),
    (RECORDS, '"~nobody-is-so-called/a"', "the environment has no ~nobody"),
    ("num_steps: 2100", "num_steps = 2100", "expected a colon, 'num_steps:'"),
    ("num_steps: 2100", "num_steps: 2100 // all", "expected #"),
]


@pytest.mark.parametrize("old, new, words", SLIPS, ids=[new for _, new, _ in SLIPS])
def test_a_slip_is_one_line_with_its_remedy(tmp_path, old, new, words):
    path = written(tmp_path, old, new)
    line = DEMO.read_text().partition(old)[0].count("\n") + 1
    with pytest.raises(UserError) as raised:
        config.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}:{line}: ") and "\n" not in message
    assert re.search(words, message.removeprefix(f"{path}:{line}: ")), message


def test_a_csv_in_a_config_s_place_is_no_number_with_a_comma(tmp_path):
    (tmp_path / "val.csv").write_text("film_0,0001,0.094,0.519,0.266,0.856,11,0\n")
    with pytest.raises(UserError, match="val.csv:1: unknown field 'film_0' in PipelineConfig"):
        config.load(str(tmp_path / "val.csv"))


@pytest.mark.parametrize(
    "override, words",
    [
        ("train_config.num_steps=500,000", "num_steps: 500,000: is a number with a comma"),
        ("train_config.max_loss=10,0", "write 10.0"),
        (f'{QUERY}="HIGH_RES"', "quotes too many, expected HIGH_RES"),
        (f"{INPUT_PATH}=a,b", r'write \["a", "b"\]'),
        (f'{INPUT_PATH}="a" "b"', r'write \["a", "b"\]'),
        (f"{INPUT_PATH}=$NO_SUCH_PLACE/x", r"no \$NO_SUCH_PLACE"),
    ],
)
def test_an_override_has_the_same_slips(override, words):
    with pytest.raises(UserError, match=f"^override {re.escape(override)}: .*{words}"):
        config.load(str(DEMO), [override])


@pytest.mark.parametrize(
    "text, expected",
    [
        ('"~/a.tfrecord"', "/home/me/a.tfrecord"),
        ('"$DATA/a-*"', "/big/data/a-*"),
        ('"${DATA}/a"', "/big/data/a"),
        (r'"D:\\new\\a"', r"D:\new\a"),
        (r'"runs/t\303\251st"', "runs/tést"),
        (r'"it\'s \"a\""', 'it\'s "a"'),
        ("'a' ", "a"),
        ('["a"]', "a"),
        ('"gs://bucket/a~1"', "gs://bucket/a~1"),
    ],
)
def test_what_is_right_is_read(tmp_path, monkeypatch, text, expected):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("DATA", "/big/data")
    loaded = config.load(written(tmp_path, RECORDS, text))
    assert list(loaded.train_input_reader.tf_record_input_reader.input_path) == [expected]
    (tmp_path / "again").mkdir()
    config.write(loaded, str(tmp_path / "again" / "written.config"))
    assert config.load(str(tmp_path / "again" / "written.config")) == loaded


def test_a_path_with_a_comma_or_a_dollar_that_is_there(tmp_path):
    for name in ("a,b.tfrecord", "$x.tfrecord"):
        (tmp_path / name).write_bytes(b"")
        path = str(tmp_path / name)
        loaded = config.load(str(DEMO), [f'{INPUT_PATH}="{path}"'])
        assert list(loaded.train_input_reader.tf_record_input_reader.input_path) == [path]


def test_separators_lists_and_comments_are_no_slips():
    text = 'a: 1, b: 2; c: [1, 2, 3] d: ["x", "y"] # 1,5 "a" "b" = //\ne: -1.5e3f\nf { g: 1 }\n'
    assert slips.find(text) is None
    for path in sorted(ROOT.glob("configs/*/*.config")):
        assert slips.find(path.read_text()) is None, path


@pytest.mark.parametrize("encoding, good", [("utf-8-sig", True), ("utf-16", False)])
def test_how_editors_of_windows_save(tmp_path, encoding, good):
    path = tmp_path / "saved.config"
    path.write_bytes(DEMO.read_text().replace("\n", "\r\n").encode(encoding))
    if good:
        assert config.load(str(path)) == config.load(str(DEMO))
    else:
        with pytest.raises(UserError, match="not in UTF-8"):
            config.load(str(path))
    assert os.listdir(tmp_path) == ["saved.config"]


@pytest.mark.parametrize("character", ["\t", "\x0c", "\x85", "\0"])
def test_a_control_character_in_a_value(tmp_path, character):
    """Written again it would be an escape, which is taken for a path of Windows."""
    name = f"train{character}-*.tfrecord"
    path = written(tmp_path, RECORDS, f'"{name}"')
    words = re.escape(f"input_path is {name!r}: expected no control character")
    with pytest.raises(UserError, match=rf":\d+: .*{words} \(U\+00"):
        config.load(path)
    with pytest.raises(UserError, match=f"{words}"):
        config.load(str(DEMO), [f"{INPUT_PATH}={name}"])
