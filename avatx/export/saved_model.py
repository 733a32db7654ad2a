"""Writes a DetectionModel as a SavedModel that runs with nothing but TensorFlow.

Signatures (B clips, T frames, D detections, C classes; output names are the Object Detection
API's, and so is their meaning except that classes are int32):

  serving_default    clips [B, T, H, W, 3] uint8 RGB, of any B (0 too), T, H and W; of a model with
                     a flow stream [B, T, H, W, 5]: RGB and optical flow x, y, see
                     `avatx.data.video.optical_flow`
  serving_jpeg       encoded_frames [B, T] string, JPEG, B > 0; the frames of one clip have one
                     size; not of a model with a flow stream
  serving_attention  clips as above; only when asked for
  metadata           no input

The inputs of a model with `proposal_source: EXTERNAL` are the clips and

  person_boxes [B, R, 4] float32, yxyx normalised to [0, 1], of any R: where people are. A box
               without an area, as of zeros, is padding.

The serving signatures give

  detection_boxes              [B, D, 4] float32, yxyx normalised to [0, 1], by descending score
  detection_scores             [B, D] float32
  detection_classes            [B, D] int32, the label map's ids
  detection_multiclass_scores  [B, D, C] float32, all classes of the detection's box; class id i
                               is at i - 1
  num_detections               [B] int32; entries past it are padding
  detection_attention          serving_attention only: [B, D, layers, heads, T', H', W'] float32,
                               sums to 1 over the feature cells
  attention_positions          serving_attention only: [B, 3, 3] float32, where the cells look: rows
                               first, stride and size, columns time, height and width. Cell i looks
                               at frame, row and column first + i * stride, from 0, of a clip of
                               `size` frames, rows and columns, as the model resized it
  clip_keys                    serving_attention only: [B, layers, heads, T', H', W', D] float32,
                               what the head knows the clip's cells by; of exports since 2026-11-28

and `metadata` what a caller has to know to cut clips from a video and to name the classes:

  num_frames [] int32, frame_rate [] float32, class_ids [N] int32, class_names [N] string

where the label map has groups (`label_type`), class_groups [N] string, "" for a class without; and,
where it is known, how frames were taken for training (`avatx.data.video.frame_settings`):

  shorter_side [] int32, folder_frame_rate [] float64, max_frame_rate [] float64,
  optical_flow [] string, video_start_seconds [] float64
"""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from avatx.core.structures import Detections, Proposals
from avatx.errors import UserError
from avatx.progress import Progress

# float64 for the rates: 29.97 is another number in float32.
_FRAME_SETTINGS_DTYPES = {"shorter_side": tf.int32, "optical_flow": tf.string}
PERSON_BOXES = "person_boxes"
FREE_AXES = {"clips": "BTHW", "encoded_frames": "BT", PERSON_BOXES: "BR"}
ENCODED_FRAMES_SPEC = tf.TensorSpec([None, None], tf.string, name="encoded_frames")


