"""Reading and writing AVA csv: both parsers give the same, mistakes name their line."""

import gzip
import time

import numpy as np
import pytest

from avatx.data.annotations import ava_csv, csv_chunks, csv_validation
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
    monkeypatch.setattr(csv_chunks, "_CHUNK_BYTES", 1000)
    table = read(path)
    assert len(used) > 10 and None not in used
    monkeypatch.setattr(ava_csv, "_parse_fast", lambda *a: None)
    assert_same(table, read(path))
    assert len(table) == 500


@pytest.mark.parametrize("video_id", ["x", "0x", "0x1f", "a0Xb", "-0x", "yx_0X0x"])
def test_ids_that_hold_an_x_are_read_fast(tmp_path, monkeypatch, video_id):
    """Only numbers may not be hexadecimal."""
    fast = ava_csv._parse_fast
    used = []
    monkeypatch.setattr(ava_csv, "_parse_fast", lambda *a: used.append(fast(*a)) or used[-1])
    row = ROW.replace("v,", f"{video_id},", 1)
    table = ava_csv.read_detections(write(tmp_path, f"{ROW}\n{row}\n"))
    assert used != [None] and table.moment(1)[0] == video_id
    for number in ("0x1F", " 0X0", "+0x1", "\t-0x1p3"):
        changed = row.replace(",0.2,", f",{number},")
        assert number in changed
        with pytest.raises(UserError, match=r"line 2: y1 is .*0[xX].*, not a number"):
            ava_csv.read_detections(write(tmp_path, f"{ROW}\n{changed}\n"))


def test_hexadecimal_numbers_are_found_as_by_a_search_of_each_comma():
    generator = np.random.default_rng(0)
    letters = np.frombuffer(b"0xX,,+- \tv1", np.uint8)
    found = []
    for _ in range(3000):
        text = generator.choice(letters, generator.integers(1, 80)).tobytes()
        found.append(bool(ava_csv._HEXADECIMAL.search(text)))
        assert ava_csv._holds_hexadecimal(text) == found[-1], text
    assert 0.05 < np.mean(found) < 0.95


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
    monkeypatch.setattr(csv_chunks, "_CHUNK_BYTES", chunk_bytes)
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
        ("v,0902,0.1,0.2,0.5,0.6, 0x0C", "class id is ' 0x0C'"),
        ("v,0902,0.1,0.2,0.5,0.6,\t0X0C", "class id is '\\t0X0C'"),
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
    monkeypatch.setattr(csv_chunks, "_CHUNK_BYTES", chunk_bytes)
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
    monkeypatch.setattr(csv_chunks, "_CHUNK_BYTES", chunk_bytes)
    path = write(tmp_path, f"\n\n{ROW}\n" + "\n" * 70 + f"{ROW}\n\n{ROW}")
    assert [line for line, _ in ava_csv.iterate_lines(path)] == [3, 74, 76]


def test_a_header_is_said_to_be_one(tmp_path):
    path = write(tmp_path, f"video_id,timestamp,x1,y1,x2,y2,action\n{ROW}\n")
    with pytest.raises(UserError, match="line 1: .*looks like a header"):
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


def both_readers(path, kind, monkeypatch):
    """What the two readers make of a file: a table, or the message; asserts that they agree."""
    read = ava_csv.read_annotations if kind == "annotations" else ava_csv.read_detections
    found = []
    for careful in (False, True):
        with monkeypatch.context() as patch:
            if careful:
                patch.setattr(ava_csv, "_parse_fast", lambda *arguments: None)
            try:
                found.append(read(path))
            except UserError as error:
                found.append(str(error))
    if isinstance(found[0], str) or isinstance(found[1], str):
        assert found[0] == found[1]
    else:
        assert_same(*found)
    return found[0]


@pytest.mark.parametrize("kind", ["annotations", "detections"])
@pytest.mark.parametrize(
    "content, line",
    [
        (f"\r{ROW},1\n{ROW},2\n", 1),
        (f"{ROW},1\n{ROW}\r,2\n", 2),
        (f"{ROW},1\n{ROW},2\r\r\n", 2),
        (f"{ROW},1\r{ROW},2\r", 1),
        (f'{ROW},1\n"v"\rw{ROW},2\n', 2),
    ],
)
def test_a_lone_carriage_return_is_named_with_its_line(tmp_path, monkeypatch, content, line, kind):
    path = write(tmp_path, content)
    message = both_readers(path, kind, monkeypatch)
    assert message.startswith(f"{path}, line {line}: holds a carriage return that ends no line")


def test_a_carriage_return_at_the_end_of_the_file_ends_a_line(tmp_path, monkeypatch):
    for kind in ("annotations", "detections"):
        table = both_readers(write(tmp_path, f"{ROW},1\r\n{ROW},2\r"), kind, monkeypatch)
        assert table.class_id.tolist() == [12, 12]


@pytest.mark.parametrize(
    "row, problem",
    [
        ('"' + "v" * 140_000 + '"' + ROW[1:], "line 2: is longer than 65,536 bytes"),
        ("v" * 70_000 + ROW[1:], "line 2: is longer than 65,536 bytes"),
        ("v" * 1_025 + ROW[1:], "line 2: has a video id of 1025 characters; expected 1024 at"),
        (f"{ROW},{2**63}", "line 2: person id is '9223372036854775808', beyond 64 bits"),
        (f"{ROW},-{10**30}", "line 2: person id is '-1000000000000000000000000000000', beyond"),
        (f"{ROW},{'9' * 5000}", "line 2: person id is '9"),
    ],
)
def test_what_is_too_large_is_one_short_line(tmp_path, monkeypatch, row, problem):
    path = write(tmp_path, f"{ROW},1\n{row}\n{ROW},1\n")
    message = both_readers(path, "annotations", monkeypatch)
    assert message.startswith(f"{path}, {problem}") and len(message) < 400 + len(str(path))
    with pytest.raises(UserError, match="line 2: "):
        ava_csv.read_excluded_timestamps(write(tmp_path, f"v,902\n{row}\n"))


