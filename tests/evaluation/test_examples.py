"""Top detections and mistakes of a hand-made csv, and the sheets made of them."""

import os

import numpy as np
import pytest
from coded_video import read_code, write_coded_video
from PIL import Image
from small_records import keyframe as keyframe_at
from small_records import segment, write

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.data.input import clip_source
from avatx.data.video.frame_settings import FrameSettings
from avatx.errors import UserError
from avatx.evaluation.examples import find_examples
from avatx.pictures import detection_sheets
from avatx.pictures.detection_sheets import describe, write_sheets

NAMES = {11: "sit", 12: "stand", 48: "read"}  # sit and stand are of one group
LEFT, RIGHT = [0.1, 0.1, 0.9, 0.4], [0.1, 0.6, 0.9, 0.9]
SHIFTED = [0.1, 0.25, 0.9, 0.55]  # IoU 1/3 with LEFT
FAR = [0.0, 0.45, 0.05, 0.55]
GROUNDTRUTH = [
    ("a", 1, LEFT, 11),
    ("a", 1, LEFT, 48),
    ("a", 1, RIGHT, 12),
    ("a", 2, LEFT, 12),
    ("b", 1, LEFT, 11),
    ("b", 2, LEFT, 11),
]
DETECTIONS = [
    ("a", 1, LEFT, 11, 0.9),  # true
    ("a", 1, LEFT, 11, 0.8),  # duplicate of it
    ("b", 1, LEFT, 11, 0.7),  # true
    ("b", 2, LEFT, 11, 0.95),  # true, the best, of a video that has another
    ("a", 2, LEFT, 11, 0.85),  # stands: similar; sat a second before
    ("b", 1, LEFT, 48, 0.6),  # does not read: other group
    ("a", 1, RIGHT, 48, 0.5),  # does not read, but somebody else does
    ("b", 2, SHIFTED, 11, 0.3),  # poorly placed
    ("b", 2, SHIFTED, 12, 0.3),  # poorly placed and wrong
    ("b", 2, FAR, 12, 0.2),  # nobody
]


def table(rows):
    columns = list(zip(*rows, strict=True))
    score = {"score": columns[4]} if len(columns) == 5 else {}
    return AvaTable.from_columns(*columns[:4], **score)


def find(count=10, **options):
    found = find_examples(table(GROUNDTRUTH), table(DETECTIONS), LabelMap(NAMES), count, **options)
    return {one.class_id: one for one in found}


def places(examples):
    return [(e.video_id, e.keyframe / 1e6, e.score, e.kind) for e in examples]


def test_each_detection_is_told_for_what_it_is():
    found = find()
    assert places(found[11].top) == [
        ("b", 2, 0.95, "true_positive"),
        ("a", 1, 0.9, "true_positive"),
        ("b", 1, 0.7, "true_positive"),
    ]
    assert places(found[11].mistakes) == [
        ("a", 2, 0.85, "similar_action"),
        ("a", 1, 0.8, "duplicate"),
        ("b", 2, 0.3, "localization"),
    ]
    assert places(found[48].mistakes) == [
        ("b", 1, 0.6, "other_action"),
        ("a", 1, 0.5, "other_action"),
    ]
    assert places(found[12].mistakes) == [("b", 2, 0.3, "box_and_action")]  # one a keyframe
    assert found[48].top == []


def test_what_is_annotated_at_the_box_beside_it_and_around_it():
    found = find()
    best = found[11].top[1]
    assert best.truth_classes == (11, 48) and best.iou == pytest.approx(1)
    assert sorted(best.people.tolist()) == [LEFT, RIGHT]  # of this keyframe alone
    stands = found[11].mistakes[0]
    assert stands.truth_classes == (12,) and stands.at_other_time == 1.0
    assert describe(stands, NAMES) == [
        "sit 0.85: similar action: the person does another of the same group   (a at 2 s)",
        "annotated person (overlap 1.00): stand; it is annotated at this place 1 s earlier",
    ]
    assert [mistake.somebody_else for mistake in found[48].mistakes] == [False, True]
    assert found[48].mistakes[0].at_other_time is None
    notes = [describe(mistake, NAMES)[1].partition("; ")[2] for mistake in found[48].mistakes]
    assert notes == ["", "somebody else in the frame does it"]


