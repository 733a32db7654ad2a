"""Boxes of somebody else's detector: three formats, joined by video and time."""

import json

import numpy as np
import pytest

from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.errors import UserError


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
    with pytest.raises(UserError, match="give the file that has them as coco_images_path"):
        read_person_boxes([str(tmp_path / "results.json")])


def test_mot_takes_the_nearest_frame(tmp_path):
    (tmp_path / "det").mkdir()
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nname=PETS\nframeRate=10\nimWidth=200\nimHeight=100\n"
    )
    (tmp_path / "det/det.txt").write_text(
        "1,-1,20,10,40,50,0.5,-1,-1,-1\n11,-1,20,10,40,50,-1,-1,-1,-1\n"
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
        ("a.csv", "film,1,0.1,0.2,0.3\n", "line 1: has 5 columns instead of 2, 7 or 8"),
        ("a.csv", "video,time,x1,y1,x2,y2,c,s\n", "line 1: .*looks like a header"),
        ("a.csv", "film,1,nan,0.2,0.3,0.4,1,0.5\n", "not finite"),
        ("a.csv", "film,1e9,0.1,0.2,0.3,0.4,1,0.5\n", "time of 1e\\+09 s; expected seconds"),
        ("a.pkl", "", "by the name's ending"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", "3", "holds 3; expected COCO's"),
        ("a.json", "{}", "has no list `images`"),
        ("a.json", '{"images": []}', "has no list `annotations`"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "x"}], "annotations": []}',
            "expected `video` and `time`",
        ),
        ("a.json", '{"images": [], "annotations": [{"image_id": 3}]}', "image_id is 3, which is"),
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
    with pytest.raises(UserError, match="seqinfo.ini: expected"):
        read(tmp_path, "a.txt", "1,2,3,4,5,6\n")
    (tmp_path / "seqinfo.ini").write_text(
        "[Sequence]\nname=a\nframeRate=5\nimWidth=2\nimHeight=2\n"
    )
    with pytest.raises(UserError, match="line 1: expected frame, id"):
        read(tmp_path, "a.txt", "1,2,3,4\n")
    with pytest.raises(UserError, match="line 1: .*looks like a header"):
        read(tmp_path, "a.txt", "frame,id,left,top,width,height,score\n1,2,3,4,5,6,1\n")


def test_an_empty_file_knows_nothing(tmp_path):
    table = read(tmp_path, "empty.csv", "")
    assert table.at("film", 0) is None and table.largest == 0
    assert table.first_moment() == "nothing"
