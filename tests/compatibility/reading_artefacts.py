"""How the artefacts of an older commit are unpacked and read.

Everything here that knows avatx's inside is in the first functions, so that a change of module
paths changes this file alone. The rest is command lines, TensorFlow and numpy.
"""

import csv
import importlib.util
import json
import lzma
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).parents[2]
MADE = pathlib.Path(__file__).parent / "made_by_4bebf8a"
# Seconds: when the video was last changed. Records know a video by this, and git does not keep it.
FILM_MODIFIED = 1_700_000_000
# How the records were made, by output.
_KEYFRAMES = (
    "create_ava_tfrecord",
    "--videos",
    ".",
    "--annotations",
    "people.csv",
    "--label_map",
    "label_map.pbtxt",
    "--margin_seconds",
    "0.5",
    "--jpeg_quality",
    "60",
)
RECORDS = {
    "keyframes": (
        *_KEYFRAMES,
        "--output",
        "records/keyframes",
        "--num_shards",
        "2",
        "--seconds_per_record",
        "2",
        "--keyframe_seconds",
        "1",
        "4",
    ),
    "flow": (
        *_KEYFRAMES,
        "--output",
        "records/flow",
        "--num_shards",
        "1",
        "--max_frame_rate",
        "4",
        "--optical_flow",
        "dis",
    ),
    "actions": (
        "create_kinetics_tfrecord",
        "--videos",
        ".",
        "--annotations",
        "actions.csv",
        "--output",
        "records/actions",
        "--num_shards",
        "2",
        "--output_label_map",
        "records/actions.pbtxt",
        "--shorter_side",
        "36",
        "--jpeg_quality",
        "60",
    ),
}
# Name -> the config by which these records are read.
DATA_SETS = {
    "keyframes": "detector.config",
    "flow": "configs/two_stream.config",
    "actions": "classifier.config",
}
_KEY_END = "/.ATTRIBUTES/VARIABLE_VALUE"


# ---- What knows avatx's inside.


def tool(name):
    """`main` of a command line, in this process: TensorFlow takes seconds to import."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *argv: module.main([str(argument) for argument in argv])


def load_config(path, *overrides):
    """The checked PipelineConfig message of a file."""
    from avatx import config

    return config.load(str(path), overrides)


def build_experiment(path, *overrides):
    """What a pipeline.config describes: its `make_model` and `make_eval_dataset` are used here."""
    from avatx.builders import experiment_builder

    config = load_config(path, *overrides)
    return experiment_builder.build(config, model_dir="", distribution_strategy="cpu")


def decode_record(serialized):
    """A record outside of any graph, with the attributes of `avatx.data.records.record.Segment`."""
    from avatx.data.records import record

    return record.decode(serialized)


def start_training(path, *overrides):
    """A config's model as its first step would find it: fine-tuned where the config says so.

    Gives the model and the lines that a training prints about it.
    """
    from avatx.training import fine_tuning

    experiment = build_experiment(path, *overrides)
    model = experiment.make_model()
    return model, fine_tuning.initialize(model, experiment.train)


# ---- What does not.


def unpack(folder):
    """Copies the artefacts to `folder`, archives unpacked. Paths in them are relative to it."""
    shutil.copytree(MADE, folder, dirs_exist_ok=True)
    for archive in MADE.glob("*.tar.xz"):
        shutil.unpack_archive(archive, folder)
    os.utime(folder / "film.mp4", (FILM_MODIFIED, FILM_MODIFIED))


def evaluation_batches(path, *overrides, batch_size=1):
    """The evaluation data set of a config: a list of batches, numpy arrays inside."""
    dataset = build_experiment(path, *overrides).make_eval_dataset(batch_size, None)
    return list(dataset.as_numpy_iterator())


def thumbnails(clips, cells=4):
    """Means over `cells` x `cells` tiles: [..., H, W, C] -> [..., cells, cells, C] float64.

    They tell a shift, a flip, another crop or another order of channels.
    """
    *rest, height, width, channels = clips.shape
    tiles = np.reshape(clips, [*rest, cells, height // cells, cells, width // cells, channels])
    return tiles.mean(axis=(-2, -4), dtype=np.float64)


def model_variables(model):
    """Key in a checkpoint -> numpy array, of every variable of a model."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = tf.train.Checkpoint(model=model).write(os.path.join(folder, "model"))
        return checkpoint_variables(prefix)


def checkpoint_variables(prefix):
    """Key -> numpy array, of everything that a checkpoint holds; slots too."""
    reader = tf.train.load_checkpoint(str(prefix))
    keys = [key for key in reader.get_variable_to_shape_map() if key.endswith(_KEY_END)]
    return {key.removesuffix(_KEY_END): reader.get_tensor(key) for key in keys}


def variable_shapes(path, *overrides):
    """Key in a checkpoint -> shape, of every variable of a config's model."""
    variables = model_variables(build_experiment(path, *overrides).make_model())
    return {key: list(value.shape) for key, value in variables.items()}


def checkpoint_statistics(prefix):
    """Key -> (sum, sum of absolute values) of every variable in a checkpoint; slots too."""
    values = {
        key: np.asarray(value, np.float64) for key, value in checkpoint_variables(prefix).items()
    }
    return {key: (value.sum(), np.abs(value).sum()) for key, value in values.items()}


def effective_values(message, prefix=""):
    """Field path -> value, defaults included, of a message and of every message set in it."""
    values = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        several = not isinstance(value, (str, int, float)) and hasattr(value, "__len__")
        for index, one in enumerate(value if several else [value]):
            name = f"{prefix}{field.name}" + (f"[{index}]" if several else "")
            if not hasattr(one, "DESCRIPTOR"):
                values[name] = one
            elif several or message.HasField(field.name):
                values.update(effective_values(one, name + "."))
    return values


def run_export(saved_model, signature, clips):
    """Outputs of a SavedModel's signature as numpy arrays, by TensorFlow alone."""
    module = tf.saved_model.load(str(saved_model))
    outputs = module.signatures[signature](clips=tf.constant(clips))
    return {name: value.numpy() for name, value in outputs.items()}


def read_csv(path):
    """Rows of an AVA csv: (video, timestamp, class) and the other numbers, in the file's order."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            ((row[0], row[1], int(row[6])), np.array([*row[2:6], *row[7:]], float))
            for row in csv.reader(file)
        ]


def read_json(path):
    """A JSON file's content; one that ends in .xz is unpacked."""
    opened = lzma.open if str(path).endswith(".xz") else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)