@pytest.mark.parametrize(
    "second, other_time", [(3.0, 3.0), (2.9, None), (7.0, 7.0), (7.1, None), (4.0, 4.0)]
)
def test_another_time_is_two_seconds_away_at_most(second, other_time):
    groundtruth = table([("a", 5.0, LEFT, 12), ("a", second, LEFT, 11)])
    detection = table([("a", 5.0, LEFT, 11, 0.5)])
    (found,) = find_examples(groundtruth, detection, LabelMap(NAMES), 1)
    assert found.mistakes[0].at_other_time == other_time


def test_the_keyframes_own_rows_are_no_other_time():
    # One sits, one stands; the box has an IoU of 0.40 with the former, 0.88 with the latter.
    time = 1.33333334  # the csv of detections rounds it to six decimals
    groundtruth = table([("a", time, [0.1, 0.4, 0.9, 0.7], 12), ("a", time, SHIFTED, 11)])
    detection = table([("a", 1.333333, [0.1, 0.38, 0.9, 0.68], 11, 0.5)])
    (found,) = find_examples(groundtruth, detection, LabelMap(NAMES), 1)
    (mistake,) = found.mistakes
    assert mistake.kind == "similar_action" and mistake.at_other_time is None


def test_nobody_is_there():
    (only,) = find_examples(
        table(GROUNDTRUTH), table(DETECTIONS[-1:]), LabelMap(NAMES), 3, classes=[12]
    )
    assert places(only.mistakes) == [("b", 2, 0.2, "background")]
    assert only.mistakes[0].truth_box is None
    assert describe(only.mistakes[0], NAMES)[1] == "annotated at the box: nobody"


def test_videos_come_before_further_keyframes_of_one():
    assert places(find(2)[11].top) == [
        ("b", 2, 0.95, "true_positive"),
        ("a", 1, 0.9, "true_positive"),
    ]
    assert [e.score for e in find(3)[11].top] == [0.95, 0.9, 0.7]
    assert set(find(3, classes=[48])) == {48}


def test_mistakes_of_the_user():
    with pytest.raises(UserError, match="classes: 5 is not in the label map; it has 11, 12, 48"):
        find(classes=[5])
    with pytest.raises(UserError, match="same videos and times"):
        find_examples(table(GROUNDTRUTH), table([("c", 9, LEFT, 11, 0.5)]), LabelMap(NAMES), 3)
    with pytest.raises(UserError, match="`videos` or `records`"):
        clip_source.make_source(None, None)
    with pytest.raises(UserError, match="detections csv is empty"):
        nothing = AvaTable.from_columns([], [], np.zeros([0, 4]), [], score=[])
        find_examples(table(GROUNDTRUTH), nothing, LabelMap(NAMES), 3)
    with pytest.raises(UserError, match="class ids 11 to 11 there, 70 to 77 in the label map"):
        find_examples(
            table(GROUNDTRUTH), table([("a", 2, LEFT, 11, 0.5)]), LabelMap({70: "x", 77: "y"}), 3
        )


def test_a_file_that_is_no_record_is_named(tmp_path):
    (tmp_path / "val.csv").write_text("video,1\n" * 9)
    source = clip_source.RecordClips([str(tmp_path / "val.csv")])
    with pytest.raises(UserError, match="val.csv"):
        source.prepare([("a", 1_000_000)], np.array([0]))


def test_after_a_mistake_no_sheet_stays(tmp_path):
    write_coded_video(str(tmp_path / "a.mp4"), 10, 40)  # b is missing
    found, source = list(find(3).values()), clip_source.VideoClips([str(tmp_path)])
    with pytest.raises(UserError, match="no video 'b'"):
        write_sheets(found, NAMES, source, [0], str(tmp_path / "out"))
    write_coded_video(str(tmp_path / "b.mp4"), 10, 5)  # too short: known when it is read
    source = clip_source.VideoClips([str(tmp_path)])
    with pytest.raises(UserError, match="b.mp4: has no frame"):
        write_sheets(found, NAMES, source, [0], str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="/file cannot be written"):
        write_sheets([], NAMES, source, [0], str(tmp_path / "file"))


