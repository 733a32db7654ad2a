"""What an export has twice, or too small to be written, is neither lost silently nor nobody."""

import pytest
from made_exports import imported_coco, imported_cvat, of_coco, of_cvat

from avatx.data.annotations.csv_validation import validate_csv
from avatx.errors import UserError
from avatx.importing.read import write_result


def test_a_box_that_is_there_twice(tmp_path):
    data = of_coco([0, 10, 20], 10)
    # Once more, but for what three decimals do not show.
    again = {**data["annotations"][1], "id": 99, "bbox": [5.001, 5, 20, 30]}
    data["annotations"].append(again)
    result = imported_coco(tmp_path, data)
    assert len(result.table) == 3
    assert result.lost == {"labels of a box that is there twice": 1}
    write_result(result, str(tmp_path / "out"))
    assert not validate_csv(str(tmp_path / "out" / "annotations.csv")).bad_rows


def test_somebody_whose_box_is_too_small_is_not_nobody(tmp_path):
    data = of_coco([0, 10, 20], 10)
    data["annotations"][1]["bbox"] = [5, 5, 0.01, 30]
    data["annotations"][2]["bbox"] = [200, 5, 20, 30]  # outside the frame
    result = imported_coco(tmp_path, data)
    assert result.table.empty_keyframes == [("a", 2.0)]
    assert result.lost["boxes too small for AVA's three decimals"] == 1


def two_tasks(**fields):
    other = of_cvat([70, 80], **fields)
    renamed = other[0].replace("<id>1", "<id>2"), other[1].replace('task_id="1"', 'task_id="2"')
    return [of_cvat([0, 10]), renamed]


def test_tasks_of_one_video_that_share_frames(tmp_path):
    result = imported_cvat(tmp_path, two_tasks())
    assert "tasks '1' and '2' are both of video 'a' and have frames in common" in result.notes[0]
    apart = imported_cvat(tmp_path, two_tasks(start_frame=60, stop_frame=119))
    assert not apart.notes


def test_tasks_of_two_videos_of_one_name(tmp_path):
    first, second = two_tasks()
    second = second[0].replace("<width>64", "<width>65"), second[1]
    with pytest.raises(
        UserError, match="'1' and '2' are both of video 'a', with frames of 64 x 48"
    ):
        imported_cvat(tmp_path, [first, second])
