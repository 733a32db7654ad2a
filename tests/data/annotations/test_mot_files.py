"""Rows of MOT Challenge's files as its tools and CVAT write them, for both who read them."""

import numpy as np
import pytest

from avatx.data.annotations.mot_files import read_labels, read_rows
from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.errors import UserError
from avatx.importing.read import read_export

SEQINFO = "[Sequence]\nname=walk\nframeRate=1\nimWidth=100\nimHeight=50\n"


def sequence(tmp_path, *rows, labels=""):
    (tmp_path / "gt").mkdir()
    (tmp_path / "seqinfo.ini").write_text(SEQINFO)
    (tmp_path / "gt" / "gt.txt").write_text("".join(f"{row}\n" for row in rows))
    if labels:
        (tmp_path / "gt" / "labels.txt").write_text(labels)
    return str(tmp_path / "gt" / "gt.txt")


def imported(path, **arguments):
    """Seconds and actions."""
    table, classes, *_ = read_export(path, **arguments)
    names = [classes.names[class_id] for class_id in table.class_id.tolist()]
    return list(zip(table.timestamp.tolist(), names, strict=True))


def seconds_of_boxes(path):
    table = read_person_boxes([path])
    return [t for t in range(9) if (at := table.at("walk", t * 1_000_000)) and len(at.boxes)]


@pytest.mark.parametrize(
    "ending, kind",
    [
        ("", -1),
        (",0.9", -1),
        (",1,3", 3),
        (",1,3,0.5", 3),
        (",1,3,0.5,", 3),  # CVAT's tenth column, of nothing
        (",1,3,,", 3),
        (",0.9,-1,-1,-1", -1),
        (",1,4.5,2.25,0", -1),  # MOT15's place in the world
    ],
)
def test_which_column_is_the_class(tmp_path, ending, kind):
    row = "2, 7, 11, 6, 20, 40"
    assert [one.kind for one in read_rows(sequence(tmp_path, row + ending))] == [kind]


@pytest.mark.parametrize("ending", ["", ",0.5", ",0.5,"])
def test_a_car_is_no_person(tmp_path, ending):
    rows = (f"1,1,11,6,20,40,1,1{ending}", f"2,2,11,6,20,40,1,3{ending}")
    path = sequence(tmp_path, *rows)
    assert imported(path) == [(0, "person")]
    assert seconds_of_boxes(path) == [0]


def test_only_cars(tmp_path):
    path = sequence(tmp_path, "1,1,11,6,20,40,1,3,1")
    with pytest.raises(UserError, match=r"gt.txt: holds no person; .* classes \[3\]"):
        read_person_boxes([path])


@pytest.mark.parametrize("ending", ["", ",", ",-1"])
def test_labels_of_cvat_name_the_classes(tmp_path, ending):
    rows = [f"{n},{n},11,6,20,40,1,{n},1{ending}" for n in (1, 2, 3)]
    path = sequence(tmp_path, *rows, labels="car\nperson\n\ndog\n")
    assert read_labels(path) == ["car", "person", "dog"]
    assert imported(path, action="walk") == [(1, "walk")]
    assert seconds_of_boxes(path) == [1]


def test_labels_that_are_no_people_are_actions(tmp_path):
    rows = [f"{n},{n},11,6,20,40,1,{n},1" for n in (1, 2)]
    path = sequence(tmp_path, *rows, labels="walk\nstand\n")
    assert imported(path) == [(0, "walk"), (1, "stand")]
    assert seconds_of_boxes(path) == [0, 1]
    assert "hold no actions" not in str(read_export(path).notes)


def test_a_class_without_a_label(tmp_path):
    path = sequence(tmp_path, "1,1,11,6,20,40,1,2,1", labels="walk\n")
    with pytest.raises(UserError, match=r"gt.txt: row 1: class is 2; expected 1 to 1.*labels.txt"):
        read_export(path)


def test_boxes_are_counted_from_0(tmp_path):
    path = sequence(tmp_path, "1,1,11,6,20,40,0.5,1,1")
    found = read_person_boxes([path]).at("walk", 0)
    np.testing.assert_allclose(found.boxes, [[0.1, 0.1, 0.9, 0.3]], atol=1e-6)
    np.testing.assert_allclose(found.scores, [0.5])


def test_a_folder_of_sequences_is_several_videos(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sequence(tmp_path / name, "1,1,11,6,20,40,1,1,1")
    with pytest.raises(UserError, match="one/gt/gt.txt' and .*two/gt/gt.txt' would both be video"):
        read_export(str(tmp_path))
    (tmp_path / "two" / "seqinfo.ini").write_text(SEQINFO.replace("walk", "run"))
    result = read_export(str(tmp_path))
    assert result.table.video_names == ["run", "walk"]
    assert len(result.notes) == 1 and "hold no actions" in result.notes[0]
