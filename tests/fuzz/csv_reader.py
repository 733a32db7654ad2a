"""The csv readers: a table or a UserError, the same by both readers, and read back when written."""

import gzip
import os
import random

import numpy as np
from mutation import mutate

from avatx.data.annotations import ava_csv
from avatx.data.annotations.ava_table import AvaTable
from avatx.errors import UserError

_WORDS = [
    *(b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b'"', b'""', b",", b"\0", b" ", b"\t", b"\x0b"),
    *(b"nan", b"inf", b"-inf", b"1e400", b"1e-400", b"0x10", b" 0x10", b"1_0", b"+.5", b"-0"),
    *(b"NaN(1)", b"Infinity", b"9223372036854775808", b"-2147483649", b"2147483647", b"1" * 400),
    *(b"v,902\n", b'"a,b",902\n', b"v,0902,0.1,0.2,0.5,0.6,12,1\n", b"NA", b"null", b"N/A", b"#"),
    *("é".encode(), "\u2028".encode(), "\x85".encode(), "١".encode(), "\u3000".encode(), b"\xff"),
    *(b".", b"e", b"E5", b"-", b"12.0", b"\x1f\x8b", b"v" * 1100, b"d", b"f", b"1e", b"\x1c"),
]
_GOOD = [
    b"v,0902,0.1,0.2,0.5,0.6,12\nv,0903,0.15,0.2,0.55,0.6,2\n",
    b"v,0902,0.1,0.2,0.5,0.6,12,7\nw,0903,0.15,0.2,0.55,0.6,2,-1\n",
    b"v,0902,0.1,0.2,0.5,0.6,12,0.93\r\nw 2,903.5,0.15,2e-1,0.55,.6,2,1\r\n",
    b'"v",0902,0.1,0.2,0.5,0.6,12\nw,0903\nv,0904,0.1,0.2,0.5,0.6,12,3\n',
]


def make(generator: random.Random) -> bytes:
    """An input."""
    data = mutate(generator.choice(_GOOD), _WORDS, generator)
    if generator.random() < 0.02:
        data = mutate(gzip.compress(data, mtime=0), _WORDS, generator)
    return data


def check(data: bytes, folder: str) -> bool:
    """Whether there is a value; False for a UserError. Asserts what both readers promise."""
    path = os.path.join(folder, "case.csv")
    with open(path, "wb") as file:
        file.write(data)
    good = False
    for read, write in (
        (ava_csv.read_annotations, ava_csv.write_annotations),
        (ava_csv.read_detections, ava_csv.write_detections),
    ):
        fast, careful = _read(read, path), _carefully(read, path)
        if isinstance(fast, str) or isinstance(careful, str):
            assert fast == careful, (fast, careful)
            assert "\n" not in fast and path in fast and len(fast) < 600, fast
        else:
            good = True
            _assert_same(fast, careful)
            _assert_read_back(read, write, fast, os.path.join(folder, "written.csv"))
    _read(ava_csv.read_excluded_timestamps, path)
    return good


def _read(read, path: str):
    try:
        return read(path)
    except UserError as error:
        return str(error)


def _carefully(read, path: str):
    fast = ava_csv._parse_fast
    ava_csv._parse_fast = lambda *arguments: None
    try:
        return _read(read, path)
    finally:
        ava_csv._parse_fast = fast


def _assert_same(one: AvaTable, other: AvaTable) -> None:
    assert one.video_names == other.video_names, (one.video_names, other.video_names)
    assert one.empty_keyframes == other.empty_keyframes
    for name in ("video_index", "timestamp", "boxes", "class_id", "score", "person_id"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, (name, left.dtype, right.dtype)
            np.testing.assert_array_equal(left, right, name)


def _assert_read_back(read, write, table: AvaTable, path: str) -> None:
    try:
        write(path, table)
    except UserError:
        assert not os.path.exists(path)
        return
    back = read(path)
    os.unlink(path)
    assert back.video_id.tolist() == table.video_id.tolist()
    assert back.class_id.tolist() == table.class_id.tolist()
    assert sorted(back.empty_keyframes) == sorted(table.empty_keyframes)
    if table.person_id is not None:
        assert back.person_id.tolist() == table.person_id.tolist()
    else:
        np.testing.assert_allclose(back.boxes, table.boxes, rtol=1e-8)
        np.testing.assert_allclose(back.score, table.score, rtol=1e-8)