def test_the_largest_values_are_read(tmp_path, monkeypatch):
    long = "v" * 1_024
    path = write(tmp_path, f"{long}{ROW[1:]},{2**63 - 1}\n{ROW},{-(2**63)}\n")
    table = both_readers(path, "annotations", monkeypatch)
    assert table.person_id.tolist() == [2**63 - 1, -(2**63)] and table.video_names == [long, "v"]


@pytest.mark.parametrize("block", [b"\n", b"0", f"{ROW},1\n".encode() * 1000 + b"\n" * 900_000])
def test_a_gzip_file_that_grows_as_no_csv_does_is_refused(tmp_path, monkeypatch, block):
    monkeypatch.setattr(csv_chunks, "_FREE_GROWTH", 1 << 20)
    path = write(tmp_path, gzip.compress(block * (10_000_000 // len(block))))
    with pytest.raises(UserError, match="grows more than 200-fold|longer than 65,536 bytes"):
        ava_csv.read_detections(path)


def test_a_gzip_of_one_row_again_and_again_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_chunks, "_FREE_GROWTH", 1 << 20)
    rng = np.random.default_rng(0)
    scores = rng.random(100_000).round(3)
    path = write(tmp_path, gzip.compress("".join(f"{ROW},{x}\n" for x in scores).encode()))
    assert ava_csv.read_detections(path).score.tolist() == scores.tolist()


def test_many_blank_lines_take_no_memory(tmp_path):
    path = write(tmp_path, b"\n" * 50_000_000 + f"{ROW}\n".encode())
    assert list(ava_csv.iterate_lines(path)) == [(50_000_001, ROW)]


@pytest.mark.parametrize("video_id", ["a,b", 'say "b"', "a\nb", "a\rb", "a\0b", " ", "\ufeffv"])
@pytest.mark.parametrize("two_columns", [False, True])
def test_no_row_is_written_that_is_not_read_back(tmp_path, video_id, two_columns):
    names = ["v"] if two_columns else [video_id]
    empty = [(video_id, 1.0)] if two_columns else []
    table = AvaTable.from_columns(names, [1], [[0, 0, 1, 1]], [1], empty_keyframes=empty)
    with pytest.raises(UserError, match="cannot stand in a csv file"):
        ava_csv.write_annotations(tmp_path / "a.csv", table)
    assert list(tmp_path.iterdir()) == []


def test_negative_person_ids_are_written(tmp_path):
    table = AvaTable.from_columns(
        ["v"] * 3, [1, 2, 3], [[0, 0, 1, 1]] * 3, [1] * 3, person_id=[-7, -1, 4]
    )
    ava_csv.write_annotations(tmp_path / "a.csv", table)
    assert ava_csv.read_annotations(tmp_path / "a.csv").person_id.tolist() == [-7, -1, 4]


def test_annotations_that_are_no_numbers_are_not_written(tmp_path):
    table = AvaTable.from_columns(["v"], [1], [[0, 0, 1, np.nan]], [1])
    with pytest.raises(UserError, match="not finite"):
        ava_csv.write_annotations(tmp_path / "a.csv", table)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rows",
    [
        [-3],
        [3, 0, 0, 1],
        [],
        slice(None, None, -1),
        slice(1, 3),
        np.array([True, False, True, True]),
    ],
    ids=str,
)
def test_selected_rows_keep_their_moments(rows):
    table = AvaTable.from_columns(
        ["a", "a", "b", "a"], [1.0, 1.0, 2.0, 3.0], np.zeros([4, 4]), [1, 2, 3, 4], score=np.ones(4)
    )
    numbers = np.arange(4)[rows]
    chosen = table.select(rows)
    assert chosen.class_id.tolist() == (numbers + 1).tolist()
    assert chosen.video_id.tolist() == [["a", "a", "b", "a"][i] for i in numbers]
    assert chosen.timestamp.tolist() == [[1.0, 1.0, 2.0, 3.0][i] for i in numbers]
    assert [chosen.moment(i) for i in range(len(chosen))] == list(
        zip(chosen.video_id.tolist(), chosen.timestamp.tolist(), strict=True)
    )
    assert table.moment(-2) == ("b", 2.0)


def test_a_large_file_shows_how_far_it_is(tmp_path, monkeypatch, capsys):
    """Whoever reads it: its rows as a table, or one by one."""
    now = [0.0]

    def later():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(time, "monotonic", later)
    monkeypatch.setattr(csv_chunks, "_CHUNK_BYTES", 1000)
    path, zipped = tmp_path / "det.csv", tmp_path / "det.csv.gz"
    path.write_text("".join(f"v,{i:04d},0.1,0.1,0.5,0.5,12,0.9\n" for i in range(200)))
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for read, file in (
        (ava_csv.read_detections, path),
        (ava_csv.read_detections, zipped),
        (lambda file: list(ava_csv.iterate_lines(file)), path),
        (lambda file: csv_validation.validate_csv(file, ava_csv.DETECTIONS), path),
    ):
        read(file)
        said = capsys.readouterr().err
        assert said.startswith(f"reading {file.name}: 0.0 of 0.0 MB, ") and " s left\n" in said
    list(ava_csv.iterate_lines(path, shows=False))
    assert capsys.readouterr().err == ""
