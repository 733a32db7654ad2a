"""Many videos by one call: a result each, what is done is skipped, one bad video stops no other."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel

from avatx import beam_pipeline
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference import batch_detection, batch_manifest, video_search
from avatx.inference.batch_detection import detect_videos
from avatx.inference.batch_plan import BatchSettings
from avatx.inference.detector import Detector

ROOT = Path(__file__).parents[2]
FILES = [".done.json", "annotated.mp4", "contact_sheet.jpg", "detections.csv", "detections.json"]
FILES += ["tracks.csv"]
SETTINGS = BatchSettings(score_threshold=0.0)
CLASS_NAMES = {1: "bend", 2: "stand", 4: "watch (a person)"}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export"))
    saved_model.export(FakeDetectionModel(), 8, 12.5, CLASS_NAMES, folder)
    return folder


@pytest.fixture(scope="module")
def detector(export):
    return Detector(export)


def write_video(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(str(path), 10, 32, 48) as writer:
        for i in range(round(10 * seconds)):
            writer.write(np.full([32, 48, 3], (9 * i) % 256, np.uint8))


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    write_video(folder / "a.mp4", 1.2)
    write_video(folder / "deep" / "a.mp4", 2.2)
    write_video(folder / "b.mp4", 0.5)
    (folder / "hostile.mp4").write_bytes(b"\0\0\0\x20ftypisom" + b"\xff" * 500)
    (folder / "notes.md").write_text("no video")
    return folder


def run(detector, items, output, settings=SETTINGS, arguments=()):
    lines = []
    manifest = detect_videos(
        [str(item) for item in items],
        str(output),
        detector,
        settings,
        beam_arguments=arguments,
        log=lines.append,
    )
    return manifest, lines


def entries(manifest, root):
    """Path below `root` -> (name of the result, keyframes), or the reason."""
    return {
        os.path.relpath(path, root): (entry["result"], entry["keyframes"])
        if "result" in entry
        else entry["failed"]
        for path, entry in manifest["videos"].items()
    }


def test_one_hostile_video_among_others(detector, videos, tmp_path):
    output = tmp_path / "out"
    manifest, lines = run(detector, [videos], output)
    found = entries(manifest, videos)
    assert found["b.mp4"] == ("b", 1)
    # Of one name in two folders: two results, each with its own number of keyframes.
    (first, count), (second, other) = found["a.mp4"], found["deep/a.mp4"]
    assert (count, other) == (2, 3) and first != second
    assert first.startswith("a-") and second.startswith("a-")
    assert found["hostile.mp4"].startswith("cannot be read")
    for name in (first, second, "b"):
        assert sorted(os.listdir(output / name)) == FILES
    csv = (output / second / "detections.csv").read_text()
    assert {line.split(",")[0] for line in csv.splitlines()} == {second}
    # Nothing else is left but what the next run asks for.
    assert sorted(os.listdir(output)) == sorted(
        [first, second, "b", "manifest.json", ".avatx-detections"]
    )
    assert os.listdir(output / ".avatx-detections") == ["lock"]
    assert json.loads((output / "manifest.json").read_text()) == manifest
    totals = manifest["totals"]
    assert (totals["videos"], totals["results"], totals["failed"]) == (4, 3, 1)
    assert (totals["keyframes"], totals["detections"], totals["made_now"]) == (6, 18, 3)
    # A line a video, in the order in which they are done.
    assert [line.split(":")[0] for line in lines[1:]] == [f"{i} of 4" for i in (1, 2, 3, 4)]
    assert sum("FAILED: cannot be read" in line for line in lines) == 1
    told = batch_manifest.summary(manifest)
    assert told[0].startswith("3 of 4 videos have a result, 3 of them made now: 18 detections")
    assert told[1] == "FAILED: 1 videos" and "hostile.mp4: cannot be read" in told[2]


def test_what_is_done_is_skipped_and_what_changed_is_made_anew(detector, videos, tmp_path):
    output = tmp_path / "out"
    (videos / "hostile.mp4").unlink()
    first, _ = run(detector, [videos], output)

    def made():
        manifest, lines = run(detector, [videos], output)
        assert entries(manifest, videos) == entries(first, videos)
        return sorted(line.split(": ")[1] for line in lines if " of " in line and "." in line)

    assert made() == []
    os.utime(videos / "b.mp4", (1, 1))  # another video under the name
    assert made() == [str(videos / "b.mp4")]
    (output / "b" / "detections.csv").write_text("")
    assert made() == [str(videos / "b.mp4")]
    assert (output / "b" / "detections.csv").read_text().startswith("b,")
    (output / "b" / ".done.json").write_text("{")  # as after a power loss
    assert made() == [str(videos / "b.mp4")]
    (output / "manifest.json").unlink()
    # As a run leaves that is killed between a result's coming and its own end.
    (output / ".detect_videos.partial0" / "older").mkdir(parents=True)
    assert made() == []
    assert not (output / ".detect_videos.partial0").exists()
    manifest, _ = run(detector, [videos], output, BatchSettings(score_threshold=1.0))
    assert manifest["totals"]["made_now"] == 3 and manifest["totals"]["detections"] == 0
    # More clips at once give the same.
    manifest, _ = run(detector, [videos], output, BatchSettings(score_threshold=1.0, batch_size=4))
    assert manifest["totals"]["made_now"] == 0


def test_another_model_makes_all_anew(detector, videos, tmp_path):
    other = FakeDetectionModel()
    other.weight.assign(3.0)
    saved_model.export(other, 8, 12.5, CLASS_NAMES, str(tmp_path / "other"))
    run(detector, [videos / "b.mp4"], tmp_path / "out")
    manifest, _ = run(Detector(str(tmp_path / "other")), [videos / "b.mp4"], tmp_path / "out")
    assert manifest["totals"]["made_now"] == 1
    content = json.loads((tmp_path / "out/b/detections.json").read_text())
    assert content["saved_model"] == str(tmp_path / "other")


def test_a_second_video_of_a_name_leaves_the_first_ones_result(detector, videos, tmp_path):
    output = tmp_path / "out"
    run(detector, [videos / "a.mp4"], output)
    manifest, _ = run(detector, [videos / "deep" / "a.mp4"], output)
    found = entries(manifest, videos)
    assert found["a.mp4"] == ("a", 2)  # listed still
    name, keyframes = found["deep/a.mp4"]
    assert name.startswith("a-") and keyframes == 3 and manifest["totals"]["made_now"] == 1


def test_a_video_that_breaks_keeps_its_older_result(detector, videos, tmp_path):
    run(detector, [videos], tmp_path / "out")
    (videos / "b.mp4").write_bytes(b"broken")
    manifest, _ = run(detector, [videos], tmp_path / "out")
    entry = manifest["videos"][str(videos / "b.mp4")]
    assert entry["failed"].startswith("cannot be read") and entry["older_result"] == "b"
    assert sorted(os.listdir(tmp_path / "out" / "b")) == FILES


def test_nothing_that_can_be_read_leaves_nothing(detector, videos, tmp_path):
    with pytest.raises(UserError, match="no video could be read, so nothing was written; for one"):
        run(detector, [videos / "hostile.mp4"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_of_somebody_else_stay(detector, videos, tmp_path):
    output = tmp_path / "out"
    (output / "b").mkdir(parents=True)
    (output / "b" / "thesis.tex").write_text("mine")
    manifest, _ = run(detector, [videos / "b.mp4", videos / "a.mp4"], output)
    found = entries(manifest, videos)
    assert "b holds thesis.tex, which is no result of this program" in found["b.mp4"]
    assert found["a.mp4"] == ("a", 2) and os.listdir(output / "b") == ["thesis.tex"]
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "manifest.json").write_text('{"records": {}}')
    with pytest.raises(UserError, match="manifest.json is not a manifest of detections"):
        run(detector, [videos], tmp_path / "records")


def test_a_full_disk_ends_the_run_and_leaves_no_half_result(
    detector, videos, tmp_path, monkeypatch
):
    def full(*arguments, **keywords):
        raise UserError("OUT cannot be written: No space left") from OSError(28, "No space left")

    monkeypatch.setattr(batch_detection, "detect_video", full)
    with pytest.raises(UserError, match="^OUT cannot be written: No space left$"):
        run(detector, [videos], tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == [".avatx-detections"]
    assert os.listdir(tmp_path / "out" / ".avatx-detections") == ["lock"]


def test_results_among_the_videos_are_no_videos(detector, videos):
    for _ in range(2):
        manifest, _ = run(detector, [videos], videos)
        assert len(manifest["videos"]) == 4 and manifest["totals"]["results"] == 3


def test_the_model_is_loaded_once_a_process(export, videos, tmp_path, monkeypatch):
    loads = []
    load = tf.saved_model.load
    monkeypatch.setattr(tf.saved_model, "load", lambda path: loads.append(path) or load(path))
    threads = ["--direct_num_workers", "3", "--direct_running_mode", "multi_threading"]
    manifest, _ = run(Detector(export), [videos], tmp_path / "out", arguments=threads)
    assert manifest["totals"]["made_now"] == 3 and loads == [export]


def test_a_worker_of_its_own_loads_it(export, videos, tmp_path):
    """As a process of Beam's does: nothing but the plan's file tells it what to do."""
    plan = {
        "video": str(videos / "b.mp4"),
        "name": "b",
        "target": str(tmp_path / "out" / "b"),
        "fingerprint": "f",
        "saved_model": export,
        "model": "m",
        "settings": SETTINGS.to_dict(),
    }
    for number in (1, 2):
        (tmp_path / f"{number}.plan.json").write_text(json.dumps(plan))
    code = (
        "import sys; import tensorflow as tf; load = tf.saved_model.load; loads = []\n"
        "tf.saved_model.load = lambda path: loads.append(path) or load(path)\n"
        "from avatx.inference.batch_detection import detect_planned\n"
        "for path in sys.argv[1:]: detect_planned(path)\n"
        "sys.exit(len(loads))"
    )
    paths = [str(tmp_path / f"{number}.plan.json") for number in (1, 2)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, *paths], env=environment, check=False)
    assert done.returncode == 1
    outcome = json.loads((tmp_path / "2.outcome.json").read_text())
    assert (outcome["keyframes"], outcome["detections"]) == (1, 3)
    assert sorted(os.listdir(tmp_path / "out" / "b")) == FILES


def load_tool():
    path = ROOT / "tools" / "detect_video.py"
    spec = importlib.util.spec_from_file_location("detect_video_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_command_line(export, videos, tmp_path, capsys):
    main = load_tool().main
    base = ["--saved_model", export, "--output", str(tmp_path / "out")]
    listed = tmp_path / "list.txt"
    listed.write_text(f"{videos}/b.mp4\n\n# the last one is away\n{videos}/away.mp4\n")
    assert main([*base, "--videos", str(listed), "--every", "0.25", "--score_threshold", "0"]) == 0
    printed = capsys.readouterr()
    out = printed.out.splitlines()
    assert out[-1] == f"manifest: {tmp_path / 'out' / 'manifest.json'}"
    assert "b.mp4: 6 detections at 2 keyframes" in printed.err
    assert f"2 of 2: {videos}/away.mp4: FAILED: no such file or folder" in printed.err.splitlines()
    with pytest.raises(SystemExit):
        main([*base, "--video", "v", "--videos", "w"])
    with pytest.raises(SystemExit):  # Beam's flags are those of many videos
        main([*base, "--video", str(videos / "b.mp4"), "--direct_num_workers", "2"])
    for arguments, message in (
        (["--videos", str(videos), "--bach_size", "3"], "unknown argument '--bach_size'"),
        (["--videos", str(videos), "--runner", "Nobody"], "runner Nobody"),
        (["--videos", str(tmp_path / "absent")], "--videos: .*absent: there is no such file"),
        (["--videos", str(videos / "*.avi")], r"--videos: .*\*\.avi: there is no such file"),
    ):
        with pytest.raises(UserError, match=message):
            main([*base, *arguments])


def test_what_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x/1.mp4", "x/2.mp4", "x/y/3.mkv", "[a] film.mp4", "x/.hidden.mp4"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    Path("frames").mkdir()
    Path("frames/img_00001.jpg").write_bytes(b"")
    Path("nothing").mkdir()
    Path("list.TXT").write_bytes(
        "\ufeffx/2.mp4\r\ncaf\udce9.mp4\r\n".encode("utf-8", "surrogateescape")
    )

    def find(*items):
        return [os.path.relpath(path) for path in video_search.find_videos(items).videos]

    assert find("x") == ["x/1.mp4", "x/2.mp4", "x/y/3.mkv"]
    assert find("x/1.mp4", "x") == ["x/1.mp4", "x/2.mp4", "x/y/3.mkv"]
    assert find("x/*.mp4") == ["x/1.mp4", "x/2.mp4"]
    assert find("x/**/*.mkv", "x/[2].mp4") == ["x/y/3.mkv", "x/2.mp4"]
    assert find("[a] film.mp4") == ["[a] film.mp4"]  # a file before a pattern
    assert find("frames") == find("fr*") == ["frames"]
    assert find(".") == ["[a] film.mp4", "frames", "x/1.mp4", "x/2.mp4", "x/y/3.mkv"]
    assert find("list.TXT") == ["x/2.mp4", "caf\udce9.mp4"]
    assert video_search.find_videos(["https://h/a.mp4?b"]).videos == ["https://h/a.mp4?b"]
    Path("empty.txt").write_text("\n# none\n")
    Path("other.txt").write_bytes(b"x/1.mp4\nx\0y\n")
    for item, message in (
        ("nothing", "nothing holds no video"),
        ("empty.txt", "empty.txt: an empty list"),
        ("other.txt", r"other.txt, line 2: 'x\\x00y' is no path"),
        ("nowhere.mp4", r"nowhere.mp4 \(relative to the current folder, .*: there is no such"),
    ):
        with pytest.raises(UserError, match=message):
            find(item)


def test_names_of_results():
    name = video_search.name_results
    assert name(["/a/x.mp4", "/b/y.v1.mkv"], {}) == {"/a/x.mp4": "x", "/b/y.v1.mkv": "y.v1"}
    # 8 digits of sha256 of the path.
    both = name(["/a/x.mp4", "/b/X.avi", "/c/x.y"], {"/c/x.y": "x"})
    assert both == {"/a/x.mp4": "x-b4863776", "/b/X.avi": "X-79952893", "/c/x.y": "x"}
    assert name(["/m/manifest.json.mp4"], {}, ["manifest.json"])["/m/manifest.json.mp4"].startswith(
        "manifest.json-"
    )
    odd = name(["/a/.x.mp4", "/a/caf\udce9.mp4", f"/{'é' * 120}.mp4"], {})
    assert list(odd.values())[:2] == ["_x", "caf_"]
    assert len(list(odd.values())[2].encode()) == 200


def test_flags_that_beam_knows():
    with pytest.raises(UserError, match="unknown argument '--windowz'"):
        beam_pipeline.parse_arguments(["--windowz", "3"])
