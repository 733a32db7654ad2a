"""Reading and writing AVA csv: both parsers give the same, mistakes name their line."""

import gzip

import numpy as np
import pytest

from avatx.data.annotations import ava_csv
from avatx.data.annotations.ava_table import AvaTable
from avatx.errors import UserError

ROW = "v,0902,0.1,0.2,0.5,0.6,12"


def write(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def assert_same(a, b):
    assert a.video_id.tolist() == b.video_id.tolist()
    assert a.empty_keyframes == b.empty_keyframes
    for name in ("timestamp", "boxes", "class_id", "score", "person_id"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right)


def test_columns_of_an_annotation_row(tmp_path):
    table = ava_csv.read_annotations(write(tmp_path, ROW + ",7\n"))
    assert table.video_id.tolist() == ["v"] and table.timestamp.tolist() == [902.0]
    assert table.boxes.tolist() == [[0.2, 0.1, 0.6, 0.5]]  # y first
    assert table.class_id.tolist() == [12] and table.person_id.tolist() == [7]
    assert table.score is None


def test_rows_of_2_7_and_8_columns_may_be_mixed(tmp_path):
    text = f"{ROW}\nw,0903\n{ROW},3\n"
    table = ava_csv.read_annotations(write(tmp_path, text))
    assert table.person_id.tolist() == [-1, 3]
    assert table.empty_keyframes == [("w", 903.0)]
    assert table.keyframes() == [("v", 902.0), ("w", 903.0)]
    assert ava_csv.read_detections(write(tmp_path, text)).score.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("last", ["", ",0.25"])
@pytest.mark.parametrize("kind", ["annotations", "detections"])
def test_fast_and_careful_parser_agree(tmp_path, monkeypatch, last, kind):
    if kind == "annotations" and last:
        last = ",25"
    rng = np.random.default_rng(0)
    rows = [
        f"video {v}é,{t},{','.join(str(x) for x in b)},{c}{last}\n"
        for v, t, b, c in zip(
            rng.integers(0, 5, 500),
            (rng.integers(0, 9000, 500) / 10).tolist(),
            rng.random((500, 4)).tolist(),
            rng.integers(-1, 90, 500),
            strict=True,
        )
    ]
    path = write(tmp_path, "".join(rows))
    read = ava_csv.read_annotations if kind == "annotations" else ava_csv.read_detections
    used = []
    fast = ava_csv._parse_fast
    monkeypatch.setattr(ava_csv, "_parse_fast", lambda *a: used.append(fast(*a)) or used[-1])
    monkeypatch.setattr(ava_csv, "_CHUNK_BYTES", 1000)
    table = read(path)
    assert len(used) > 10 and None not in used
    monkeypatch.setattr(ava_csv, "_parse_fast", lambda *a: None)
    assert_same(table, read(path))
    assert len(table) == 500


@pytest.mark.parametrize(
    "spelling",
    [
        "v,902,.1,2e-1,0.50,+.6,012,1",
        "v,9.02e2, .1,0.2,0.5,0.6, 12 ,1.0",
        '"v","902.0","0.1",0.2,0.5,0.6,"12","1e0"',
        "v,00902.000,0.1,0.2,0.5,0.6,+12,1.",
    ],
)
def test_spellings_of_one_row(tmp_path, spelling):
    plain = ava_csv.read_detections(write(tmp_path, ROW + "\n"))
    assert_same(ava_csv.read_detections(write(tmp_path, spelling + "\n")), plain)


@pytest.mark.parametrize(
    "content",
    [
        f"{ROW}\n{ROW}",
        f"{ROW}\r\n{ROW}\r\n",
        f"\n{ROW}\n\n{ROW}\n\n",
        f"\ufeff{ROW}\n{ROW}\n",
        gzip.compress(f"{ROW}\n{ROW}\n".encode()),
    ],
    ids=["no final newline", "CRLF", "blank lines", "byte order mark", "gzip"],
)
@pytest.mark.parametrize("chunk_bytes", [10, 1 << 20])
def test_forms_of_a_file(tmp_path, monkeypatch, content, chunk_bytes):
    monkeypatch.setattr(ava_csv, "_CHUNK_BYTES", chunk_bytes)
    plain = ava_csv.read_annotations(write(tmp_path, f"{ROW}\n{ROW}\n", "plain.csv"))
    assert len(plain) == 2
    assert_same(ava_csv.read_annotations(write(tmp_path, content)), plain)


@pytest.mark.parametrize(
    "row, problem",
    [
        ("v,0902,0.1,0.2,0.5,0.6", "6 columns"),
        (ROW + ",1,2", "9 columns"),
        ("v,0902,0.1,0.2,x,0.6,12", "x2 is 'x'"),
        ("v,0902,0.1,0.2,,0.6,12", "x2 is ''"),
        ("v,0902,nan,0.2,0.5,0.6,12", "not finite"),
        ("v,soon,0.1,0.2,0.5,0.6,12", "timestamp is 'soon'"),
        ("v,inf,0.1,0.2,0.5,0.6,12", "timestamp is 'inf'"),
        ("v,0902,0.1,0.2,0.5,0.6,12.0", "class id is '12.0'"),
        ("v,0902,0.1,0.2,0.5,0.6,0x0C", "class id is '0x0C'"),
        ("v,0902,0.1,0.2,0.5,nan(1),12", "y2 is 'nan(1)'"),
        (",0902,0.1,0.2,0.5,0.6,12", "no video id"),
        (ROW + ",0.93", "detection file"),
        (ROW + ",3_", "person id is '3_'"),
        ("v,0902,0.1,0.2,0.5,0.6,NA", "class id is 'NA'"),
        (b"v,0902,0.1,0.2,0.5,0.6,12\xff", "not UTF-8"),
        (b"v\x00,0902,0.1,0.2,0.5,0.6,12", "zero byte"),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [30, 1 << 20])
def test_a_bad_row_is_named_with_its_line(tmp_path, monkeypatch, row, problem, chunk_bytes):
    monkeypatch.setattr(ava_csv, "_CHUNK_BYTES", chunk_bytes)
    row = row if isinstance(row, bytes) else row.encode()
    path = write(tmp_path, f"{ROW}\n\n{ROW}\n".encode() + row + f"\n{ROW}\n".encode())
    with pytest.raises(UserError) as caught:
        ava_csv.read_annotations(path)
    message = str(caught.value)
    assert f"{path}, line 4: " in message and problem in message and "\n" not in message


@pytest.mark.parametrize("chunk_bytes", [1, 30, 1 << 20])
def test_blank_lines_count_as_lines_wherever_a_piece_of_the_file_ends(
    tmp_path, monkeypatch, chunk_bytes
):
    monkeypatch.setattr(ava_csv, "_CHUNK_BYTES", chunk_bytes)
    path = write(tmp_path, f"\n\n{ROW}\n" + "\n" * 70 + f"{ROW}\n\n{ROW}")
    assert [line for line, _ in ava_csv.iterate_lines(path)] == [3, 74, 76]


def test_a_header_is_said_to_be_one(tmp_path):
    path = write(tmp_path, f"video_id,timestamp,x1,y1,x2,y2,action\n{ROW}\n")
    with pytest.raises(UserError, match="line 1: .*no header"):
        ava_csv.read_annotations(path)


def test_files_that_cannot_be_read(tmp_path):
    damaged = gzip.compress(f"{ROW}\n".encode() * 1000)[:-20]
    for path in (tmp_path / "absent.csv", tmp_path, write(tmp_path, damaged)):
        with pytest.raises(UserError, match=str(path)):
            ava_csv.read_detections(path)


def test_an_empty_file_is_no_rows(tmp_path):
    for content in ("", "\n\n"):
        path = write(tmp_path, content)
        assert len(ava_csv.read_detections(path)) == 0
        assert ava_csv.read_annotations(path).keyframes() == []


def random_table(score):
    rng = np.random.default_rng(1)
    boxes = rng.random((50, 4)).astype(np.float32)
    if not score:
        boxes = np.round(boxes.astype(np.float64), 3)
    last = (
        {"score": rng.random(50).astype(np.float32)}
        if score
        else {"person_id": rng.integers(-1, 9, 50)}
    )
    return AvaTable.from_columns(
        [f"v{i % 3}" for i in range(50)],
        np.round(rng.random(50) * 2000, 6),
        boxes,
        rng.integers(1, 81, 50),
        empty_keyframes=[("v9", 7.25)],
        **last,
    )


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "a.csv"
    annotations, detections = random_table(score=False), random_table(score=True)
    ava_csv.write_annotations(path, annotations)
    assert_same(ava_csv.read_annotations(path), annotations)
    ava_csv.write_detections(path, detections)
    back = ava_csv.read_detections(path)
    for name in ("boxes", "score"):  # float32 values come back exactly
        expected, found = getattr(detections, name), getattr(back, name)
        np.testing.assert_array_equal(found.astype(np.float32), expected.astype(np.float32))
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_annotations_are_written_as_ava_writes_them(tmp_path):
    table = AvaTable.from_columns(
        ["v", "v"], [902.0, 12.5], [[0.2, 0.1, 0.6, 0.5]] * 2, [12, 1], person_id=[-1, 4]
    )
    ava_csv.write_annotations(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_text() == (
        "v,0902,0.100,0.200,0.500,0.600,12\nv,12.5,0.100,0.200,0.500,0.600,1,4\n"
    )


def test_a_video_id_that_csv_cannot_hold_is_refused_and_nothing_is_left(tmp_path):
    table = AvaTable.from_columns(["a,b"], [1], [[0, 0, 1, 1]], [1])
    with pytest.raises(UserError, match="a,b"):
        ava_csv.write_annotations(tmp_path / "a.csv", table)
    assert list(tmp_path.iterdir()) == []


def test_excluded_timestamps(tmp_path):
    path = write(tmp_path, "v,0914\nw,3.25\n")
    assert ava_csv.read_excluded_timestamps(path) == {("v", 914.0), ("w", 3.25)}
    with pytest.raises(UserError, match="line 2: .*7 columns"):
        ava_csv.read_excluded_timestamps(write(tmp_path, f"v,0914\n{ROW}\n"))