def test_sheets_show_the_keyframe_between_its_neighbours(tmp_path):
    for name in ("a", "b"):
        write_coded_video(str(tmp_path / f"{name}.mp4"), 10, 40)
    source = clip_source.VideoClips([str(tmp_path)])
    clip = source.clip("a", 2_000_000, np.array([-1_000_000, 0, 500_000]))
    assert [read_code(frame) for frame in clip.frames] == [10, 20, 25]

    found = list(find(3).values())
    told = []
    written = write_sheets(
        found,
        NAMES,
        source,
        [-1, 0, 0.5],
        str(tmp_path / "out"),
        progress=lambda *done: told.append(done),
    )
    count = sum(len(one.top) + len(one.mistakes) for one in found)
    assert told == [(done, count) for done in range(count + 1)]
    assert (
        sorted(written)
        == sorted(os.listdir(tmp_path / "out"))
        == [
            "figure6.jpg",
            "figure7.jpg",
            "mistakes_11_sit.jpg",
            "mistakes_12_stand.jpg",
            "mistakes_48_read.jpg",
            "top_11_sit.jpg",
        ]
    )
    sheet = np.asarray(Image.open(tmp_path / "out" / "top_11_sit.jpg"))
    assert sheet.shape[1] > 3 * 260 and sheet.shape[0] > 3 * 78


def test_a_missing_video_and_a_time_past_its_end(tmp_path):
    write_coded_video(str(tmp_path / "a.mp4"), 10, 40)
    source = clip_source.VideoClips([str(tmp_path)])
    with pytest.raises(UserError, match="holds no video 'b', which the csv names"):
        source.clip("b", 1_000_000, np.array([0]))
    with pytest.raises(UserError, match="no frame at 4.5 seconds: it holds 4 seconds"):
        source.clip("a", 4_500_000, np.array([-1_000_000, 0]))
    with pytest.raises(UserError, match="no frame at -1 seconds"):
        source.clip("a", -1_000_000, np.array([0, 2_000_000]))
    # A clip may reach past both ends, and the csv's clock may start elsewhere.
    clip = source.clip("a", 3_900_000, np.array([-9_000_000, 0, 9_000_000]))
    assert [read_code(frame) for frame in clip.frames] == [0, 39, 39]
    assert clip.seconds.tolist() == [-3.9, 0, 0]  # of the frames shown
    late = clip_source.VideoClips([str(tmp_path)], FrameSettings(video_start_seconds=900))
    clip = late.clip("a", 902_000_000, np.array([0, 60_000]))
    assert [read_code(frame) for frame in clip.frames] == [20, 21]
    assert clip.offsets.tolist() == [0, 100_000]


@pytest.mark.parametrize("kind", ["videos", "records"])
def test_captions_are_the_times_of_the_frames_shown(tmp_path, monkeypatch, kind):
    # Both videos begin a second before the first keyframe and end a second after the last.
    if kind == "videos":
        for name in ("a", "b"):
            write_coded_video(str(tmp_path / f"{name}.mp4"), 10, 31)
        source = clip_source.VideoClips([str(tmp_path)])
    else:
        keyframes = [keyframe_at(1_000_000), keyframe_at(2_000_000)]
        path = write(
            tmp_path / "r.tfrecord",
            [segment(name, keyframes, frame_rate=10, num_frames=31, margin=0) for name in "ab"],
        )
        source = clip_source.RecordClips([path])
    sheets = {}
    monkeypatch.setattr(
        detection_sheets,
        "strip_sheet",
        lambda strips, title, _: sheets.setdefault(
            title, [[tile.caption for tile in strip.tiles] for strip in strips]
        ),
    )
    monkeypatch.setattr(detection_sheets, "_save", lambda picture, folder, name: name)
    write_sheets(list(find(3).values()), NAMES, source, [-3, -0.54, 0, 1.5], str(tmp_path / "out"))
    keyframe = "keyframe"
    assert sheets["Top true detections: sit (blue: detected, green: annotated)"] == [
        ["-2 s", "-0.5 s", keyframe, "+1 s"],
        ["-1 s", "-0.5 s", keyframe, "+1.5 s"],
        ["-1 s", "-0.5 s", keyframe, "+1.5 s"],
    ]
