"""Csv and videos to shards: which frames, which rows, what is missing, what is done again."""

import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from coded_video import NTSC, NTSC_FILM, cut, read_code, remux, variable_times, write_coded_video
from PIL import Image

from avatx.beam_pipeline import parse_arguments as parse_beam_arguments
from avatx.data.records import record, record_pipeline
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.clip_sampling import nearest_frames, wanted_times
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError

LABEL_MAP = 'item { name: "stand" id: 12 }\nitem { name: "walk" id: 14 }\n'
RATES = {"film": NTSC_FILM, "pal": 25, "ntsc": NTSC, "thirty": 30}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Five videos of 6 to 9 s, each with a keyframe a second; times of the frames by video."""
    folder = tmp_path_factory.mktemp("library")
    times = {
        name: write_coded_video(folder / f"{name}.mp4", rate, 200) for name, rate in RATES.items()
    }
    times["vary"] = write_coded_video(folder / "vary.mp4", variable_times(60), 60)
    return folder, times


class Case:
    """One output in a folder of its own."""

    def __init__(self, folder, library, video_ids=(*RATES, "vary")):
        self.folder, self.videos = folder, folder / "videos"
        self.videos.mkdir()
        for video_id in video_ids:
            os.link(library[0] / f"{video_id}.mp4", self.videos / f"{video_id}.mp4")
        self.rows = [
            f"{video_id},{second:04d},0.1,0.2,0.5,0.9,{class_id},{person}"
            for video_id in video_ids
            for second in range(7)
            for class_id, person in ((12, 0), (14, 0), (14, 1))
        ]
        self.lines = []

    def make(self, name="train", num_shards=3, **arguments):
        (self.folder / "rows.csv").write_text("".join(row + "\n" for row in self.rows))
        (self.folder / "labels.pbtxt").write_text(LABEL_MAP)
        settings = {
            "margin_seconds": 1.0,
            "seconds_per_record": 3.0,
            **arguments.pop("settings", {}),
        }
        return create_ava_records(
            videos=[str(self.videos)],
            annotations=str(self.folder / "rows.csv"),
            label_map=str(self.folder / "labels.pbtxt"),
            output=str(self.folder / "out" / name),
            num_shards=num_shards,
            settings=RecordSettings.from_dict(settings),
            log=self.lines.append,
            **arguments,
        )

    def shards(self, name="train"):
        return sorted((self.folder / "out").glob(f"{name}*"))

    def segments(self, name="train"):
        return [
            record.decode(serialized.numpy())
            for path in self.shards(name)
            for serialized in tf.data.TFRecordDataset(str(path))
        ]

    def keyframes(self, name="train"):
        return {
            (segment.video_id, keyframe.timestamp / 1e6): keyframe
            for segment in self.segments(name)
            for keyframe in segment.keyframes
        }

    def versions(self, name="train"):
        """Changes for a shard that is written again, whatever its content."""
        return {path.name: path.stat().st_mtime_ns for path in self.shards(name)}

    def leftovers(self):
        return [
            path.name
            for path in (self.folder / "out").rglob("*")
            if path.is_file()
            and not path.name.endswith((".tfrecord", ".done.json"))
            and path.name != "manifest.json"
        ]


@pytest.fixture
def case(tmp_path, library):
    return Case(tmp_path, library)


@pytest.fixture
def small(tmp_path, library):
    return Case(tmp_path, library, ("film", "pal"))


def _code(jpeg):
    return read_code(np.asarray(Image.open(io.BytesIO(jpeg))))


def test_clips_from_records_are_clips_from_the_video(case, library):
    """At every rate, in the middle and at either end, for two clip rates."""
    case.make()
    segments = case.segments()
    assert {segment.video_id for segment in segments} == {*RATES, "vary"}
    for segment in segments:
        codes = np.array([_code(frame) for frame in segment.frames])
        whole = np.rint(library[1][segment.video_id] * 1e6).astype(np.int64)
        np.testing.assert_allclose(segment.timestamps, whole[codes], atol=1)
        for keyframe in segment.keyframes:
            for rate, num_frames in ((25, 48), (8, 16)):
                wanted = wanted_times(keyframe.timestamp, num_frames, rate)
                here = codes[nearest_frames(segment.timestamps, wanted)]
                there = nearest_frames(whole, wanted)
                distance = np.abs(whole[here] - wanted) - np.abs(whole[there] - wanted)
                assert np.all(np.abs(distance) <= 2), (segment.key, keyframe.timestamp)


def test_rows_are_the_csv_s(case):
    entry = case.make()
    keyframes = case.keyframes()
    assert sorted(keyframes) == sorted(
        (video_id, float(second)) for video_id in (*RATES, "vary") for second in range(7)
    )
    for keyframe in keyframes.values():
        np.testing.assert_allclose(keyframe.boxes, np.tile([[0.2, 0.1, 0.9, 0.5]], (3, 1)))
        assert keyframe.class_ids.tolist() == [12, 14, 14]
        assert keyframe.class_names == ["stand", "walk", "walk"]
        assert keyframe.person_ids.tolist() == [0, 0, 1]
    assert entry["totals"]["keyframes"] == 35 and entry["skipped"] == []
    assert entry["videos"]["film"]["codec"] == "h264"
    assert entry["videos"]["film"]["frame_rate"] == pytest.approx(23.976, abs=1e-3)
    assert case.leftovers() == []


def test_neighbouring_clips_share_their_frames(small):
    entry = small.make(settings={"seconds_per_record": 7.0, "margin_seconds": 1.28})
    together = entry["totals"]["bytes"] / entry["totals"]["keyframes"]
    entry = small.make(settings={"seconds_per_record": 1.0, "margin_seconds": 1.28})
    apart = entry["totals"]["bytes"] / entry["totals"]["keyframes"]
    assert together < 0.6 * apart


def test_other_rows_empty_keyframes_and_exclusions(small, tmp_path):
    small.rows += ["film,0003,0.1,0.1,0.2,0.2,77,5", "pal,6.5,0.1,0.1,0.2,0.2,99,5", "pal,1.25"]
    (tmp_path / "excluded.csv").write_text("film,0000\npal,2\nother,0001\n")
    entry = small.make(excluded=str(tmp_path / "excluded.csv"))
    keyframes = small.keyframes()
    assert ("film", 0.0) not in keyframes and ("pal", 2.0) not in keyframes
    assert entry["excluded_keyframes"] == 2 and len(keyframes) == 14
    assert entry["dropped_rows_of_unknown_classes"] == {"77": 1, "99": 1}
    assert len(keyframes["film", 3.0].class_ids) == 3
    for empty in (("pal", 1.25), ("pal", 6.5)):
        assert keyframes[empty].boxes.shape == (0, 4)


def test_every_second_of_a_range_is_a_keyframe(small):
    small.rows = [row for row in small.rows if ",0002," in row]
    entry = small.make(keyframe_seconds=(1, 30))
    keyframes = small.keyframes()
    assert [time for video_id, time in sorted(keyframes) if video_id == "pal"] == [*range(1, 9)]
    assert len(keyframes["pal", 2.0].class_ids) == 3 and len(keyframes["pal", 3.0].class_ids) == 0
    skipped = {skip["video_id"]: skip for skip in entry["skipped"]}
    assert skipped["pal"]["timestamps"] == [float(second) for second in range(9, 31)]
    assert skipped["pal"]["reason"] == "past the end of the video, which is at 8.000 s"


def test_broken_videos_are_listed_and_the_rest_goes_on(case, library):
    os.remove(case.videos / "film.mp4")
    for name in ("pal", "ntsc", "thirty"):  # copies: the originals are links to the library
        data = (case.videos / f"{name}.mp4").read_bytes()
        os.remove(case.videos / f"{name}.mp4")
        (case.videos / f"{name}.mp4").write_bytes(data)
    cut(case.videos / "pal.mp4", 0.6)
    (case.videos / "ntsc.mp4").write_bytes(b"not a video")
    remux(library[0] / "thirty.mp4", case.videos / "thirty.mp4", "mp4")  # index at the end
    cut(case.videos / "thirty.mp4", 0.9)
    entry = case.make()
    kept = sorted(case.keyframes())
    skipped = {skip["video_id"]: skip for skip in entry["skipped"]}
    assert skipped.keys() == {"film", "pal", "ntsc", "thirty"}
    assert "not found" in skipped["film"]["reason"] and entry["missing_videos"] == ["film"]
    assert "cannot be read as video" in skipped["ntsc"]["reason"]
    assert "cannot be read as video" in skipped["thirty"]["reason"]
    for skip in skipped.values():
        assert skip["num_keyframes"] == len(skip["timestamps"]) and "\n" not in skip["reason"]
    of_pal = [time for video_id, time in kept if video_id == "pal"]
    assert len(of_pal) > 1 and sorted(of_pal + skipped["pal"]["timestamps"]) == [*range(7)]
    assert of_pal == sorted(of_pal)[: len(of_pal)] and max(of_pal) < min(
        skipped["pal"]["timestamps"]
    )
    assert [time for video_id, time in kept if video_id == "vary"] == [*range(7)]
    # The file says the same as the call.
    manifest = json.loads((case.folder / "out" / "manifest.json").read_text())
    assert manifest["records"]["train"]["skipped"] == entry["skipped"]


def test_a_second_run_writes_only_what_changed(case, library):
    hidden = case.folder / "film.mp4"
    os.rename(case.videos / "film.mp4", hidden)
    case.make(num_shards=12)
    first = case.versions()

    case.make(num_shards=12)
    assert case.versions() == first
    assert case.lines[-1] == "12 of 12 shards are there and unchanged"

    os.rename(hidden, case.videos / "film.mp4")
    entry = case.make(num_shards=12)
    second = case.versions()
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {
        shard["shard"]
        for shard in entry["shards"]
        if any(
            segment.video_id == "film"
            for segment in (
                record.decode(serialized.numpy())
                for serialized in tf.data.TFRecordDataset(str(case.folder / "out" / shard["shard"]))
            )
        )
    }
    assert 0 < len(changed) < 12 and entry["skipped"] == []

    case.rows[0] = case.rows[0].replace("0.5", "0.6")
    case.make(num_shards=12)
    third = case.versions()
    assert sum(second[name] != third[name] for name in second) == 1

    one, other, *_ = [path for path in case.shards() if path.stat().st_size]
    os.remove(one)
    cut(other, 0.5)
    case.make(num_shards=12)
    fourth = case.versions()
    assert sum(third[name] != fourth[name] for name in third) == 2

    case.make(num_shards=12, settings={"jpeg_quality": 70})
    fifth = case.versions()
    assert all(fourth[name] != fifth[name] for name in fourth)
    case.make(num_shards=12, settings={"jpeg_quality": 70}, overwrite=True)
    assert all(fifth[name] != version for name, version in case.versions().items())


def test_shards_of_another_count_go_away(small):
    small.make(num_shards=5)
    small.make(name="val", num_shards=4)
    small.make(num_shards=2)
    assert [path.name for path in small.shards()] == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    assert len(small.shards("val")) == 4
    assert len(small.keyframes()) == 14
    manifest = json.loads((small.folder / "out" / "manifest.json").read_text())
    assert manifest["records"].keys() == {"train", "val"}
    (small.folder / "out" / "train-00000-of-00007.tfrecord").write_bytes(b"somebody's")
    with pytest.raises(UserError, match="00007.*was not written by this program"):
        small.make(num_shards=2)


def test_records_do_not_depend_on_how_they_were_made(small, tmp_path, library):
    small.make()
    first = {path.name: path.read_bytes() for path in small.shards()}
    small.make(overwrite=True)
    assert first == {path.name: path.read_bytes() for path in small.shards()}


def test_size_and_rate(small):
    small.make(settings={"shorter_side": 24, "max_frame_rate": 5.0})
    for segment in small.segments():
        assert (segment.height, segment.width) == (24, 80)
        assert Image.open(io.BytesIO(segment.frames[0])).size == (80, 24)
        assert np.diff(segment.timestamps).min() > 100_000
        spanned = (segment.timestamps[-1] - segment.timestamps[0]) / 1e6
        assert len(segment.frames) == pytest.approx(5 * spanned + 1, abs=1.5)
    small.make(settings={"shorter_side": 4000})
    assert {(segment.height, segment.width) for segment in small.segments()} == {(48, 160)}


def test_videos_may_begin_at_another_time_of_the_csv(small):
    small.make()
    plain = {segment.video_id + str(segment.start): segment for segment in small.segments()}
    small.rows = [row.replace(",00", ",09") for row in small.rows]  # 900, 901, ...
    small.rows.append("pal,0899,0.1,0.1,0.2,0.2,12,0")
    entry = small.make(name="later", settings={"video_start_seconds": 900.0})
    later = small.segments("later")
    assert len(later) == len(plain)
    for segment in later:
        same = plain[segment.video_id + str(segment.start - 900_000_000)]
        np.testing.assert_array_equal(segment.timestamps - 900_000_000, same.timestamps)
        assert segment.frames == same.frames
        assert [keyframe.timestamp - 900_000_000 for keyframe in segment.keyframes] == [
            keyframe.timestamp for keyframe in same.keyframes
        ]
    (skip,) = entry["skipped"]
    assert skip["timestamps"] == [899.0] and "before the video's first frame" in skip["reason"]


def test_folder_of_jpeg_frames_is_stored_as_it_is(small):
    """No second loss: without a resize the very files are in the record."""
    files = {}
    for name in ("film", "pal"):
        with VideoReader(small.videos / f"{name}.mp4") as reader:
            frames = [frame for _, frame in reader.frames()]
        os.remove(small.videos / f"{name}.mp4")
        (small.videos / name).mkdir()
        for number, frame in enumerate(frames):
            path = small.videos / name / f"{name}_{number + 1:06d}.jpg"
            Image.fromarray(frame).save(path)
            files[name, number] = path.read_bytes()
    small.make(settings={"frames_rate": 25.0})
    assert len(small.keyframes()) == 14
    for segment in small.segments():
        for time, frame in zip(segment.timestamps, segment.frames, strict=True):
            assert frame == files[segment.video_id, _code(frame)]
            assert time == _code(frame) * 40_000
        assert not {"jpeg_quality", "jpeg_chroma"} & segment.provenance.keys()


def test_the_same_video_twice_is_refused(small):
    (small.videos / "pal.mkv").write_bytes(b"")
    with pytest.raises(UserError, match="'pal' is there 2 times"):
        small.make()


def test_nothing_readable_leaves_nothing(small):
    for name in ("film", "pal"):
        os.remove(small.videos / f"{name}.mp4")
        (small.videos / f"{name}.mp4").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="no keyframe of any video could be read"):
        small.make()
    assert [path for path in (small.folder / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("num_shards", [3, 2])
def test_a_run_that_reads_nothing_leaves_the_earlier_records(small, num_shards):
    small.make()
    before = small.versions()
    manifest = (small.folder / "out" / "manifest.json").read_text()
    films = {path: path.read_bytes() for path in small.videos.iterdir()}
    for path in films:
        path.unlink()  # a link to the library
        path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="could be read, so nothing was written"):
        small.make(num_shards=num_shards)
    assert small.versions() == before and len(small.keyframes()) == 14
    assert (small.folder / "out" / "manifest.json").read_text() == manifest
    assert small.leftovers() == []
    for path, content in films.items():
        path.write_bytes(content)
    small.make(num_shards=num_shards)
    assert len(small.shards()) == num_shards and len(small.keyframes()) == 14


def test_a_video_that_became_unreadable_leaves_its_shards(small):
    """Where anything is read the records are what can be read now, as the manifest says."""
    small.make(num_shards=9)
    for path in small.videos.glob("pal*"):
        path.unlink()
        path.write_bytes(b"nonsense")
    entry = small.make(num_shards=9)
    assert {name for name, _ in small.keyframes()} == {"film"} == {*entry["videos"]}
    assert [shard["bytes"] for shard in entry["shards"]] == [
        path.stat().st_size for path in small.shards()
    ]
    assert small.leftovers() == []
    again = small.versions()
    small.make(num_shards=9)
    assert small.versions() == again


def test_a_broken_link_is_missing_and_the_rest_goes_on(small):
    (small.videos / "pal.mp4").unlink()
    os.symlink("/nowhere/pal.mp4", small.videos / "pal.mp4")
    entry = small.make()
    (skip,) = entry["skipped"]
    assert skip["video_id"] == "pal" and skip["num_keyframes"] == 7
    assert skip["reason"] == "is a link to /nowhere/pal.mp4, which is not there"
    assert {name for name, _ in small.keyframes()} == {"film"}


def test_a_full_disk_is_one_line(small, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_pipeline.record_shard.record, "encode", full)
    with pytest.raises(UserError, match="train-0000.-of-00003.*No space left") as error:
        small.make()
    assert "\n" not in str(error.value)
    assert small.shards() == []


def test_a_foreign_manifest_is_kept(small):
    (small.folder / "out").mkdir()
    (small.folder / "out" / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="is not a manifest of records"):
        small.make()
    assert (small.folder / "out" / "manifest.json").read_text() == "{}"


@pytest.mark.parametrize(
    "arguments,expected",
    [
        (["--num_shard", "3"], "--num_shard"),
        (["stray"], "stray"),
        (["--direct_num_workers", "two"], "direct_num_workers"),
    ],
)
def test_arguments_that_beam_would_drop_are_refused(arguments, expected):
    with pytest.raises(UserError, match=expected):
        parse_beam_arguments(arguments)


def test_beam_arguments_reach_beam():
    from apache_beam.options.pipeline_options import DirectOptions, StandardOptions

    options = parse_beam_arguments(["--direct_num_workers=2"])
    assert options.view_as(DirectOptions).direct_num_workers == 2
    assert options.view_as(StandardOptions).runner == "FnApiRunner"
    named = parse_beam_arguments(["--runner", "BundleBasedDirectRunner"])
    assert named.view_as(StandardOptions).runner == "BundleBasedDirectRunner"
    assert (
        parse_beam_arguments(["--runner=DirectRunner"]).view_as(StandardOptions).runner
        == "FnApiRunner"
    )
