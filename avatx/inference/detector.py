"""A SavedModel written by avatx/export as a function on NumPy arrays."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from avatx import file_systems, stderr_noise
from avatx.core.cell_view import CellView
from avatx.data.video.frame_settings import FIELDS, Known
from avatx.errors import UserError, first_line
from avatx.inference.exported_signatures import (
    ATTENTION,
    PERSON_BOXES,
    ExportedSignatures,
    read_signatures,
)

_REQUIRED_SIGNATURES = ("serving_default", "metadata")
_OUTPUTS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
_FACTS = ("num_frames", "frame_rate", "class_ids", "class_names")


class ClipDetections(NamedTuple):
    """The detections of one clip, without padding, by descending score."""

    boxes: np.ndarray  # [N, 4] float32, yxyx, normalised
    classes: np.ndarray  # [N] int32, the label map's ids
    scores: np.ndarray  # [N] float32

    def above(self, score_threshold: float) -> "ClipDetections":
        """The detections whose score is at least the threshold."""
        keep = self.scores >= score_threshold
        return ClipDetections(self.boxes[keep], self.classes[keep], self.scores[keep])


class ClipAttention(NamedTuple):
    """What each of N detections of a clip attended to, and what the head knows the clip by."""

    maps: np.ndarray  # [N, layers, heads, T', H', W'] float32; each head's sum to 1
    cells: CellView | None  # where the T' x H' x W' look; None: an older export does not say
    keys: np.ndarray | None = None  # [layers, heads, T', H', W', D] float32; None likewise


class Detector:
    """Runs an exported detector.

    Args:
      path: a SavedModel folder, or the exporter's output folder that holds it.

    Attributes:
      num_frames: T, frames of a clip.
      frame_rate: frames a second of a clip.
      class_names: class id to name, ascending.
      class_groups: class id to its label map's `label_type`; older exports say nothing of it.
      frame_settings: how frames were taken for its training; older exports say nothing of it.
      needs_boxes: whether somebody else must say where people are: `proposal_source: EXTERNAL`.
      has_flow: whether its clips are RGB and optical flow, 5 channels, and not RGB alone.

    Raises:
      UserError: there is no SavedModel, it cannot be loaded, or it is not one of avatx, or
        its weights are not finite.
    """

    def __init__(self, path: str):
        self.path = find_saved_model(path)
        # Kept whole: the signatures' variables live no longer than what was loaded.
        self._module = load_saved_model(self.path, "; export it again with tools/exporter_main.py")
        self._signatures = self._module.signatures
        missing = [name for name in _REQUIRED_SIGNATURES if name not in self._signatures]
        if missing:
            raise UserError(
                f"{self.path}: this SavedModel has no signature {' or '.join(missing)} (it has: "
                f"{', '.join(self._signatures) or 'none'}); use one that "
                "tools/exporter_main.py wrote"
            )
        self._check_ours()
        self._check_finite()
        metadata = {key: value.numpy() for key, value in self._signatures["metadata"]().items()}
        self.num_frames = int(metadata["num_frames"])
        self.frame_rate = float(metadata["frame_rate"])
        self.class_names: dict[int, str] = {
            int(class_id): name.decode()
            for class_id, name in zip(metadata["class_ids"], metadata["class_names"], strict=True)
        }
        groups = zip(metadata["class_ids"], metadata.get("class_groups", ()), strict=False)
        self.class_groups: dict[int, str] = {
            int(class_id): group.decode() for class_id, group in groups if group
        }
        self.frame_settings = _frame_settings(metadata)

        inputs = self._signatures["serving_default"].structured_input_signature[1]
        self.has_flow = inputs["clips"].shape[-1] == 5
        self.needs_boxes = PERSON_BOXES in inputs

    def _check_ours(self) -> None:
        """Refuses what has signatures of our names, and not their inputs and outputs."""
        needed = {"serving_default": ("clips", _OUTPUTS), "metadata": ("", _FACTS)}
        for name, (input_name, outputs) in needed.items():
            signature = self._signatures[name]
            inputs = set(signature.structured_input_signature[1])
            missing = {input_name, *outputs} - {"", *inputs, *signature.structured_outputs}
            if missing or (not input_name and inputs):
                raise UserError(
                    f"{self.path}: the signature {name} of this SavedModel "
                    + (f"lacks {min(missing)}" if missing else f"has the input {min(inputs)}")
                    + "; use one that tools/exporter_main.py wrote"
                )

    def _check_finite(self) -> None:
        """Refuses weights that are NaN or infinite, which an older export may hold."""
        variables = self._signatures["serving_default"].variables
        bad = [
            variable.name
            for variable in variables
            if variable.dtype.is_floating and not np.isfinite(variable.numpy()).all()
        ]
        if bad:
            raise UserError(
                f"{self.path}: {len(bad)} of the {len(variables)} variables of this SavedModel are "
                f"not finite, first {bad[0]}; export a checkpoint from before its training went "
                "wrong"
            )

    @property
    def has_attention(self) -> bool:
        """Whether it was exported with `--attention`."""
        return ATTENTION in self._signatures

    def detect(self, clips: np.ndarray, boxes: Sequence[np.ndarray] | None = None) -> list:
        """Detections of clips [B, T, H, W, 3 (5 with flow)] uint8: a list of B ClipDetections.

        Args:
          clips: see above.
          boxes: where the model needs them: of each clip [N, 4], yxyx, normalised.
        """
        outputs = self._run("serving_default", clips, boxes)
        return [_clip_detections(outputs, clip) for clip in range(len(clips))]

    def detect_with_attention(
        self, clips: np.ndarray, boxes: Sequence[np.ndarray] | None = None
    ) -> list:
        """As `detect`, each with its maps: B of (ClipDetections, ClipAttention).

        Raises:
          UserError: the model was exported without attention.
        """
        if not self.has_attention:
            raise UserError(
                f"{self.path}: exported without attention; "
                "export again with tools/exporter_main.py --attention (a model with an "
                "i3d_box_predictor has none)"
            )
        outputs = self._run(ATTENTION, clips, boxes)
        maps, positions = outputs["detection_attention"], outputs.get("attention_positions")
        keys = outputs.get("clip_keys")
        found = []
        for clip in range(len(clips)):
            detections = _clip_detections(outputs, clip)
            attention = ClipAttention(
                maps[clip, : len(detections.scores)],
                None if positions is None else CellView.of(positions[clip]),
                None if keys is None else keys[clip],
            )
            found.append((detections, attention))
        return found

    def _run(
        self, signature: str, clips: np.ndarray, boxes: Sequence[np.ndarray] | None
    ) -> dict[str, np.ndarray]:
        import tensorflow as tf

        clips = np.asarray(clips)
        channels = 5 if self.has_flow else 3
        if clips.dtype != np.uint8 or clips.ndim != 5 or clips.shape[-1] != channels:
            wrong = f"{clips.dtype} {list(clips.shape)}"
        elif 0 in clips.shape[1:]:
            wrong = f"no pixels, {list(clips.shape)}"
        else:
            wrong = ""
        if wrong:
            raise UserError(
                f"clips: {wrong}; {signature} takes uint8 [B, T, H, W, {channels}], none but B 0"
            )
        given = {}
        if self.needs_boxes:
            if boxes is None or len(boxes) != len(clips):
                raise UserError(
                    f"{self.path}: this model has to be told where people are (proposal_source "
                    f"EXTERNAL): expected the boxes of each of the {len(clips)} clips"
                )
            # At least one: older exports take no less.
            padded = np.zeros([len(clips), max([1, *map(len, boxes)]), 4], np.float32)
            for row, one in zip(padded, boxes, strict=True):
                row[: len(one)] = one
            given[PERSON_BOXES] = tf.constant(padded)
        with stderr_noise.dropped():  # the graph optimiser's, at a signature's first call
            outputs = self._signatures[signature](clips=tf.constant(clips, tf.uint8), **given)
            return {key: value.numpy() for key, value in outputs.items()}


def _frame_settings(metadata: dict[str, Any]) -> Known:
    known: Known = dict.fromkeys(FIELDS)
    for name in known.keys() & metadata.keys():
        value = metadata[name].item() if hasattr(metadata[name], "item") else metadata[name]
        known[name] = value.decode() if isinstance(value, bytes) else value
    return known


def load_saved_model(path: str, advice: str = "") -> Any:
    """The SavedModel in a folder that `find_saved_model` found.

    Args:
      path: the folder.
      advice: the end of the message where it cannot be loaded.

    Raises:
      UserError: it cannot be loaded.
    """
    import tensorflow as tf

    try:
        with file_systems.plainly_named(path) as plain:
            return tf.saved_model.load(plain)
    except Exception as error:  # TensorFlow raises a dozen kinds for a broken file
        raise UserError(
            f"{path}: this SavedModel cannot be loaded ({first_line(error)}){advice}"
        ) from error


def signatures_at(path: str) -> ExportedSignatures | None:
    """What the export at `path` can be asked, before it is loaded; None where that is not known.

    Raises:
      UserError: there is none.
    """
    return read_signatures(find_saved_model(path))


def find_saved_model(path: str) -> str:
    """The SavedModel folder at `path`: itself, `saved_model` in it, or the newest version in it.

    Raises:
      UserError: there is none.
    """
    file_systems.load(path)
    import tensorflow as tf

    try:
        is_there = tf.io.gfile.exists(path)
    except tf.errors.OpError as error:  # of a server
        raise UserError(f"{path}: cannot be looked for ({first_line(error)})") from error
    if not is_there:
        raise UserError(f"{path}: no such folder; give the SavedModel of tools/exporter_main.py")
    versions = [
        name for name in (name.rstrip("/") for name in _entries(tf, path)) if name.isdecimal()
    ]
    newest = [max(versions, key=int)] if versions else []
    for folder in (path, *(os.path.join(path, name) for name in ("saved_model", *newest))):
        if file_systems.is_file(os.path.join(folder, "saved_model.pb")):
            return folder
    if file_systems.is_file(os.path.join(path, "model.onnx")) or path.endswith(".onnx"):
        raise UserError(
            f"{path}: an ONNX export, which is for ONNX Runtime; give a SavedModel, as "
            "tools/exporter_main.py writes without --format onnx"
        )
    if file_systems.is_file(path):
        raise UserError(
            f"{path}: is a file; a SavedModel is the folder with saved_model.pb and variables; "
            "give what tools/exporter_main.py wrote"
        )
    raise UserError(
        f"{path}: not a SavedModel (there is no saved_model.pb in it or in its saved_model "
        "folder); give what tools/exporter_main.py wrote"
    )


def _entries(tensorflow, path: str) -> list[str]:
    """Names in a folder; none of a file."""
    return tensorflow.io.gfile.listdir(path) if tensorflow.io.gfile.isdir(path) else []


def _clip_detections(outputs: dict[str, np.ndarray], clip: int) -> ClipDetections:
    count = int(outputs["num_detections"][clip])
    return ClipDetections(
        boxes=outputs["detection_boxes"][clip, :count],
        classes=outputs["detection_classes"][clip, :count],
        scores=outputs["detection_scores"][clip, :count],
    )
