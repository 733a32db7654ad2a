"""Boxes of somebody else's detector: three formats, joined by video and time."""

import json

import numpy as np
import pytest

from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.errors import UserError
from avatx.importing.read import read_export


def read(tmp_path, name, text, **options):
    (tmp_path / name).write_text(text)
    return read_person_boxes([str(tmp_path / name)], **options)


def test_ava_s_detections_with_a_class_without_one_and_of_several_classes(tmp_path):
    table = read(
        tmp_path,
        "boxes.csv",
        "film,0902,0.1,0.2,0.3,0.4,,0.5\n"
        "film,902.0,0.5,0.2,0.7,0.4,1,0.9\n"
        "film,902,0.1,0.2,0.3,0.4,12,0.7\n"  # the first box once more
        "film,903,0.1,0.2,0.3,0.4,1,0.2\n"
        "film,904\n"
        "other,902,0.0,0.0,1.5,1.0,,1.0\n",
        score_threshold=0.3,
    )
    boxes, scores = table.at("film", 902_000_000)
    np.testing.assert_allclose(boxes, [[0.2, 0.5, 0.4, 0.7], [0.2, 0.1, 0.4, 0.3]])
    np.testing.assert_allclose(scores, [0.9, 0.7])
    assert len(table.at("film", 903_000_000).boxes) == 0  # below the threshold, but looked at
    assert len(table.at("film", 904_000_000).boxes) == 0
    assert table.at("film", 905_000_000) is None and table.at("absent", 902_000_000) is None
    assert table.at("other", 902_000_500).boxes.tolist() == [[0, 0, 1, 1]]  # clipped
    assert table.at("other", 902_002_000) is None
    found = table.covers(["film", "film", "other", "x"], [904_000_000, 905_000_000, 902_000_000, 0])
    assert found.tolist() == [True, False, True, False]


def test_the_best_boxes_are_kept(tmp_path):
    rows = [f"film,1,0.1,0.1,0.{i},0.9,,0.{i}\n" for i in range(2, 8)]
    table = read(tmp_path, "boxes.csv", "".join(rows), max_number_of_boxes=2)
    np.testing.assert_allclose(table.at("film", 1_000_000).scores, [0.7, 0.6])
    assert table.largest == 2


COCO = {
    "images": [
        {"id": 7, "file_name": "film/12.5.jpg", "width": 200, "height": 100},
        {"id": 8, "video": "film", "time": 13, "width": 200, "height": 100},
    ],
    "annotations": [
        {"image_id": 7, "category_id": 1, "bbox": [20, 10, 40, 50], "score": 0.75},
        {"image_id": 7, "category_id": 3, "bbox": [0, 0, 10, 10], "score": 0.9},
    ],
}


def test_coco_with_its_images_and_results_with_those_of_another_file(tmp_path):
    whole = read(tmp_path, "whole.json", json.dumps(COCO))
    (tmp_path / "images.json").write_text(json.dumps({"images": COCO["images"]}))
    results = read(
        tmp_path,
        "results.json",
        json.dumps(COCO["annotations"]),
        coco_images_path=str(tmp_path / "images.json"),
    )
    for table in (whole, results):
        boxes, scores = table.at("film", 12_500_000)
        np.testing.assert_allclose(boxes, [[0.1, 0.1, 0.6, 0.3]])
        np.testing.assert_allclose(scores, [0.75])
        assert len(table.at("film", 13_000_000).boxes) == 0
    with pytest.raises(UserError, match="a list of 2 entries, as COCO.* coco_images_path"):
        read_person_boxes([str(tmp_path / "results.json")])


