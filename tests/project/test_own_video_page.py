"""The commands of docs/own-video.md, in order and at small size, on playground videos."""

import json
import pathlib
import shlex
import shutil

import pytest

from avatx import dispatch, flags, playground

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "own-video.md"
MODEL = "model.action_faster_rcnn"
# What makes a step small, or does without the network; behind the page's own arguments.
SMALLER = {
    "init": ["--from_scratch", "--num_frames", "8"],
    "train": [
        "--override",
        f"{MODEL}.trunk.i3d.depth_multiplier=0.125",
        f"{MODEL}.image_resizer.fixed_shape_resizer.height=64",
        f"{MODEL}.image_resizer.fixed_shape_resizer.width=80",
        "train_config.num_steps=2",
        "train_config.batch_size=1",
        "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate"
        ".warmup_steps=1",
    ],
}
ELSEWHERE = {
    "data import": "tests/importing/test_importing.py: these annotations are AVA's already",
    "weights i3d": "tests/tools/test_import_i3d_weights.py: 47 MB from the package index",
}


def commands():
    lines = [line[4:] for line in PAGE.read_text().split("\n") if line.startswith("    avatx ")]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_page_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flags._Program, "command", None)
    playground.generate("made", "train", 4, 3, num_workers=1)
    shutil.move("made/videos", "videos")
    pathlib.Path("imported").mkdir()
    shutil.move("made/train.csv", "imported/annotations.csv")
    shutil.move("made/label_map.pbtxt", "imported/label_map.pbtxt")
    shutil.copy(sorted(pathlib.Path("videos").iterdir())[0], "film.mp4")
    done, said = [], {}
    for words in commands():
        name = next(
            name for name in (" ".join(words[:2]), words[0]) if name in dispatch.commands.BY_NAME
        )
        done.append(name)
        if name in ELSEWHERE:
            continue
        assert dispatch.run([*words, *SMALLER.get(name, ())]) == 0, words
        said[name] = capsys.readouterr()
    assert done == [
        "data import",
        "data validate",
        "init",
        "config check",
        "weights i3d",
        "data records",
        "data records",
        "train",
        "analyze",
        "export",
        "detect",
    ]
    assert "0 bad rows" in said["data validate"].out
    assert "mAP@0.5 " in said["train"].out and "step 2/2" in said["train"].err
    assert "step 2/2" not in said["train"].out
    assert "exported step 2 (mine/model/best/" in said["export"].out
    assert json.loads(pathlib.Path("mine/model/metrics.json").read_text())["step"] == 2
    assert "<html" in pathlib.Path("mine/analysis/analysis.html").read_text()
    assert pathlib.Path("mine/detections/annotated.mp4").stat().st_size > 1000
    # The page of `init` has the same commands.
    made = pathlib.Path("mine/README.md").read_text()
    for name in ("data records", "train", "analyze", "export", "detect"):
        assert f"avatx {name} " in made
