"""No tool writes over what it reads, nor works for a file that cannot be written."""

import importlib
import pathlib

import pytest

from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = str(ROOT / "configs/playground/demo.config")
CSVS = {"annotations": "a", "detections": "d", "label_map": "m"}
MODEL = {"pipeline_config_path": CONFIG, "checkpoint": "c"}
IMPORTED = ("annotations.csv", "label_map.pbtxt", "import_report.json")
PROJECT = ("pipeline.config", "label_map.pbtxt", "train.csv", "val.csv", "README.md")
FIGURES = ("figure4.png", "attention.png", "keys.png", "attention.mp4", "keys.mp4")
FOUND = ("detections.json", "detections.csv", "tracks.csv", "annotated.mp4", "attention.jpg")

# Tool -> its flags, those of them that name files that it reads, and what it writes: names in the
# folder --output, none where --output is the file.
TOOLS = {
    "evaluate_csv": (CSVS, ("annotations", "detections", "label_map", "excluded"), ()),
    "measure_attention": (
        {**MODEL, "annotations": "a", "concerned": "b", "records": "r"},
        ("pipeline_config_path", "annotations", "concerned", "records"),
        (),
    ),
    "detect_people": ({"videos": ".", "saved_model": "s"}, ("annotations",), ()),
    "convert_config": ({}, ("pipeline_config_path",), ()),
    "analyze": (
        CSVS,
        ("annotations", "detections", "label_map", "excluded", "train_annotations"),
        ("analysis.html", "analysis.json"),
    ),
    "import_annotations": ({"annotations": "a"}, ("annotations", "label_map"), IMPORTED),
    "init_project": (
        {"videos": ".", "annotations": "a"},
        ("annotations", "label_map", "validation_annotations"),
        PROJECT,
    ),
    "visualize_attention": (
        {**MODEL, "video": "v", "timestamp": "1"},
        ("pipeline_config_path", "video"),
        FIGURES,
    ),
    "detect_video": (
        {"saved_model": "s", "video": "v"},
        ("video", "annotations", "boxes"),
        FOUND,
    ),
    "explore": (
        {"saved_model": "s", "video": "v"},
        ("video", "annotations", "boxes"),
        ["video.mp4"],
    ),
    "create_ava_tfrecord": (
        {"videos": ".", "annotations": "a", "label_map": "m", "num_shards": "1"},
        ("annotations", "label_map", "excluded"),
        ["manifest.json"],
    ),
    "create_kinetics_tfrecord": (
        {"annotations": "a", "num_shards": "1"},
        ("annotations",),
        ["manifest.json", "x_label_map.pbtxt"],
    ),
    "import_i3d_weights": ({"source": "s"}, ("source",), ["x.index", "x.data-00000-of-00001"]),
}
PREFIXES = ("create_ava_tfrecord", "create_kinetics_tfrecord", "import_i3d_weights")
# What these write has names that no file of the others' kind has, and their folders are new or
# hold an older result of theirs alone.
WITHOUT = {
    "demo": {},
    "demo_real": {"video": "v"},
    "exporter_main": MODEL,
    "make_kinetics_detector": {"saved_model": "s", "source": "w"},
    "make_playground": {"split": "val", "num_videos": "1"},
    "reproduce": {"suite": "playground"},
    "visualize_detections": {**CSVS, "videos": "v"},
}
FLAGS = {**WITHOUT, **{tool: flags for tool, (flags, _, _) in TOOLS.items()}}


def start(tool, flags):
    words = [word for name, value in flags.items() for word in (f"--{name}", value)]
    return importlib.import_module(f"tools.{tool}").main(words)


def test_every_tool_that_writes_is_looked_at():
    writing = {path.stem for path in ROOT.glob("tools/*.py") if '"--output"' in path.read_text()}
    assert writing == FLAGS.keys()


@pytest.mark.parametrize(
    "tool, flag, name",
    [
        (tool, flag, name)
        for tool, (_, inputs, names) in TOOLS.items()
        for flag in inputs
        for name in names or [""]
    ],
)
def test_an_input_is_not_written_over(tmp_path, monkeypatch, tool, flag, name):
    monkeypatch.chdir(tmp_path)
    flags, _, names = TOOLS[tool]
    held = tmp_path / "out" / (name or "mine.csv")
    held.parent.mkdir()
    held.write_text("mine")
    output = "out/x" if tool in PREFIXES else "out" if names else "out/mine.csv"
    (tmp_path / "link").symlink_to(held)
    for path in (str(held), "link"):
        said = "is there already|is one of the files that are read"
        with pytest.raises(UserError, match=f"^(--)?output(_label_map)? out/.*({said})"):
            start(tool, {**flags, flag: path, "output": output})
    assert held.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out"]


def test_the_classes_found_are_not_written_over_the_list_of_videos(tmp_path):
    held = tmp_path / "clips.csv"
    held.write_text("mine")
    flags = {"annotations": str(held), "num_shards": "1", "output": str(tmp_path / "x")}
    with pytest.raises(UserError, match="^--output_label_map .*is one of the files that are read"):
        start("create_kinetics_tfrecord", {**flags, "output_label_map": str(held)})
    assert held.read_text() == "mine"


@pytest.mark.parametrize("tool", [tool for tool, (_, _, names) in TOOLS.items() if not names])
def test_a_file_that_cannot_be_written_is_told_before_the_inputs(tmp_path, monkeypatch, tool):
    """Of the inputs none is there: what is told first is looked at first."""
    monkeypatch.chdir(tmp_path)
    flags, inputs, _ = TOOLS[tool]
    flags = {**flags, **{flag: "absent.csv" for flag in inputs if flag not in flags}}
    for output, said in (("absent/a", "there is no folder"), (".", "is a folder")):
        with pytest.raises(UserError, match=f"^--output {output}: {said}"):
            start(tool, {**flags, "output": output})


# Of another flag that names a folder.
OTHERS: dict[str, dict] = {"detect_people": {}, "model_main": {"pipeline_config_path": CONFIG}}
IN_FOLDERS = [
    *((tool, "output") for tool in FLAGS if tool not in TOOLS or TOOLS[tool][2]),
    ("detect_people", "fetch_movenet"),
    ("model_main", "model_dir"),
]


@pytest.mark.parametrize("tool, flag", IN_FOLDERS)
def test_a_folder_in_a_file_is_told_before_anything_is_loaded(tmp_path, monkeypatch, tool, flag):
    """Of the inputs none is there: what is told first is looked at first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")

    def import_tensorflow():
        raise AssertionError("loads TensorFlow first")

    monkeypatch.setattr("avatx.cli.import_tensorflow", import_tensorflow)
    flags = FLAGS[tool] if flag == "output" else OTHERS[tool]
    for output in ("file/x", "file/in/x"):
        said = f"^--{flag} {output}: {tmp_path}/file is a file; expected a folder"
        with pytest.raises(UserError, match=said):
            start(tool, {**flags, flag: output})
    assert (tmp_path / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if TOOLS[tool][2]])
def test_a_folder_in_a_file_s_place_is_told_before_the_inputs(tmp_path, monkeypatch, tool):
    monkeypatch.chdir(tmp_path)
    flags, inputs, names = TOOLS[tool]
    flags = {**flags, **{flag: "absent.csv" for flag in inputs if flag not in flags}}
    for name in names:
        (tmp_path / "out" / name).mkdir(parents=True)
        with pytest.raises(UserError, match=f"^--output(_label_map)? out(/{name})?: (is a|holds)"):
            start(tool, {**flags, "output": "out/x" if tool in PREFIXES else "out"})
        (tmp_path / "out" / name).rmdir()
