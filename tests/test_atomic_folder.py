"""All of a folder's files, or none."""

import os

import pytest

from avatx.atomic_folder import atomic_files, atomic_folder, move_files, work_folder
from avatx.errors import UserError


def write(folder, **files):
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_come_together_and_others_stay(tmp_path):
    write(tmp_path, a="old", z="other")
    with atomic_files(tmp_path) as work:
        write(work, a="new", b="new")
        assert contents(tmp_path / os.path.basename(work)) == {"a": "new", "b": "new"}
        assert (tmp_path / "a").read_text() == "old" and not (tmp_path / "b").exists()
    assert contents(tmp_path) == {"a": "new", "b": "new", "z": "other"}


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_an_error_leaves_nothing_new(tmp_path, error):
    write(tmp_path, a="old")
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(type(error)):
            with atomic_files(folder) as work:
                write(work, a="new", b="new")
                raise error
    with pytest.raises(type(error)):
        with atomic_folder(tmp_path / "whole") as made:
            write(made, a="new")
            raise error
    assert contents(tmp_path) == {"a": "old"}


def test_a_folder_appears_whole_and_goes_whole(tmp_path):
    path = tmp_path / "above" / "whole"
    for files in ({"a": "1", "b": "1"}, {"b": "2"}):
        with atomic_folder(path) as made:
            write(made, **files)
        assert contents(path) == files and os.listdir(path.parent) == ["whole"]
    assert path.stat().st_mode == (tmp_path / "above").stat().st_mode  # not a private folder


def test_the_older_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path, rename = tmp_path / "whole", os.rename
    path.mkdir()
    write(path, a="old")

    def fail(source, target):
        if os.path.basename(source) == "made":
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(UserError, match="whole cannot be written: No space left"):
        with atomic_folder(path) as made:
            write(made, a="new")
    assert contents(path) == {"a": "old"} and os.listdir(tmp_path) == ["whole"]


def test_what_a_killed_run_left_is_swept_only_if_asked(tmp_path):
    names = [".x.partial", ".x.partialold", ".y.partial"]
    for name in names:
        (tmp_path / name).mkdir()
    with atomic_folder(tmp_path / "x") as made:
        write(made, a="1")
    assert sorted(os.listdir(tmp_path)) == [*names, "x"]
    with atomic_folder(tmp_path / "x", sweep=True) as made:
        write(made, a="2")
    assert sorted(os.listdir(tmp_path)) == [".y.partial", "x"]


def test_files_move_in_the_order_given(tmp_path, monkeypatch):
    moved, replace = [], os.replace
    monkeypatch.setattr(
        os, "replace", lambda a, b: (moved.append(os.path.basename(b)), replace(a, b))
    )
    with work_folder(tmp_path) as work:
        write(work, a="1", b="1", c="1")
        move_files(work, tmp_path, ["c", "a"])
    assert moved == ["c", "a"] and contents(tmp_path) == {"a": "1", "c": "1"}


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_one_line(tmp_path, place):
    write(tmp_path, file="x")
    for make in (atomic_files, atomic_folder):
        inside = tmp_path / place if make is atomic_files else tmp_path / place / "whole"
        with pytest.raises(UserError, match=f"{inside} cannot be written: "):
            with make(inside):
                pass
    assert contents(tmp_path) == {"file": "x"}


def test_an_input_that_cannot_be_read_is_not_said_to_be_the_output(tmp_path):
    with pytest.raises(UserError, match="^[^ ]*absent.csv: No such file or directory$"):
        with atomic_files(tmp_path / "out"):
            open(tmp_path / "absent.csv").close()
    assert not os.listdir(tmp_path)