def export(
    model,
    clip_num_frames: int,
    clip_frame_rate: float,
    class_names: Mapping[int, str],
    output_directory: str,
    attention: bool = False,
    frame_settings: Mapping[str, Any] | None = None,
    class_groups: Mapping[int, str] | None = None,
) -> None:
    """Writes `model` to `output_directory` as a SavedModel.

    Args:
      model: a built DetectionModel with its weights loaded.
      clip_num_frames: T the model was trained with.
      clip_frame_rate: frames a second of its clips.
      class_names: class id (1-based) to name.
      output_directory: an empty or new folder. The caller makes the write atomic.
      attention: also write `serving_attention`.
      frame_settings: a `Known`, how frames were taken for training, as far as that is known.
      class_groups: class id to its label map's `label_type`, where it has one.

    Raises:
      UserError: attention is asked of a model that has none.
    """
    module = tf.Module()
    # The variables alone are tracked: a Keras model as an attribute would have all its layers
    # traced and saved once more.
    module.model_variables = list(model.variables)
    module.tracked = getattr(model, "tracked", None)  # another SavedModel that it runs
    signatures = {
        "serving_default": serving_function(model),
        "metadata": metadata_function(
            clip_num_frames, clip_frame_rate, class_names, frame_settings or {}, class_groups or {}
        ),
    }
    if serves_jpeg(model):
        signatures["serving_jpeg"] = jpeg_serving_function(model)
    if attention:
        signatures["serving_attention"] = attention_serving_function(model)
        outputs = signatures["serving_attention"].get_concrete_function().structured_outputs
        if "detection_attention" not in outputs:
            raise UserError(
                "attention: this model's box predictor has no attention to export; "
                "leave it out, or use a tx_box_predictor or tx_i3d_box_predictor"
            )
    progress = Progress("exporting", "steps", len(signatures) + 1)
    traced = {}
    for name, function in signatures.items():
        traced[name] = function.get_concrete_function()  # of a function saving traces another
        progress.add(1)
    os.makedirs(output_directory, exist_ok=True)
    tf.saved_model.save(module, output_directory, signatures=traced)
    progress.add(1)
    progress.end()


def serves_jpeg(model) -> bool:
    """Whether JPEG frames are all that the model needs: they carry no optical flow."""
    return model.input_channels == 3


def _clips_spec(model) -> tf.TensorSpec:
    return tf.TensorSpec([None, None, None, None, model.input_channels], tf.uint8, name="clips")


def serving_function(model) -> tf.types.experimental.GenericFunction:
    """clips -> detections; see the module's docstring."""

    specs = [_clips_spec(model), *_boxes_spec(model)]

    @tf.function(input_signature=specs, autograph=False)
    def serve(clips, *person_boxes):
        clips, *boxes = _checked("serving_default", specs, clips, *person_boxes)
        detections = _detect(model, model.preprocess(_not_empty(clips)), *map(_not_empty, boxes))[1]
        return _first(tf.shape(clips)[0], _outputs(detections))

    return serve


def jpeg_serving_function(model) -> tf.types.experimental.GenericFunction:
    """JPEG frames -> detections. Clips may differ in frame size: each is resized on its own."""

    def decode(frame):
        return tf.io.decode_jpeg(frame, channels=3)

    def decode_clip(frames):
        clip = tf.map_fn(
            decode, frames, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8)
        )
        return model.preprocess(clip[tf.newaxis])[0]

    specs = [ENCODED_FRAMES_SPEC, *_boxes_spec(model)]

    @tf.function(input_signature=specs, autograph=False)
    def serve_jpeg(encoded_frames, *person_boxes):
        frames, *boxes = _checked("serving_jpeg", specs, encoded_frames, *person_boxes)
        clips = tf.map_fn(
            decode_clip,
            frames,
            fn_output_signature=tf.TensorSpec([None, None, None, 3], tf.float32),
        )
        return _outputs(_detect(model, clips, *boxes)[1])

    return serve_jpeg


def attention_serving_function(model) -> tf.types.experimental.GenericFunction:
    """clips -> detections and each detection's attention maps."""

    specs = [_clips_spec(model), *_boxes_spec(model)]

    @tf.function(input_signature=specs, autograph=False)
    def serve_attention(clips, *person_boxes):
        clips, *boxes = _checked("serving_attention", specs, clips, *person_boxes)
        count = tf.shape(clips)[0]
        clips = model.preprocess(_not_empty(clips))
        predictions, detections = _detect(model, clips, *map(_not_empty, boxes), attention=True)
        layers = predictions.box_predictions.attention
        if not layers:
            return _first(count, _outputs(detections))
        maps = tf.stack([tf.cast(layer, tf.float32) for layer in layers], axis=2)
        maps = tf.gather(maps, detections.proposal_index, batch_dims=1)
        # One for each clip, although they are equal: servers that batch want it so.
        positions = tf.tile(
            tf.stack(predictions.features.positions)[tf.newaxis], [tf.shape(maps)[0], 1, 1]
        )
        outputs = {
            **_outputs(detections),
            "detection_attention": maps,
            "attention_positions": positions,
        }
        keys = [tf.cast(layer, tf.float32) for layer in model.keys(predictions.features)]
        if keys:
            outputs["clip_keys"] = tf.stack(keys, axis=1)
        return _first(count, outputs)

    return serve_attention


