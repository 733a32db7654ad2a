"""The programs that are killed, each with the smallest input that has all it does."""

import json
import pathlib

import harness
import numpy as np
from harness import ROOT, Program, same_bytes

TOOLS = ROOT / "tools"
MODULES = (
    "tensorflow",
    "tf_keras",
    "av",
    "apache_beam",
    "official.modeling.optimization",
    "orbit",
    "avatx.cli",
)
LABEL_MAP = 'item { name: "stand" id: 1 }\nitem { name: "walk" id: 2 }\n'
ROWS = "film,0001,0.1,0.2,0.5,0.9,1,0\nfilm,0002,0.1,0.2,0.5,0.9,2,0\n"


def _write(path: pathlib.Path, text: str) -> None:
    path.write_text(text)


def _csv(folder: pathlib.Path) -> None:
    _write(folder / "map.pbtxt", LABEL_MAP)
    _write(folder / "truth.csv", ROWS)
    _write(folder / "found.csv", ROWS.replace(",1,0\n", ",1,0.9\n").replace(",2,0\n", ",2,0.8\n"))


def _video(folder: pathlib.Path) -> None:
    from avatx.data.video.video_writer import VideoWriter

    _csv(folder)
    (folder / "videos").mkdir()
    with VideoWriter(str(folder / "videos" / "film.mp4"), 10, 48, 64, num_threads=1) as writer:
        for index in range(30):
            writer.write(np.full([48, 64, 3], 8 * index, np.uint8))


def _same_checkpoints(run: pathlib.Path, whole: pathlib.Path) -> None:
    import tensorflow as tf

    for directory, name in (("", "ckpt-3"), ("", "ckpt-4"), ("best", None)):
        readers = []
        for folder in (run, whole):
            at = folder / "model" / directory
            newest = name or next(at.glob("*.index")).stem
            readers.append(tf.train.load_checkpoint(str(at / newest)))
        ours, theirs = readers
        shapes = theirs.get_variable_to_shape_map()
        assert ours.get_variable_to_shape_map() == shapes
        for key in shapes:
            if "VARIABLE_VALUE" in key and not key.startswith("save_counter"):
                np.testing.assert_array_equal(ours.get_tensor(key), theirs.get_tensor(key), key)


def _same_training(run: pathlib.Path, whole: pathlib.Path) -> None:
    _same_checkpoints(run, whole)
    for name in ("metrics.json", "best/info.json", "checkpoint", "best/checkpoint"):
        ours, theirs = ((folder / "model" / name).read_text() for folder in (run, whole))
        assert ours == theirs, name


def _same_records(run: pathlib.Path, whole: pathlib.Path) -> None:
    for path in (whole / "records").glob("*.tfrecord"):
        assert (run / "records" / path.name).read_bytes() == path.read_bytes()
    ours, theirs = (
        json.loads((folder / "records" / "manifest.json").read_text()) for folder in (run, whole)
    )
    assert ours == theirs


def _detector(folder: pathlib.Path) -> None:
    """A narrow detector: its config, a checkpoint, and the video."""
    import tensorflow as tf

    from avatx import config as pipeline_config
    from avatx.builders import model_builder

    _video(folder)
    detector = "model.action_faster_rcnn."
    config = pipeline_config.load(
        str(ROOT / "configs" / "playground" / "demo.config"),
        [
            f"train_input_reader.label_map_path={folder / 'map.pbtxt'}",
            f"eval_input_reader.label_map_path={folder / 'map.pbtxt'}",
            detector + "image_resizer.fixed_shape_resizer.height=48",
            detector + "image_resizer.fixed_shape_resizer.width=64",
            detector + "trunk.i3d.depth_multiplier=0.125",
            detector + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
            detector + "second_stage_box_predictor.tx_box_predictor.num_layers=1",
            detector + "first_stage_max_proposals=4",
        ],
    )
    pipeline_config.write(config, str(folder / "pipeline.config"))
    tf.random.set_seed(0)
    model = model_builder.build(config.model)
    tf.train.Checkpoint(model=model, global_step=tf.Variable(7, dtype=tf.int64)).save(
        str(folder / "ckpt")
    )


