"""The csv that says whom a label concerns."""

import pytest

from avatx.data.annotations.concerned_csv import Concern, read_concerned, write_concerned
from avatx.errors import UserError


def test_what_was_written_is_read(tmp_path):
    rows = [Concern("a", 902.0, 80, 3, 1), Concern("b", 1.25, 69, 0, 2)]
    write_concerned(tmp_path / "c.csv", rows)
    assert (tmp_path / "c.csv").read_text() == "a,0902,80,3,1\nb,1.25,69,0,2\n"
    assert read_concerned(tmp_path / "c.csv") == rows
    write_concerned(tmp_path / "none.csv", [])
    assert read_concerned(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    "row, said",
    [
        ("v,1,80,0", "has 4 columns instead of 5"),
        ("v;1;80;0;1", "separated by ';' (expected commas)"),
        ("v\t1\t80\t0\t1", "separated by tabs (expected commas)"),
        ("v;1,5;80;0;1", "separated by ';' (expected commas)"),
        (" ,1,80,0,1", "has no video id"),
        ("v,soon,80,0,1", "timestamp is 'soon', not a number of seconds"),
        ("v,inf,80,0,1", "timestamp is 'inf', not a finite number"),
        ("v,1,80,0.5,1", "person id is '0.5', not a whole number"),
        ("v,1,80,0,him", "concerned person's id is 'him', not a whole number"),
        ("v,1,80,4,4", "person 4 is concerned by a label of its own"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, row, said):
    (tmp_path / "c.csv").write_text(f"v,1,80,0,1\n\n{row}\n")
    with pytest.raises(UserError, match="c.csv, line 3: ") as raised:
        read_concerned(tmp_path / "c.csv")
    assert said in str(raised.value) and "\n" not in str(raised.value)
    (tmp_path / "c.csv").write_text("video,time,class,person,concerned\nv,1,80,0,1\n")
    with pytest.raises(UserError, match="line 1: .*looks like a header"):
        read_concerned(tmp_path / "c.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read_concerned(tmp_path / "gone.csv")