def test_mot_takes_the_nearest_frame(tmp_path):
    (tmp_path / "det").mkdir()
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nname=PETS\nframeRate=10\nimWidth=200\nimHeight=100\n"
    )
    (tmp_path / "det/det.txt").write_text(
        "1,-1,21,11,40,50,0.5,-1,-1,-1\n11,-1,21,11,40,50,-1,-1,-1,-1\n"
    )
    table = read_person_boxes([str(tmp_path / "*/det.txt")])
    np.testing.assert_allclose(table.at("PETS", 0).boxes, [[0.1, 0.1, 0.6, 0.3]])
    np.testing.assert_allclose(table.at("PETS", 0).scores, [0.5])
    np.testing.assert_allclose(table.at("PETS", 1_040_000).scores, [1.0])
    assert table.at("PETS", 1_060_000) is None and table.at("PETS", 500_000) is None


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.csv", "film,1,10,20,30,40,1,0.5\n", "line 1: has a coordinate of 40, as of pixels"),
        ("a.csv", "film,1,0.1,0.2,0.3,0.4,1,17\n", "score is 17.*annotation file"),
        ("a.csv", "film;1;0.1;0.2;0.3;0.4;1;1\n", "separated by ';' .expected commas"),
        ("a.csv", "film\t1\t0.1\t0.2\t0.3\t0.4\n", "separated by tabs .expected commas"),
        ("a.csv", "film,1,0.1,0.2,0.3\n", "line 1: has 5 columns instead of 2, 7 or 8"),
        ("a.csv", "video,time,x1,y1,x2,y2,c,s\n", "line 1: .*looks like a header"),
        ("a.csv", "film,1,nan,0.2,0.3,0.4,1,0.5\n", "not finite"),
        (
            "a.csv",
            "film,1e9,0.1,0.2,0.3,0.4,1,0.5\n",
            "line 1: time is 1e\\+09 s; expected seconds",
        ),
        ("a.csv", "film,1,0.6,0.1,0.2,0.8,1,0.5\n", "line 1: has a box that ends before it begins"),
        ("a.csv", "film,1,0.1,0.8,0.2,0.6,1,0.5\n", "line 1: has a box that ends before it begins"),
        ("a.csv", "film,1,1.1,0.1,1.2,0.6,1,0.5\n", "none of its 1 boxes has an area inside"),
        ("a.pkl", "", "by the name's ending"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", "3", "holds 3; expected COCO's"),
        ("a.json", "{}", "has no list `images`"),
        ("a.json", '{"images": []}', "has no list `annotations`"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "x"}], "annotations": []}',
            "expected VIDEO/SECONDS.jpg, or `video` and `time`",
        ),
        (
            "a.json",
            '{"images": [], "annotations": [{"image_id": 3}]}',
            "entry 0: image_id is 3; expected one of",
        ),
        ("a.txt", "1,2,3,4,5,6\n", "there is no seqinfo.ini beside it"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message) as raised:
        read(tmp_path, name, text)
    assert str(raised.value).startswith(str(tmp_path)) and "\n" not in str(raised.value)


def test_an_absent_file_and_a_wrong_sequence(tmp_path):
    with pytest.raises(UserError, match="absent.csv: no such file"):
        read_person_boxes([str(tmp_path / "absent.csv")])
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=a\nframeRate=0\n")
    with pytest.raises(UserError, match="seqinfo.ini: .*frameRate is '0'; expected"):
        read(tmp_path, "a.txt", "1,2,3,4,5,6\n")
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nname=a\nframeRate=5\nimWidth=2\nimHeight=2\n"
    )
    with pytest.raises(UserError, match="line 1: has 4 columns.*expected frame, id"):
        read(tmp_path, "a.txt", "1,2,3,4\n")
    with pytest.raises(UserError, match="line 1: .*looks like a header"):
        read(tmp_path, "a.txt", "frame,id,left,top,width,height,score\n1,2,3,4,5,6,1\n")


BEYOND = (1e20, -1e20, 1e300, 10**30, 10**400, "NaN", True, None, [], {}, "x")


@pytest.mark.parametrize("value", BEYOND)
@pytest.mark.parametrize(
    "part, field",
    [
        *(("images", field) for field in ("time", "width", "height", "id", "video", "file_name")),
        *(("annotations", field) for field in ("image_id", "category_id", "bbox", "score")),
    ],
)
def test_a_field_of_coco_that_cannot_be_is_one_line(tmp_path, part, field, value):
    content = json.loads(json.dumps(COCO))
    content[part][1 if part == "images" else 0][field] = value
    try:
        table = read(tmp_path, "a.json", json.dumps(content))
    except UserError as error:
        assert str(error).startswith(str(tmp_path / "a.json"))
    else:  # a value that may be, or stands for none
        assert value is None or field in ("id", "video", "file_name")
        assert np.isfinite(table.boxes).all()


@pytest.mark.parametrize(
    "content",
    ['{"images": [1], "annotations": []}', "[" * 100_000, '{"images": [], "annotations": [1]}'],
)
def test_a_broken_json_is_one_line(tmp_path, content):
    with pytest.raises(UserError, match="a.json"):
        read(tmp_path, "a.json", content)


SIZES = (("-2", 4), ("-2", 5))


