"""The label map reader: a map or a UserError; what is read, is written and read again as it was."""

import os
import random

from mutation import mutate

from avatx.data.annotations.label_map import MAX_CLASS_ID, read_label_map, write_label_map
from avatx.errors import UserError

_WORDS = [
    *(b'"', b"'", b"{", b"}", b"<", b">", b"[", b"]", b":", b";", b",", b"#", b"\\", b"\n", b"\r"),
    *(b"\\9", b"\\777", b"\\x", b"\\xff", b"\\u00e9", b"\\ud800", b"\\U0010ffff", b"\\U00110000"),
    *(b"\\n", b"\\0", b"\\?", b"\\'", b"item {", b'name: "a"', b"id: 7", b"id: 012", b"id: 09"),
    *(b"18446744073709551616", b"-1", b"0x1F", b"1e3", b"1_0", b"0", b"9" * 5000, b"true"),
    *(
        b"item " * 3,
        b"{" * 200,
        b"a{" * 300,
        b"label_type: X",
        b'label_type: "a b"',
        b"\0",
        b"\xff",
    ),
    *("é".encode(), "\u2028".encode(), b"\xef\xbb\xbf", b"name", b"id", b"item", b"7", b" "),
]
_GOOD = [
    b'item { name: "stand" id: 12 }\nitem { name: "sit" id: 11 }\n',
    b'# a comment\nlabel {\n  name: "stand"\n  label_id: 12\n  label_type: PERSON_MOVEMENT\n}\n',
    b"item < id: 1, name: 'caf\\303\\251' \"s\" display_name: \"x\" > item: { id: 2; name: 'b' }",
]


def make(generator: random.Random) -> bytes:
    """An input."""
    return mutate(generator.choice(_GOOD), _WORDS, generator)


def check(data: bytes, folder: str) -> bool:
    """Whether there is a value; False for a UserError."""
    path = os.path.join(folder, "case.pbtxt")
    with open(path, "wb") as file:
        file.write(data)
    try:
        label_map = read_label_map(path)
    except UserError as error:
        assert path in str(error) and len(str(error)) < 600, error
        assert "\n" not in str(error).replace("\\n", ""), error
        return False
    assert min(label_map.names) >= 1 and label_map.max_id <= MAX_CLASS_ID
    write_label_map(path, label_map)
    assert read_label_map(path) == label_map
    return True
