"""A fingerprint of each input file: the same for the same content, wherever it lies."""

import shutil

import pytest

from avatx import config
from avatx.builders import input_files

FIELD = "train_input_reader.tf_record_input_reader.input_path"
DEMO = "playground/demo"


def fingerprints(folder):
    return input_files.fingerprints(config.load(DEMO, [f'{FIELD}="{folder}/a-*"']))[FIELD]


@pytest.mark.parametrize("size", [10, 1 << 20, (1 << 20) + 1, 3_000_000])
@pytest.mark.parametrize("where", [0, -1])
def test_the_first_and_the_last_byte_count(tmp_path, size, where):
    content = bytearray(size)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a-0").write_bytes(content)
    (tmp_path / "one" / "b-0").write_bytes(b"not matched")
    before = fingerprints(tmp_path / "one")
    assert list(before) == ["a-0"]
    shutil.copytree(tmp_path / "one", tmp_path / "moved")
    assert fingerprints(tmp_path / "moved") == before
    content[where] = 1
    (tmp_path / "one" / "a-0").write_bytes(content)
    (tmp_path / "one" / "a-1").write_bytes(b"new")
    after = fingerprints(tmp_path / "one")
    assert set(after) == {"a-0", "a-1"} and after["a-0"] != before["a-0"]


def test_what_is_not_there_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where `make demo` has left no data
    assert input_files.fingerprints(config.load(DEMO, [f'{FIELD}="{tmp_path}/none-*"'])) == {}
