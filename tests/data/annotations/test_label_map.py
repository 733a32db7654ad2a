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


@pytest.mark.parametrize(
    "text, problem",
    [
        (r'item { name: "\9" id: 1 }', r"line 1: \9 is no escape"),
        ('\nitem { id: 1 name: "a\\é" }', "line 2: \\é is no escape"),
        (r'item { name: "\777" id: 1 }', r"line 1: \777 is no escape"),
        (r'item { name: "\ud800" id: 1 }', r"line 1: \ud800 is no escape"),
        (r'item { name: "\x" id: 1 }', r"line 1: \x is no escape"),
        (r'item { name: "\377" id: 1 }', "line 1: a text is not UTF-8"),
        ("a {" * 5000, "line 1: more than 100 messages inside each other"),
        ('item { name: "a" id: 18446744073709551616 }', "line 1: id is 18446744073709551616; "),
        ('item { name: "a" id: 100001 }', "line 1: id is 100001; expected 100,000 at most"),
        ('item { name: "a" id: 08 }', "line 1: id must be a whole number from 1 on"),
        ('item { name: "a" id: 1_0 }', "line 1: id must be a whole number from 1 on"),
        ('item { name: "a" id: ' + "9" * 5000 + " }", "line 1: id must be a whole number"),
        ('item { name: "a" id: 1 id: 2 }', "line 1: this item has a second id"),
        ('item { name: "a" id: 1 }\nitem { name: "a" id: 2 }', "line 2: the name 'a' was given"),
        ('item { id: 1 name: "' + "a" * 1_000_000, "line 1: "),
    ],
)
def test_what_protobuf_refuses_is_one_line(text, problem):
    with pytest.raises(UserError) as caught:
        parse_label_map(text, "map.pbtxt")
    assert str(caught.value).startswith(f"map.pbtxt, {problem}")
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_escapes_and_numbers_are_protobufs():
    text = r'item { name: "caf\303" "\251\u00e9\U0001F600\?\x41\a" id: 012 }'
    text += ' item { name: "b" id: 0x1F }'
    assert parse_label_map(text).names == {10: "caféé😀?A\a", 31: "b"}


@pytest.mark.timeout(10)  # it took 93 s when each name was looked for among all before
def test_forty_thousand_items_are_read_at_once():
    text = "".join(f'item {{ name: "class {i}" id: {i} }}\n' for i in range(1, 40_001))
    label_map = parse_label_map(text)
    assert len(label_map) == 40_000 and label_map.names[40_000] == "class 40000"


def test_a_group_of_several_words_is_written_as_it_is_read(tmp_path):
    label_map = LabelMap({3: "a", 1: "b"}, {3: "two words", 1: "PERSON_MOVEMENT"})
    write_label_map(tmp_path / "map.pbtxt", label_map)
    assert read_label_map(tmp_path / "map.pbtxt") == label_map
