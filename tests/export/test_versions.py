"""Versions of a model for a server, as the command line writes them."""

import json
import os
import pathlib

import pytest
import tensorflow as tf
from small_pipeline import SMALL

from avatx import config as pipeline_config
from avatx.builders import model_builder
from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.errors import UserError
from avatx.export import saved_model
from tools import exporter_main

CONFIG = str(pathlib.Path(__file__).parents[2] / "configs" / "playground" / "demo.config")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pipeline.config and a checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    write_label_map(folder / "labels.pbtxt", LabelMap({1: "stand"}))
    names = [
        f"{side}_input_reader.label_map_path={folder}/labels.pbtxt" for side in ("train", "eval")
    ]
    config = pipeline_config.load(CONFIG, [*SMALL, *names])
    pipeline_config.write(config, str(folder / "pipeline.config"))
    model = model_builder.build(config.model)
    step = tf.Variable(7, dtype=tf.int64)
    tf.train.Checkpoint(model=model, global_step=step).save(str(folder / "ckpt"))
    return folder


def save_nothing(model, num_frames, frame_rate, class_names, directory, **options):
    """Replaces the slow part of an export."""
    os.makedirs(directory, exist_ok=True)
    pathlib.Path(directory, "saved_model.pb").write_text("model")


def test_a_version_is_replaced_with_a_note_and_nothing_else_is(
    trained, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(saved_model, "export", save_nothing)
    monkeypatch.chdir(tmp_path)
    flags = ["--pipeline_config_path", f"{trained}/pipeline.config", "--checkpoint", str(trained)]
    main = exporter_main.main
    for version, noted in (("1", False), ("2", False), ("1", True)):
        assert main([*flags, "--output", "served", "--version", version]) == 0
        assert (f"note: replaced the older version {version}" in capsys.readouterr().err) == noted
    assert main([*flags, "--output", "served", "--version", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replaced"] is True

    (tmp_path / "pictures" / "2024").mkdir(parents=True)
    (tmp_path / "pictures" / "2024" / "mine.jpg").touch()
    (tmp_path / "pictures" / "7").touch()
    for version, said in (("2024", "holds mine.jpg, which is no export's"), ("7", "is a file")):
        with pytest.raises(UserError, match=f"^--output pictures/{version}: {said}; .*--version"):
            main([*flags, "--output", "pictures", "--version", version])
    assert (tmp_path / "pictures" / "2024" / "mine.jpg").exists()
    assert (tmp_path / "pictures" / "7").is_file()
