"""What every reader of a csv says of a header, and of another separator than commas."""

import pytest
from made_exports import SEQINFO

from avatx.data.annotations import ava_csv, concerned_csv, labelled_list, person_box_files
from avatx.data.annotations.csv_validation import read_durations, validate_csv
from avatx.errors import UserError
from avatx.importing.read import read_export


def _validated(path):
    first = validate_csv(path).bad_rows[0]
    raise UserError(f"{path}, line {first.line}: {first.problem}")


MOT = "1,4,11,6,20,40,1"
# Reader, name of its file, a row that it takes, a header.
READERS = {
    "annotations": (ava_csv.read_annotations, "a.csv", "v,902,0.1,0.2,0.3,0.4,1,7", "video,t,x1"),
    "detections": (ava_csv.read_detections, "a.csv", "v,902,0.1,0.2,0.3,0.4,1,0.5", "video,t,x1"),
    "excluded": (ava_csv.read_excluded_timestamps, "a.csv", "v,902", "video,timestamp"),
    "concerned": (concerned_csv.read_concerned, "a.csv", "v,1,80,0,1", "video,time,class"),
    "durations": (read_durations, "a.csv", "v,12.5", "video,seconds"),
    "validation": (_validated, "a.csv", "v,902,0.1,0.2,0.3,0.4,1,7", "video,t,x1"),
    "labelled": (labelled_list.read_csv, "a.csv", "a.mp4,walk,0,1", ""),
    "person boxes": (
        lambda path: person_box_files.read_person_boxes([path]),
        "a.csv",
        "v,902,0.1,0.2,0.3,0.4,1,0.5",
        "video,t,x1",
    ),
    "person boxes of MOT": (
        lambda path: person_box_files.read_person_boxes([path]),
        "det.txt",
        MOT,
        "frame,id,left",
    ),
    "MOT": (read_export, "gt.txt", MOT, "frame,id,left"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "separator, said",
    [(";", "';'"), ("\t", "tabs"), ("|", "'|'"), (" ", "spaces"), (None, "")],
)
def test_a_wrong_line_says_what_it_looks_like(tmp_path, name, separator, said):
    read, file, row, header = READERS[name]
    (tmp_path / "seqinfo.ini").write_text(SEQINFO)
    path = tmp_path / file
    if separator is None:
        if not header:
            return  # its heading has a message of its own
        lines, number, said = [header, row], 1, "looks like a header"
    else:
        said = f"it is separated by {said} (expected commas)"
        lines, number = [row, "", row.replace(",", separator)], 3
        if separator == ";":  # as a spreadsheet writes it where a comma is decimal
            lines[2] = lines[2].replace("0.", "0,")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError) as raised:
        read(str(path))
    assert str(raised.value).startswith(f"{path}, line {number}: ")
    assert said in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", READERS)
def test_a_right_file_is_read(tmp_path, name):
    read, file, row, _ = READERS[name]
    (tmp_path / "seqinfo.ini").write_text(SEQINFO)
    (tmp_path / file).write_text(f"{row}\n")
    if name == "validation":
        assert validate_csv(str(tmp_path / file)).bad_rows == []
    else:
        assert read(str(tmp_path / file))


def test_a_right_separator_is_not_blamed_for_another_mistake(tmp_path):
    (tmp_path / "a.csv").write_text("a;b,1,80,0.5,1\n")
    with pytest.raises(UserError) as raised:
        concerned_csv.read_concerned(tmp_path / "a.csv")
    assert "separated" not in str(raised.value) and "person id is '0.5'" in str(raised.value)