def metadata_function(
    num_frames: int,
    frame_rate: float,
    class_names: Mapping[int, str],
    frame_settings: Mapping[str, Any],
    class_groups: Mapping[int, str],
) -> tf.types.experimental.GenericFunction:
    """() -> the clip's shape, the classes and how frames were taken, as constants."""
    ids = sorted(class_names)
    names = [class_names[class_id] for class_id in ids]
    groups = {"class_groups": [class_groups.get(class_id, "") for class_id in ids]}

    @tf.function(input_signature=[], autograph=False)
    def metadata():
        return {
            "num_frames": tf.constant(num_frames, tf.int32),
            "frame_rate": tf.constant(frame_rate, tf.float32),
            "class_ids": tf.constant(ids, tf.int32),
            "class_names": tf.constant(names, tf.string),
            **{name: tf.constant(of, tf.string) for name, of in groups.items() if any(of)},
            **{
                name: tf.constant(value, _FRAME_SETTINGS_DTYPES.get(name, tf.float64))
                for name, value in frame_settings.items()
                if value is not None
            },
        }

    return metadata


def _detect(model, clips, *person_boxes, **options):
    for boxes in person_boxes:  # none or one
        count = tf.fill([tf.shape(boxes)[0]], tf.shape(boxes)[1])
        options["person_boxes"] = Proposals(
            tf.clip_by_value(boxes, 0.0, 1.0), tf.ones_like(boxes[..., 0]), count
        )
    predictions = model.predict(clips, training=False, **options)
    return predictions, model.postprocess(predictions)


def _boxes_spec(model) -> list[tf.TensorSpec]:
    """Of the boxes that the model does not find itself; none where it does."""
    if not model.needs_person_boxes:
        return []
    return [tf.TensorSpec([None, None, 4], tf.float32, name=PERSON_BOXES)]


def _checked(signature: str, specs: list[tf.TensorSpec], *inputs: tf.Tensor) -> list[tf.Tensor]:
    """The inputs, by operations whose names say in an error which signature takes what.

    Neither TensorFlow Serving nor a loaded signature compares shapes before the graph runs.
    """
    checked = []
    for spec, given in zip(specs, inputs, strict=True):
        sizes = (*FREE_AXES[spec.name], *(str(size) for size in spec.shape if size))
        name = "_".join((signature, "takes", spec.name, spec.dtype.name, *sizes))
        checked.append(tf.ensure_shape(given, spec.shape, name=name))
    return checked


def _not_empty(batch: tf.Tensor) -> tf.Tensor:
    """The clips; a black one if there is none, for TensorFlow's convolutions refuse no clips."""
    missing = tf.cast(tf.shape(batch)[0] == 0, tf.int32)
    return tf.pad(batch, [[0, missing], *[[0, 0]] * (len(batch.shape) - 1)])


def _first(count: tf.Tensor, outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: output[:count] for name, output in outputs.items()}


def _outputs(detections: Detections) -> dict[str, tf.Tensor]:
    return {
        "detection_boxes": tf.cast(detections.boxes, tf.float32),
        "detection_scores": tf.cast(detections.scores, tf.float32),
        "detection_classes": tf.cast(detections.classes, tf.int32),
        "detection_multiclass_scores": tf.cast(detections.multiclass_scores, tf.float32),
        "num_detections": tf.cast(detections.num_detections, tf.int32),
    }
