"""What a run's data sets are built with: every argument, in training and in evaluation."""

import pathlib

import pytest
from default_options import default

from avatx import config
from avatx.builders import data_builder, experiment_builder, label_map_builder
from avatx.data.input.augmentation import RandomHorizontalFlip
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def maps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, classes in (("train", 1), ("eval", 2), ("scored", 3)):
        text = "".join(f'item {{ name: "class {i}" id: {i} }}' for i in range(1, classes + 1))
        (tmp_path / name).write_text(text)


def experiment(name, *overrides):
    readers = [
        override
        for reader in ("train", "eval")
        for override in (
            f"{reader}_input_reader.label_map_path={reader}",
            f"{reader}_input_reader.tf_record_input_reader.input_path={reader}-*",
        )
    ]
    flip = "train_config.data_augmentation_options={ random_horizontal_flip { probability: 0.25 } }"
    path = str(ROOT / f"configs/playground/{name}.config")
    return experiment_builder.build(config.load(path, [*readers, flip, *overrides]), "model_dir")


def given(monkeypatch, source, make):
    """Arguments of the one data set that `make` builds, and what its source is made of."""
    calls = []
    monkeypatch.setattr(
        data_builder, "build_dataset", lambda *a, **k: calls.append((a, k)) or "data"
    )
    assert make() == "data"
    (((made, batch_size), keywords),) = calls
    assert type(made) is source
    return {**vars(made), "batch_size": batch_size, **keywords}


@pytest.mark.parametrize(
    "name, source", [("demo", KeyframeSource), ("pretrain_i3d", LabelledClipSource)]
)
def test_training(maps, monkeypatch, name, source):
    built = experiment(name)
    found = given(monkeypatch, source, lambda: built.make_train_dataset(6, "context", 5))
    assert found["options"].input_paths == ("train-*",)
    assert found["options"].label_map_path == "train"
    assert (found["batch_size"], found["input_context"], found["start_step"]) == (6, "context", 5)
    assert found["training"] is True
    assert found["augmentations"] == (default(RandomHorizontalFlip, 0.25),)
    sizes = {"demo": (128, 160), "pretrain_i3d": (112, 112)}
    assert (found["clip_shape"].height, found["clip_shape"].width) == sizes[name]


@pytest.mark.parametrize(
    "name, source", [("demo", KeyframeSource), ("pretrain_i3d", LabelledClipSource)]
)
def test_evaluation(maps, monkeypatch, name, source):
    built = experiment(name)
    found = given(monkeypatch, source, lambda: built.make_eval_dataset(6, "context"))
    assert found["options"].input_paths == ("eval-*",)
    assert found["options"].label_map_path == "eval"
    assert (found["batch_size"], found["input_context"]) == (6, "context")
    assert found["training"] is False
    assert not found.get("augmentations") and not found.get("start_step")


def test_views_of_a_labelled_video(maps, monkeypatch):
    built = experiment(
        "pretrain_i3d", "eval_config.num_test_clips=7", "eval_config.num_test_crops=3"
    )
    found = given(monkeypatch, LabelledClipSource, lambda: built.make_eval_dataset(6, None))
    assert (found["views"].num_clips, found["views"].num_crops) == (7, 3)


def test_which_label_map_is_scored(maps):
    """eval_config's own, else the evaluation's, else the training's."""
    assert len(experiment("demo", "eval_config.label_map_path=scored").label_map) == 3
    assert len(experiment("demo").label_map) == 2
    loaded = config.load(str(ROOT / "configs/playground/demo.config"))
    loaded.train_input_reader.label_map_path = "train"
    loaded.ClearField("eval_input_reader")
    assert len(label_map_builder.build_scored(loaded)) == 1


def test_kinds_of_experiments(maps):
    detector, classifier = experiment("demo"), experiment("pretrain_i3d")
    kinds = detector.meta_architecture, classifier.meta_architecture
    assert [kind.name for kind in kinds] == ["action_faster_rcnn", "video_classifier"]
    assert [kind.epoch_unit for kind in kinds] == ["keyframes", "videos"]
    assert detector.eval.best_checkpoint_metric == "mAP"
    assert classifier.eval.best_checkpoint_metric == "top_1"
    assert detector.model_dir == "model_dir" and "num_classes: 80" in detector.config_text
    assert detector.num_train_keyframes is None  # there are no records to count


@pytest.mark.parametrize("reader", ["train", "eval"])
def test_a_reader_that_is_not_there(maps, reader):
    loaded = config.load(str(ROOT / "configs/playground/demo.config"))
    for name in ("train", "eval"):
        getattr(loaded, f"{name}_input_reader").label_map_path = name
    loaded.ClearField(f"{reader}_input_reader")
    built = experiment_builder.build(loaded, "model_dir")
    with pytest.raises(UserError, match=f"{reader}_input_reader is missing"):
        if reader == "train":
            built.make_train_dataset(6, None, 0)
        else:
            built.make_eval_dataset(6, None)
