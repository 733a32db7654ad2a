"""What is about to be written is writable, and none of what is read."""

import os

import pytest

from avatx import outputs
from avatx.errors import UserError


def test_a_file_that_can_be_written_and_those_that_cannot(tmp_path):
    outputs.check_file(str(tmp_path / "new.csv"))
    outputs.check_file(os.devnull)
    outputs.check_file("s3://bucket/nobody/knows.csv")
    (tmp_path / "link").symlink_to(tmp_path / "absent" / "a.csv")
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "absent" / "a.csv", "there is no folder .*absent"),
        (tmp_path / "link", "there is no folder .*absent"),
    ):
        with pytest.raises(UserError, match=f"^result {path}: {said}"):
            outputs.check_file(str(path), "result")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="nothing can be written in"):
        outputs.check_file(str(tmp_path / "a"))
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("given", ["a.csv", "folder/../a.csv", "link", "hard", "a.*", "[ab].csv"])
def test_an_input_is_found_under_any_name(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "link").symlink_to("a.csv")
    os.link("a.csv", "hard")
    for value in (given, [given], ["absent", given]):
        for written in ("a.csv", "link", str(tmp_path / "a.csv")):
            with pytest.raises(UserError, match=r"^output .*are read \(`data`\)"):
                outputs.refuse_overwriting(["other", written], {"none": None, "data": value})
    outputs.refuse_overwriting(["b.csv", "folder"], {"data": [given, "folder", "b.csv"]})


def test_a_prefix_of_a_checkpoint_is_its_files(tmp_path):
    (tmp_path / "ckpt-1.index").write_text("")
    prefix = str(tmp_path / "ckpt-1")
    with pytest.raises(UserError, match="are read"):
        outputs.refuse_overwriting([prefix + ".index"], {"source": prefix})


def test_a_folder_that_can_be_written_in_and_those_that_cannot(tmp_path):
    (tmp_path / "file").write_text("mine")
    for good in (".", "new", "new/in/new"):
        outputs.check_folder(str(tmp_path / good))
    outputs.check_folder("s3://bucket/of/somebody")
    for bad in ("file", "file/new"):
        with pytest.raises(UserError, match=f"^there {tmp_path}/{bad}: .*/file is a file; expect"):
            outputs.check_folder(str(tmp_path / bad), "there")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(UserError, match="^there new/x: .*/file is a file"):
        outputs.check_folder(str(tmp_path / "file" / "new"), "there", shown="new/x")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="of Linux")
def test_where_no_file_can_be_made_whatever_the_permissions():
    for check, path in ((outputs.check_file, "/proc/a.csv"), (outputs.check_folder, "/proc/new")):
        with pytest.raises(UserError, match=f"^output {path}: nothing can be written in /proc"):
            check(path)


def test_a_folder_where_a_file_would_be_written(tmp_path):
    outputs.refuse_folders([str(tmp_path / "new"), __file__])
    with pytest.raises(UserError, match=f"^output {tmp_path}: is a folder; expected a file"):
        outputs.refuse_folders([str(tmp_path)])
