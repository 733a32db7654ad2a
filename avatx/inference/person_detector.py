"""Any detector of the Object Detection API's signature, for people, on whole frames or on tiles.

The signature `serving_default`: input uint8 [1, H, W, 3] of any name, outputs `detection_boxes`
[1, N, 4] yxyx normalised, `detection_scores` [1, N], `detection_classes` [1, N] and
`num_detections` [1].
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from avatx import stderr_noise
from avatx.errors import UserError, shown
from avatx.inference.detector import find_saved_model, load_saved_model

# Each with its shape.
_OUTPUTS = {
    "detection_boxes": (1, None, 4),
    "detection_scores": (1, None),
    "detection_classes": (1, None),
    "num_detections": (1,),
}
_OVERLAP = 0.25  # of a tile's side with the next one
_SAME_IOU = 0.5
_SAME_INSIDE = 0.7  # share of the smaller box inside the larger: a person cut by a tile's edge


_MOST_TILES = 8  # a side: of a 4K frame that is 480 pixels
_ADVICE = (
    "expected a detector with the Object Detection API's signature serving_default, of any input "
    "uint8 [1, H, W, 3] to detection_boxes [1, N, 4], detection_scores [1, N], detection_classes "
    "[1, N] and num_detections [1]; tools/detect_people.py --fetch_movenet FOLDER makes one"
)


def check_numbers(person_class: int, tiles: int) -> None:
    """Raises UserError for one of `PersonDetector` that is out of range, before it is loaded."""
    if not 1 <= tiles <= _MOST_TILES:
        raise UserError(
            f"tiles {tiles}: expected 1 to {_MOST_TILES}; a frame is looked at that number "
            "squared times"
        )
    if person_class < 0:
        raise UserError(f"person_class {person_class}: expected a class id, 0 or more")


class People(NamedTuple):
    """Of one frame, by descending score."""

    boxes: np.ndarray  # [N, 4] float32, yxyx, normalised
    scores: np.ndarray  # [N] float32


class PersonDetector:
    """Runs a SavedModel on frames.

    Args:
      path: the SavedModel's folder.
      person_class: the class id that means a person; COCO's is 1.
      tiles: the frame is looked at in tiles x tiles parts that overlap, so that small people are
        larger in the network's eyes.

    Attributes:
      path: the SavedModel's folder.
      module: what was loaded.
      signature: the signature as a function.
      input_name: what it calls its frame.

    Raises:
      UserError: there is no such SavedModel, or its signature is another.
    """

    def __init__(self, path: str, person_class: int = 1, tiles: int = 1):
        check_numbers(person_class, tiles)
        import tensorflow as tf

        try:
            self.path = find_saved_model(path)
        except UserError as error:  # whose advice is for models of avatx
            lacks = "holds no saved_model.pb" if tf.io.gfile.exists(path) else "no such folder"
            raise UserError(f"{path}: {lacks}; {_ADVICE}") from error
        self.module = load_saved_model(self.path)
        self.signature = self.module.signatures.get("serving_default")
        inputs = self.signature.structured_input_signature[1] if self.signature else {}
        outputs = self.signature.structured_outputs if self.signature else {}
        if not _is_of_the_api(inputs, outputs):
            own = "this is an export of avatx, of actions; " if _is_our_own(self.module) else ""
            raise UserError(
                f"{self.path}: {own}it takes {_in_words(inputs)} and gives {_in_words(outputs)}; "
                f"{_ADVICE}"
            )
        (self.input_name,) = inputs
        self._person_class = person_class
        self._tiles = tiles
        self._classes: set[int] = set()

    @property
    def notes(self) -> list[str]:
        """What is to be said after frames were looked at."""
        if not self._classes or self._person_class in self._classes:
            return []
        seen = shown(", ".join(map(str, sorted(self._classes))))
        return [
            f"no detection is of person_class {self._person_class}; this detector's were of "
            f"classes {seen}"
        ]

    def __call__(self, frame: np.ndarray) -> People:
        """The people of a frame [H, W, 3] uint8 RGB."""
        height, width = frame.shape[:2]
        found = [self._in_tile(frame, *tile) for tile in tiles_of(height, width, self._tiles)]
        boxes = np.concatenate([people.boxes for people in found])
        scores = np.concatenate([people.scores for people in found])
        return merged(boxes, scores) if self._tiles > 1 else People(boxes, scores)

    def _in_tile(self, frame: np.ndarray, top: int, left: int, bottom: int, right: int) -> People:
        import tensorflow as tf

        picture = np.ascontiguousarray(frame[top:bottom, left:right])
        with stderr_noise.dropped():
            outputs = self.signature(**{self.input_name: tf.constant(picture[np.newaxis])})
        boxes, scores, classes, count = (outputs[name].numpy()[0] for name in _OUTPUTS)
        kept = np.arange(len(scores)) < int(count)
        self._classes.update(classes[kept].astype(int).tolist())
        kept &= (classes.astype(int) == self._person_class) & np.isfinite(boxes).all(axis=1)
        scale = np.array([bottom - top, right - left] * 2, np.float32)
        corner = np.array([top, left] * 2, np.float32)
        size = np.array(frame.shape[:2] * 2, np.float32)
        boxes = np.clip((boxes[kept] * scale + corner) / size, 0, 1).astype(np.float32)
        order = np.argsort(-scores[kept], kind="stable")
        return People(boxes[order], scores[kept][order].astype(np.float32))


def _is_of_the_api(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
    """Whether tensors by these names, shapes and types are a frame and its people."""
    return (
        [one.dtype.name for one in inputs.values()] == ["uint8"]
        and all(one.shape.is_compatible_with((1, None, None, 3)) for one in inputs.values())
        and all(
            name in outputs
            and outputs[name].shape.is_compatible_with(shape)
            and (outputs[name].dtype.is_floating or outputs[name].dtype.is_integer)
            for name, shape in _OUTPUTS.items()
        )
    )


def _is_our_own(module: Any) -> bool:
    """Whether it is a SavedModel that avatx wrote."""
    return "metadata" in module.signatures


def _in_words(tensors: Mapping[str, Any]) -> str:
    """Names, types and shapes."""

    def shape(one: Any) -> str:
        if one.shape.rank is None:
            return "of any shape"
        return f"[{', '.join('?' if size is None else str(size) for size in one.shape)}]"

    return (
        ", ".join(f"{k} {one.dtype.name} {shape(one)}" for k, one in tensors.items()) or "nothing"
    )


def tiles_of(height: int, width: int, number: int) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right) in pixels of number x number tiles.

    A quarter of a tile's side is the next one's too.
    """

    def along(size: int) -> list[tuple[int, int]]:
        length = min(size, round(size / (number - (number - 1) * _OVERLAP)))
        begins = np.linspace(0, size - length, number).round().astype(int).tolist()
        return [(begin, begin + length) for begin in begins]

    return [
        (top, left, bottom, right) for top, bottom in along(height) for left, right in along(width)
    ]


def merged(boxes: np.ndarray, scores: np.ndarray) -> People:
    """People that several tiles saw, once: the box of the highest score is kept.

    Two are one where they overlap by half, or where most of the smaller lies in the larger: a part
    of somebody at a tile's edge.
    """
    kept: list[int] = []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for index in np.argsort(-scores, kind="stable"):
        others = boxes[kept]
        low = np.maximum(others[:, :2], boxes[index, :2])
        high = np.minimum(others[:, 2:], boxes[index, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        union = area[kept] + area[index] - common
        smaller = np.minimum(area[kept], area[index])
        if area[index] > 0 and not np.any(
            (common > _SAME_IOU * union) | (common > _SAME_INSIDE * smaller)
        ):
            kept.append(int(index))
    return People(boxes[kept], scores[kept])
