"""A config's model and clips of noise for it; what every command asks of its flags."""

import argparse
import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

PRECISIONS = ("float32", "bfloat16", "float16")


def add_flags(parser: argparse.ArgumentParser, batch_size: int, repeats: int = 10) -> None:
    """Those of a benchmark that runs a model."""
    parser.add_argument(
        "--pipeline_config_path", default="ava/tx_highres_r300", help="default %(default)s"
    )
    parser.add_argument("--override", nargs="+", action="extend", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--num_frames", type=int, help="T; default: the config's")
    parser.add_argument("--size", type=int, help="H and W; default: the config's")
    parser.add_argument("--batch_size", type=int, default=batch_size, help="default %(default)s")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    add_timing_flags(parser, repeats)


def add_timing_flags(parser: argparse.ArgumentParser, repeats: int = 10) -> None:
    parser.add_argument("--warm_up", type=int, default=2, help="runs before; default %(default)s")
    parser.add_argument("--repeats", type=int, default=repeats, help="default %(default)s")
    parser.add_argument("--json", help="file to write the results to")


class Loaded(NamedTuple):
    """What a config amounts to."""

    experiment: Any  # avatx.training.options.Experiment, whose module is slow to import
    num_frames: int
    size: tuple[int, int]
    num_classes: int
    max_boxes: int


@contextlib.contextmanager
def loaded(flags: argparse.Namespace) -> Iterator[Loaded]:
    """Builds the flags' config without any of the files that it names."""
    from avatx import config
    from avatx.builders import experiment_builder, input_reader_builder

    overrides = list(flags.override)
    message = config.load(flags.pipeline_config_path, overrides)
    kind = message.model.WhichOneof("model")
    sizes = {}
    if flags.num_frames:
        sizes[f"model.{kind}.clip.num_frames"] = flags.num_frames
    if flags.size:
        for side in ("height", "width"):
            sizes[f"model.{kind}.image_resizer.fixed_shape_resizer.{side}"] = flags.size
    with tempfile.TemporaryDirectory() as directory:
        classes = getattr(message.model, kind).num_classes
        labels = pathlib.Path(directory, "labels.pbtxt")
        labels.write_text(
            "\n".join(f'item {{ name: "class {i}" id: {i} }}' for i in range(1, classes + 1))
        )
        for side in ("train_input_reader", "eval_input_reader"):
            if message.HasField(side):
                sizes[f"{side}.label_map_path"] = f'"{labels}"'
        if message.HasField("eval_config"):
            sizes["eval_config.label_map_path"] = f'"{labels}"'
            sizes["eval_config.excluded_timestamps_path"] = '""'
        sizes["train_config.precision"] = flags.precision.upper()
        sizes["train_config.batch_size"] = flags.batch_size
        overrides += [f"{field}={value}" for field, value in sizes.items()]
        message = config.load(flags.pipeline_config_path, overrides)
        clip = input_reader_builder.build_clip_shape(input_reader_builder.model_of(message))
        yield Loaded(
            experiment_builder.build(message, directory, "mirrored"),
            clip.num_frames,
            (clip.height, clip.width),
            classes,
            message.train_config.max_number_of_boxes,
        )


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """What is built inside computes in this precision."""
    import tf_keras

    policy = tf_keras.mixed_precision
    before = policy.global_policy()
    policy.set_global_policy("float32" if name == "float32" else f"mixed_{name}")
    try:
        yield
    finally:
        policy.set_global_policy(before)


def synthetic_batch(model: Loaded, batch_size: int, people: int = 3, channels: int = 3):
    """A `Batch` of noise with `people` people in each clip, on the device."""
    import tensorflow as tf

    from avatx.core.structures import VIDEO_ID_BYTES, Batch, Groundtruth, Keyframes

    rng = np.random.default_rng(0)
    room = max(model.max_boxes, people)
    corner = rng.uniform(0, 0.5, (batch_size, room, 2))
    boxes = np.concatenate([corner, corner + 0.3], axis=-1).astype(np.float32)
    labels = (rng.random((batch_size, room, model.num_classes)) < 0.03).astype(np.float32)
    shape = (batch_size, model.num_frames, *model.size, channels)
    device = "/gpu:0" if tf.config.list_logical_devices("GPU") else "/cpu:0"
    with tf.device(device):
        return tf.nest.map_structure(
            tf.identity,
            Batch(
                clips=tf.constant(rng.integers(0, 255, shape, dtype=np.uint8)),
                groundtruth=Groundtruth(
                    tf.constant(boxes),
                    tf.constant(labels),
                    tf.constant([people] * batch_size, tf.int32),
                    tf.constant(rng.integers(0, 99, (batch_size, 2)), tf.int32),
                ),
                keyframes=Keyframes(
                    tf.zeros([batch_size, VIDEO_ID_BYTES], tf.uint8),
                    tf.zeros([batch_size], tf.float64),
                ),
                valid=tf.ones([batch_size], tf.bool),
            ),
        )


def export_untrained(config: Loaded, path: str) -> None:
    """A SavedModel of the config with random weights."""
    from avatx.export import saved_model

    model = config.experiment.make_model()
    model.create_variables()
    names = {i: f"class {i}" for i in range(1, config.num_classes + 1)}
    saved_model.export(model, config.num_frames, 25.0, names, path)
