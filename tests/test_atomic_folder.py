"""All of a folder's files, or none."""

import errno
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


def test_of_an_error_no_folder_is_left_that_was_made_for_it(tmp_path):
    for make in (atomic_files, atomic_folder):
        with pytest.raises(UserError, match="cannot be written: No space"):
            with make(tmp_path / "a" / "b" / "c"):
                raise OSError(errno.ENOSPC, "No space left on device")
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()  # of somebody else
    with pytest.raises(KeyboardInterrupt):
        with atomic_files(tmp_path / "a" / "b" / "c"):
            raise KeyboardInterrupt
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_a_folder_in_the_place_of_a_file_is_told_before_the_work(tmp_path):
    (tmp_path / "out" / "a.csv").mkdir(parents=True)
    with pytest.raises(UserError, match="out/a.csv: is a folder where a file would be written"):
        with atomic_files(tmp_path / "out", replaces=["a.csv"]):
            pytest.fail("the work began")


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (".", tmp_path, tmp_path.parent):
        with pytest.raises(UserError, match="is the folder that you are in"):
            with atomic_folder(path):
                pytest.fail("the work began")


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_place_of_a_folder_is_told(tmp_path, name):
    write(tmp_path, file="")
    with pytest.raises(UserError, match="cannot be written: .*; expected a folder"):
        with atomic_files(tmp_path / name):
            pass


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


def test_what_a_killed_run_left_is_swept_and_what_a_running_one_makes_stays(tmp_path):
    for name in (".x.partial", ".x.partialold", ".y.partial"):
        (tmp_path / name).mkdir()
    with atomic_folder(tmp_path / "x") as other:
        write(other, a="other")
        with atomic_folder(tmp_path / "x") as made:
            write(made, a="1")
        assert (tmp_path / "x" / "a").read_text() == "1"
    assert (tmp_path / "x" / "a").read_text() == "other"
    assert sorted(os.listdir(tmp_path)) == [".y.partial", "x"]
    with work_folder(tmp_path, ".y", sweep=False):
        assert (tmp_path / ".y.partial").exists()


def test_files_of_two_results_never_lie_side_by_side(tmp_path, monkeypatch):
    """Cut off at any of its renames, the folder holds the old result, or of the new one alone."""
    old, new = {"a": "old", "b": "old", "only old": "old"}, {"a": "new", "b": "new"}
    replace = os.replace
    for cut in (0, 1):
        write(tmp_path, **old, other="o")
        left = [cut]

        def cut_off(source, target, left=left):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            with atomic_files(tmp_path, replaces=tuple(old)) as work:
                write(work, **new)
        assert contents(tmp_path) == {"other": "o", **dict(list(new.items())[:cut])}
    monkeypatch.undo()
    write(tmp_path, **old)
    with atomic_files(tmp_path, replaces=tuple(old)) as work:
        write(work, **new)
    assert contents(tmp_path) == {**new, "other": "o"}


def test_a_folder_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done, fsync, rename = [], os.fsync, os.rename

    def note(descriptor):
        done.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "rename", lambda a, b: (done.append("rename"), rename(a, b)))
    with atomic_folder(tmp_path / "x") as made:
        os.mkdir(os.path.join(made, "below"))
        write(made, **{"below/b": "1"})
    assert done == ["b", "below", "made", "rename", tmp_path.name]


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
