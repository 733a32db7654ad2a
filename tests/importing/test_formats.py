"""Which tool a file is of, however it is called and whatever stands before its rows."""

import json

import pytest

from avatx.errors import UserError
from avatx.importing.read import guess_format, read_export

MANY = {
    "1": {"aname": "action", "type": 4, "options": {str(i): f"does thing {i}" for i in range(900)}}
}
VIA_CSV = (
    f"# Exported by VIA\n\n# ATTRIBUTE = {json.dumps(MANY)}\n#\n# CSV_HEADER = metadata_id,"
    "file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
)  # longer than what was looked at before


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("A.XML", b"<annotations/>", "cvat"),
        ("export", b"\xef\xbb\xbf<?xml version='1.0'?>", "cvat"),
        ("A.JSON", b'{"images": [], "annotations": []}', "coco"),
        ("via.saved", b'\xef\xbb\xbf {"metadata": {}, "file": {}}', "via"),
        ("GT.TXT", b"1,1,1,1,9,9", "mot"),
        ("via.csv", VIA_CSV.encode(), "via"),
        ("via.CSV", b"\xef\xbb\xbf" + VIA_CSV.replace("\n", "\r\n").encode(), "via"),
        ("ava.csv", b"\xef\xbb\xbfv,1,0,0,1,1,1,1\n", "ava"),
        ("ava.csv", b"\n\nCSV_HEADER,1,0,0,1,1,1,1\n", "ava"),
        ("empty.csv", b"", "ava"),
    ],
)
def test_a_format_is_told_by_its_content(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert guess_format(str(path)) == expected


def test_an_archive_is_to_be_unpacked(tmp_path):
    path = tmp_path / "task.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(99))
    with pytest.raises(UserError, match="task.zip: is a zip archive; unpack it"):
        read_export(str(path))


@pytest.mark.parametrize("file_format", ["", "mot"])
def test_a_folder_is_a_sequence_of_mot(tmp_path, file_format):
    with pytest.raises(UserError, match="is a folder; expected .*gt/gt.txt in it, or"):
        read_export(str(tmp_path), file_format)