@pytest.mark.parametrize("column", range(7))
@pytest.mark.parametrize("value", ["1e300", "1e20", "nan", "inf", "x", "", "-2", "1.5", "0"])
def test_a_field_of_mot_that_cannot_be_is_one_line(tmp_path, column, value):
    (tmp_path / "seqinfo.ini").write_text(SEQUENCE)
    row = ["1", "3", "21", "11", "40", "50", "0.5"]
    row[column] = value
    wrong = value in ("nan", "inf", "x", "") or column == 0 or (value, column) in SIZES
    if column == 6:  # no score is a score of 1, and detectors have ranges of their own
        wrong = value in ("1e300", "1e20", "nan", "inf", "x")
    if (column, value) == (6, "-2"):
        with pytest.raises(UserError, match="reaches score_threshold 0; the highest score is -2"):
            read(tmp_path, "a.txt", ",".join(row))
        return
    if not wrong:  # beside a box that lies in the frame
        lines = ",".join(row) + "\n2,3,21,11,40,50,0.5\n"
        assert np.isfinite(read(tmp_path, "a.txt", lines).boxes).all()
        return
    with pytest.raises(UserError, match="a.txt, line 1: "):
        read(tmp_path, "a.txt", ",".join(row))


SEQUENCE = "[Sequence]\nname=a\nframeRate=10\nimWidth=200\nimHeight=100\n"


def test_mot_is_read_as_the_importer_reads_it(tmp_path):
    """One convention of pixels and frames, and one of seqinfo.ini: a BOM, a percent sign."""
    (tmp_path / "seqinfo.ini").write_text("\ufeff" + SEQUENCE.replace("=a", "=100%"))
    table = read(tmp_path, "gt.txt", "3,1,21,11,40,50,1,1,1\n")
    imported = read_export(str(tmp_path / "gt.txt"), every=0).table
    assert imported.video_names == ["100%"] and imported.timestamp.tolist() == [0.2]
    np.testing.assert_allclose(table.at("100%", 200_000).boxes, imported.boxes, atol=1e-6)


def test_coco_s_people_are_the_category_called_person(tmp_path):
    content = json.loads(json.dumps(COCO))
    content["categories"] = [{"id": 1, "name": "car"}, {"id": 3, "name": "person"}]
    table = read(tmp_path, "a.json", json.dumps(content))
    np.testing.assert_allclose(table.at("film", 12_500_000).scores, [0.9])
    content["categories"][1]["name"] = "dog"
    with pytest.raises(UserError, match="categories 'car, dog' 0 are people; expected one"):
        read(tmp_path, "a.json", json.dumps(content))
    del content["categories"]
    for one in content["annotations"]:
        one["category_id"] += 1
    with pytest.raises(UserError, match="no person, category id 1; its rows are of .*'2, 4'"):
        read(tmp_path, "a.json", json.dumps(content))
    content["images"][1]["id"] = 7
    with pytest.raises(UserError, match="images.1.*id is 7; expected an id that no image before"):
        read(tmp_path, "a.json", json.dumps(content))


def test_a_threshold_above_all_scores_is_told(tmp_path):
    with pytest.raises(UserError, match="reaches score_threshold 0.8; the highest score is 0.75"):
        read(tmp_path, "a.json", json.dumps(COCO), score_threshold=0.8)
    assert len(read(tmp_path, "a.json", json.dumps(COCO), score_threshold=0.75).boxes) == 1


def test_an_empty_file_knows_nothing(tmp_path):
    table = read(tmp_path, "empty.csv", "")
    assert table.at("film", 0) is None and table.largest == 0
    assert table.first_moment() == "nothing"


def test_boxes_of_another_kind_than_the_format_s(tmp_path):
    """Silently there would be nobody anywhere."""
    for bbox, message in (
        ([20, 10, -4, 50], r"entry 0: bbox is \[20, 10, -4, 50\]; expected x, y, width and height"),
        ([0.1, 0.1, 0.2, 0.5], "none of its 1 boxes is longer than a pixel.*expected pixels"),
        ([300, 10, 20, 50], "none of its 1 boxes has an area inside the frame"),
    ):
        one = {**COCO["annotations"][0], "bbox": bbox}
        with pytest.raises(UserError, match=message):
            read(tmp_path, "a.json", json.dumps({**COCO, "annotations": [one]}))
    (tmp_path / "seqinfo.ini").write_text(SEQUENCE)
    for row, message in (
        ("1,1,21,11,-4,50,1\n", "line 1: width is '-4'; expected a number, 0 or more"),
        ("1,1,0.1,0.1,0.2,0.5,1\n", "none of its 1 boxes is longer than a pixel.*expected pixels"),
    ):
        with pytest.raises(UserError, match=message):
            read(tmp_path, "a.txt", row)


def test_some_boxes_without_an_area_are_nobody(tmp_path):
    table = read(tmp_path, "a.csv", "film,1,0.1,0.1,0.1,0.8,1,0.5\nfilm,1,0.1,0.1,0.2,0.8,1,0.5\n")
    assert len(table.at("film", 1_000_000).boxes) == 1
