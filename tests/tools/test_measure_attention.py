"""tools/measure_attention.py on a small untrained model, as a user runs it."""

import json
import pathlib

import pytest
import tensorflow as tf
from coded_video import write_coded_video

from avatx import config
from avatx.builders import model_builder
from avatx.errors import UserError
from tools import measure_attention

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film, its annotations, whom they concern, and a checkpoint of a narrow model."""
    folder = tmp_path_factory.mktemp("attention")
    (folder / "videos").mkdir()
    write_coded_video(str(folder / "videos" / "film.mp4"), 10, 40)
    (folder / "map.pbtxt").write_text(
        'item { name: "watch" id: 80 }\nitem { name: "sit" id: 11 }\n'
    )
    boxes = {0: "0.1,0.1,0.4,0.9", 1: "0.5,0.2,0.9,1", 2: "0,0.5,0.2,0.8"}
    (folder / "val.csv").write_text(
        "".join(
            f"film,{second},{box},{80 if person < 2 else 11},{person}\n"
            for second in (1, 2)
            for person, box in boxes.items()
            if (second, person) != (2, 2)
        )
    )
    (folder / "concerned.csv").write_text("film,1,80,0,1\nfilm,1,80,1,0\nfilm,2,80,1,0\n")
    return folder


def arguments(folder, output, *more):
    path = str(ROOT / "configs/playground/demo.config")
    prefix = "model.action_faster_rcnn."
    overrides = [
        prefix + "image_resizer.fixed_shape_resizer.height=48",
        prefix + "image_resizer.fixed_shape_resizer.width=64",
        prefix + "first_stage_max_proposals=8",
        prefix + "trunk.i3d.depth_multiplier=0.125",
        prefix + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
        f"train_input_reader.label_map_path={folder}/map.pbtxt",
        f"eval_input_reader.label_map_path={folder}/map.pbtxt",
        *more,
    ]
    if not (folder / "model").exists():
        model = model_builder.build(config.load(path, overrides).model)
        for variable in model.trainable_variables:
            if "query" in variable.name or "key" in variable.name:
                variable.assign(tf.zeros_like(variable))  # of all cells alike: even attention
        tf.train.Checkpoint(model=model, global_step=tf.Variable(7, dtype=tf.int64)).save(
            str(folder / "model" / "ckpt")
        )
    return [
        *["--pipeline_config_path", path, "--checkpoint", str(folder / "model")],
        *["--annotations", str(folder / "val.csv"), "--concerned", str(folder / "concerned.csv")],
        *["--videos", str(folder / "videos"), "--output", str(output)],
        *["--override", *overrides],
    ]


@pytest.mark.parametrize("source", ["RPN", "EXTERNAL", "GROUNDTRUTH"])
def test_a_model_that_attends_evenly_gives_each_box_its_area(folder, tmp_path, capsys, source):
    """Wherever it has people from: the boxes are the annotated ones."""
    more = f"model.action_faster_rcnn.proposal_source={source}"
    assert measure_attention.main(arguments(folder, tmp_path / "a.json", more)) == 0
    printed = capsys.readouterr().out
    assert "watch" in printed and printed.endswith(f"step 7: wrote {tmp_path / 'a.json'}\n")
    found = json.loads((tmp_path / "a.json").read_text())
    assert (found["step"], found["num_labels"], found["num_without_box"]) == (7, 3, 0)
    areas = {0: 0.24, 1: 0.32, 2: 0.06}
    assert len(found["labels"]) == 3
    for label in found["labels"]:
        concerned, own = areas[label["concerned_id"]], areas[label["person_id"]]
        assert label["concerned"] == pytest.approx([concerned] * 2, abs=1e-4)
        assert label["concerned_area"] == pytest.approx(concerned, abs=1e-6)
        assert label["own"] == pytest.approx([own] * 2, abs=1e-4)
        others = label["others"]
        assert (
            others is None
            if label["timestamp"] == 2
            else others == pytest.approx([0.06] * 2, abs=1e-4)
        )
    everything = found["all"]
    assert everything["concerned"] == pytest.approx((0.32 + 0.24 + 0.24) / 3, abs=1e-4)
    assert everything["beside_others"]["labels"] == 2


def test_mistakes_are_one_line_and_nothing_is_written(folder, tmp_path):
    given = arguments(folder, tmp_path / "a.json")
    (tmp_path / "none.csv").write_text("\n")
    (tmp_path / "other.csv").write_text("other,1,80,0,1\n")
    for flag, value, said in (
        ("--concerned", tmp_path / "none.csv", "--concerned .*none.csv: has no rows"),
        ("--concerned", tmp_path / "gone.csv", "gone.csv cannot be read"),
        ("--concerned", tmp_path / "other.csv", "--concerned: of its 1 rows none is of two people"),
        ("--videos", tmp_path, "holds no video 'film'"),
    ):
        at = given.index(flag) + 1
        wrong = [*given[:at], str(value), *given[at + 1 :]]
        with pytest.raises(UserError, match=said) as raised:
            measure_attention.main(wrong)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "a.json").exists()
