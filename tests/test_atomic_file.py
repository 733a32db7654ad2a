"""Whole or not at all; what is no plain file is written to, never replaced."""

import os
import pathlib
import threading

import pytest

from avatx.atomic_file import atomic_binary_file, atomic_path, atomic_text_file
from avatx.errors import UserError


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="in the block"):
        with atomic_text_file(path) as file:
            file.write("half")
            raise ValueError("in the block")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["result.json"]


def test_a_link_stays_and_its_target_is_written(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target.name)
    with atomic_text_file(link) as file:
        file.write("new")
    assert link.is_symlink() and target.read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["link.json", "target.json"]


def test_a_pipe_is_written_to_and_stays(tmp_path):
    """As --output /dev/stdout: replacing the device would break the machine for everybody."""
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()), daemon=True)
    reader.start()
    with atomic_text_file(path) as file:
        file.write("content")
    reader.join(timeout=10)
    assert found == ["content"] and path.is_fifo() and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line(tmp_path):
    path = tmp_path / "full"
    path.symlink_to("/dev/full")  # a link, so that a mistake replaces the link
    with pytest.raises(UserError, match="cannot be written: No space left"):
        with atomic_text_file(path) as file:
            file.write("content")


def test_a_folder_is_no_place_to_write_to(tmp_path):
    with pytest.raises(UserError, match="cannot be written: Is a directory"):
        with atomic_text_file(tmp_path) as file:
            file.write("content")


def test_bytes_and_a_name_to_write_to(tmp_path):
    path = tmp_path / "data"
    with atomic_binary_file(path) as file:
        file.write(b"\x00\r\n")
        assert not path.exists()
    assert path.read_bytes() == b"\x00\r\n"
    (tmp_path / "elsewhere").mkdir()
    with atomic_path(path, str(tmp_path / "elsewhere")) as name:
        assert os.path.dirname(name) == str(tmp_path / "elsewhere")
        with open(name, "wb") as file:
            file.write(b"new")
        assert path.read_bytes() == b"\x00\r\n"
    assert path.read_bytes() == b"new" and not os.listdir(tmp_path / "elsewhere")


def test_two_at_once_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "result"
    with atomic_text_file(path) as one, atomic_text_file(path) as other:
        one.write("one")
        other.write("other")
    assert path.read_text() == "one" and os.listdir(tmp_path) == ["result"]


def test_what_killed_programs_left_goes_with_the_next_file(tmp_path):
    left = [".other.0123456789ab.partial", "result.4711.partial", ".result.0123456789ab.partial"]
    left.append("result.0f8fad5b-d9cb-469f-a165-70867728950e.partial")
    stays = ["film.4711.partial", ".partial", "result.partial", "result"]
    for name in left + stays:
        (tmp_path / name).write_text("x")
    with atomic_text_file(tmp_path / "another") as alive:
        with atomic_text_file(tmp_path / "result") as file:
            file.write("new")
        alive.write("alive")
    assert sorted(os.listdir(tmp_path)) == sorted([*stays, "another"])
    assert (tmp_path / "another").read_text() == "alive"


def test_it_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def note(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        is_folder = os.path.isdir(path)
        done.append(("flushed", "the folder" if is_folder else pathlib.Path(path).read_text()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("renamed"), replace(a, b)))
    with atomic_text_file(tmp_path / "result") as file:
        file.write("all of it")
    assert done == [("flushed", "all of it"), "renamed", ("flushed", "the folder")]
    with atomic_text_file(tmp_path / "note", lasting=False) as file:
        file.write("x")
    assert done[3:] == ["renamed"]


def test_only_errors_of_this_file_are_said_to_be_its(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        with atomic_text_file(tmp_path / "result"):
            open(tmp_path / "absent").close()
    with pytest.raises(UserError, match="none/result cannot be written: No such file"):
        with atomic_binary_file(tmp_path / "none" / "result"):
            pass
    assert not os.listdir(tmp_path)


def test_a_file_on_one_of_tensorflows_file_systems():
    import tensorflow as tf

    path, files = "ram://folder/result.txt", tf.io.gfile
    with atomic_text_file(path) as file:
        file.writelines(["é\n", "b\n"])
        assert not files.exists(path)
    with pytest.raises(ValueError, match="in the block"):
        with atomic_text_file(path) as file:
            file.write("half")
            raise ValueError("in the block")
    assert files.GFile(path, "rb").read() == "é\nb\n".encode()
    with atomic_binary_file(path) as file:
        file.write(b"\xff")
    assert files.GFile(path, "rb").read() == b"\xff"
    assert [name for name in files.listdir("ram://folder") if "partial" in name] == []