def _exported(folder: pathlib.Path) -> None:
    from avatx.export import exporter

    _detector(folder)
    exporter.export_pipeline(str(folder / "pipeline.config"), str(folder), str(folder / "export"))


def _same_export(run: pathlib.Path, whole: pathlib.Path) -> None:
    import tensorflow as tf

    same_bytes("export/label_map.pbtxt")(run, whole)
    ours, theirs = (
        tf.train.load_checkpoint(str(folder / "export" / "saved_model" / "variables" / "variables"))
        for folder in (run, whole)
    )
    for key in theirs.get_variable_to_shape_map():
        if "VARIABLE_VALUE" in key:
            np.testing.assert_array_equal(ours.get_tensor(key), theirs.get_tensor(key), key)
    assert tf.saved_model.contains_saved_model(str(run / "export" / "saved_model"))


def _same_reproduction(run: pathlib.Path, whole: pathlib.Path) -> None:
    same_bytes("out/results.md")(run, whole)
    for path in (whole / "out").rglob("*.json"):
        ours, theirs = (
            json.loads((folder / path.relative_to(whole)).read_text()) for folder in (run, whole)
        )
        for record in (ours, theirs):
            record.pop("seconds", None)
        assert ours == theirs, path


EVALUATE_CSV = Program(
    "evaluate_csv",
    TOOLS / "evaluate_csv.py",
    lambda folder: [
        "--annotations",
        folder / "truth.csv",
        "--detections",
        folder / "found.csv",
        "--label_map",
        folder / "map.pbtxt",
        "--output",
        folder / "metrics.json",
    ],
    _csv,
    same_bytes("metrics.json"),
)
RECORDS = Program(
    "create_ava_tfrecord",
    TOOLS / "create_ava_tfrecord.py",
    lambda folder: [
        "--videos",
        folder / "videos",
        "--annotations",
        folder / "truth.csv",
        "--label_map",
        folder / "map.pbtxt",
        "--output",
        folder / "records" / "train",
        "--num_shards",
        2,
    ],
    _video,
    _same_records,
)
TRAINING = Program(
    "train_and_eval",
    harness.HERE / "linear_training.py",
    lambda folder: [folder / "model"],
    lambda folder: None,
    _same_training,
    may_stay=r"events\.out\.tfevents\..*|best_ckpt-\d+",
)
PLAYGROUND = Program(
    "make_playground",
    TOOLS / "make_playground.py",
    lambda folder: [
        "--output",
        folder / "data",
        "--split",
        "val",
        "--num_videos",
        2,
        "--num_workers",
        1,
    ],
    lambda folder: None,
    same_bytes("data/val.csv", "data/val_excluded_timestamps.csv", "data/videos/val_0000.mp4"),
)
EXPORTER = Program(
    "exporter_main",
    TOOLS / "exporter_main.py",
    lambda folder: [
        "--pipeline_config_path",
        folder / "pipeline.config",
        "--checkpoint",
        folder,
        "--output",
        folder / "export",
    ],
    _detector,
    _same_export,
)
DETECTION = Program(
    "detect_video",
    TOOLS / "detect_video.py",
    lambda folder: [
        "--saved_model",
        folder / "export" / "saved_model",
        "--video",
        folder / "videos" / "film.mp4",
        "--output",
        folder / "found",
    ],
    _exported,
    same_bytes("found/detections.csv", "found/detections.json", "found/tracks.csv"),
)
BATCH = Program(
    "detect_video_batch",
    TOOLS / "detect_video.py",
    lambda folder: [
        "--saved_model",
        folder / "export" / "saved_model",
        "--videos",
        folder / "videos",
        "--output",
        folder / "found",
    ],
    _exported,
    same_bytes("found/film/detections.csv"),
)
REPRODUCTION = Program(
    "reproduce",
    harness.HERE / "reproduction.py",
    lambda folder: [folder / "out"],
    lambda folder: None,
    _same_reproduction,
)
ALL = (EVALUATE_CSV, RECORDS, TRAINING, PLAYGROUND, EXPORTER, DETECTION, BATCH, REPRODUCTION)
