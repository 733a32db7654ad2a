"""Label maps: every spelling in use is read, mistakes name their line."""

import pytest

from avatx.data.annotations.label_map import (
    LabelMap,
    parse_label_map,
    read_label_map,
    write_label_map,
)
from avatx.errors import UserError


@pytest.mark.parametrize(
    "text",
    [
        'item {\n  name: "a"\n  id: 1\n}\nitem {\n  name: "b"\n  id: 5\n}\n',
        "item { id: 1 name: 'a' } item { id: 5, name: 'b'; }",
        'label { name: "a" label_id: 1 } label { label_id: 5 label_name: "b" }',
        '# AVA\nitem: < name: "a" id: 0x1 > # one\nitem { name: "b" id: 5 display_name: "B" }',
        'item{name:"a"id:1}item{name:"b"id:5 keypoints{id:3 label:"nose"} '
        "frequency:FREQUENT x:1.5}",
        '\nitem {\r\n name: "a"\r\n id: 1\r\n}\r\nitem { name: "" "b" id: 5 }',
    ],
)
def test_spellings(text):
    label_map = parse_label_map(text)
    assert label_map.names == {1: "a", 5: "b"} and label_map.max_id == 5 and len(label_map) == 2


def test_groups_are_kept():
    label_map = parse_label_map(
        'label { name: "stand" label_id: 12 label_type: PERSON_MOVEMENT }\n'
        'label { name: "read" label_id: 48 label_type: OBJECT_MANIPULATION }\n'
    )
    assert label_map.groups == {12: "PERSON_MOVEMENT", 48: "OBJECT_MANIPULATION"}


def test_escapes():
    text = r'item { name: "a \"b\" \\ \'c\' \n\t\303\251\xc3\xa9" id: 1 }'
    assert parse_label_map(text).names == {1: "a \"b\" \\ 'c' \n\téé"}


@pytest.mark.parametrize(
    "text, line, words",
    [
        ('item { name: "a" id: 1 }\nitem { name: "b" id: 1 }', 2, "line 1 already"),
        ('item { name: "a" id: 1 }\nitem { name: "a" id: 2 }', 2, "'a' was given"),
        ('item { name: "a" }', 1, "no id"),
        ("\n\nitem { id: 3 }", 3, "no name"),
        ('item { name: "a" id: 0 }', 1, "background"),
        ('item { name: "a"\n id: x }', 2, "whole number"),
        ('item { name: "a"\n id: 1.5 }', 2, "whole number"),
        ("item { name: 5 id: 3 }", 1, "quoted"),
        ('item { name: "a" id: 1\n', 2, "end of the file"),
        ('item { name: "a id: 1 }\n', 1, "not label map text"),
        ("item 5", 1, "expected"),
        ("}", 1, "expected"),
        ("item: 3", 1, "expected"),
        ("{ }", 1, "expected"),
        ("v,0902,0.1,0.2,0.5,0.6,12\n", 1, "expected"),
    ],
)
def test_mistakes_name_their_line(text, line, words):
    with pytest.raises(UserError) as caught:
        parse_label_map(text, "x.pbtxt")
    assert str(caught.value).startswith(f"x.pbtxt, line {line}: ")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_label_map(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\x93\xff\x00")
    for name in ("absent", "empty", "binary", "."):
        with pytest.raises(UserError, match=name):
            read_label_map(tmp_path / name)


def test_what_is_written_is_read_back(tmp_path):
    label_map = LabelMap(
        {80: 'watch "a" person\\', 3: "crouch/kneel", 5: "é\n"}, {3: "PERSON_MOVEMENT"}
    )
    write_label_map(tmp_path / "a.pbtxt", label_map)
    back = read_label_map(tmp_path / "a.pbtxt")
    assert back == label_map and list(back.names) == [80, 3, 5]
