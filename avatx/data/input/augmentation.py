"""Random flips, crops and colours, applied alike to all frames of a clip and to its boxes.

An augmentation touches no pixel: it takes a `View` (which part of the frame is shown, mirrored
or not, in which colours) and returns another. The pixels are read through the final view once,
so a crop is decoded and resized in one go however many augmentations are chained. Paper
section 3.5 names flips and crops without their parameters; the fields are the Object Detection
API's, except that a crop window is drawn relative to the frame and that a window which would
lose every person is not taken.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import tensorflow as tf

from avatx.errors import UserError

_FULL_WINDOW = (0.0, 0.0, 1.0, 1.0)
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601


class View(NamedTuple):
    """How the frames of a clip are shown; boxes of a view are relative to its window."""

    window: tf.Tensor | None  # [4] float32, yxyx in the stored frame, normalised; None: all
    flip: tf.Tensor  # [] bool: the window is shown mirrored left to right
    overlap_threshold: tf.Tensor  # [] float32: a box needs this part of its area in the window
    # [3, 4] float32: shown RGB = color @ (R, G, B, 1), RGB in [0, 1]; None: as stored
    color: tf.Tensor | None


class Augmentation(Protocol):
    def __call__(self, view: View, boxes: tf.Tensor, seed: tf.Tensor) -> View:
        """Another view of the clip.

        Args:
          view: how it was shown so far.
          boxes: [N, 4] float32, the people's boxes in the stored frame.
          seed: [2] int64, this augmentation's own for this example.
        """


def identity_view() -> View:
    """The whole frame as it is stored."""
    return View(
        window=None, flip=tf.constant(False), overlap_threshold=tf.constant(0.0), color=None
    )


def _window(view: View) -> tf.Tensor:
    return tf.constant(_FULL_WINDOW) if view.window is None else view.window


def whole_pixels(view: View, height: tf.Tensor, width: tf.Tensor) -> tuple[View, tf.Tensor]:
    """Moves the window's edges to borders of pixels, so that boxes follow the pixels exactly.

    Args:
      view: its window is in fractions of the stored frames.
      height: [] int32, of the stored frames.
      width: [] int32, of the stored frames.

    Returns:
      the view, and its window in pixels [4] int32: (top, left, height, width), at least 1 high
      and wide, as `tf.io.decode_and_crop_jpeg` takes it.
    """
    size = tf.stack([height, width])
    edges = tf.cast(tf.round(_window(view) * tf.cast(tf.tile(size, [2]), tf.float32)), tf.int32)
    begin = tf.clip_by_value(edges[:2], 0, size - 1)
    end = tf.clip_by_value(edges[2:], begin + 1, size)
    window = tf.concat([begin, end], axis=0) / tf.tile(size, [2])
    return (
        view._replace(window=tf.cast(window, tf.float32)),
        tf.concat([begin, end - begin], axis=0),
    )


def augment(
    augmentations: Sequence[Augmentation],
    boxes: tf.Tensor,
    seed: tf.Tensor,
    view: View | None = None,
) -> View:
    """`view` after all augmentations, the i-th with a seed folded from `seed` and i.

    Without a `view` they begin with the whole frame.
    """
    view = identity_view() if view is None else view
    for index, augmentation in enumerate(augmentations):
        own_seed = tf.random.experimental.stateless_fold_in(seed, tf.constant(index, tf.int64))
        view = augmentation(view, boxes, own_seed)
    return view


def view_boxes(view: View, boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes as seen in the view.

    Args:
      view: the window and whether it is mirrored.
      boxes: [N, 4] float32 in the stored frame.

    Returns:
      boxes [N, 4] float32 clipped to the view, and keep [N] bool: what is left has an area and
      is at least `overlap_threshold` of the box's own. The caller drops the others.
    """
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    top, left, bottom, right = tf.unstack(_window(view))
    inside = tf.stack(
        [
            tf.clip_by_value(ymin, top, bottom),
            tf.clip_by_value(xmin, left, right),
            tf.clip_by_value(ymax, top, bottom),
            tf.clip_by_value(xmax, left, right),
        ],
        axis=1,
    )
    remaining = _area(inside)
    # A box that is wholly inside must survive a threshold of 1 in spite of rounding.
    keep = (remaining > 0.0) & (remaining >= (view.overlap_threshold - 1e-6) * _area(boxes))
    height, width = bottom - top, right - left
    shown = (inside - tf.stack([top, left, top, left])) / tf.stack([height, width, height, width])
    ymin, xmin, ymax, xmax = tf.unstack(tf.clip_by_value(shown, 0.0, 1.0), axis=1)
    mirrored = tf.stack([ymin, 1.0 - xmax, ymax, 1.0 - xmin], axis=1)
    return tf.where(view.flip, mirrored, tf.stack([ymin, xmin, ymax, xmax], axis=1)), keep


def _area(boxes: tf.Tensor) -> tf.Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name}: {value} is out of range; expected {low} to {high}")


def _uniform(seed: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed)


@dataclasses.dataclass(frozen=True)
class RandomHorizontalFlip:
    """Mirrors the clip left to right with a probability."""

    probability: float

    def __post_init__(self):
        _check_range("random_horizontal_flip.probability", self.probability, 0.0, 1.0)

    def __call__(self, view: View, boxes: tf.Tensor, seed: tf.Tensor) -> View:
        flip = _uniform(seed, []) < self.probability
        return view._replace(flip=tf.math.logical_xor(view.flip, flip))


@dataclasses.dataclass(frozen=True)
class RandomCropImage:
    """A random window of the view becomes the view.

    Area is drawn uniformly, then the aspect ratio (window's width over height, relative to
    the frame's) uniformly among those that fit, then the place. With probability
    `random_coef`, or when no box would stay, the view is left as it is. A clip without people
    is cropped too.
    """

    min_aspect_ratio: float
    max_aspect_ratio: float
    min_area: float
    max_area: float
    overlap_threshold: float
    random_coef: float

    def __post_init__(self):
        for name in ("min_area", "max_area"):
            _check_range(f"random_crop_image.{name}", getattr(self, name), 1e-4, 1.0)
        for name in ("overlap_threshold", "random_coef"):
            _check_range(f"random_crop_image.{name}", getattr(self, name), 0.0, 1.0)
        for low, high in (("min_area", "max_area"), ("min_aspect_ratio", "max_aspect_ratio")):
            if not 0.0 < getattr(self, low) <= getattr(self, high):
                raise UserError(
                    f"random_crop_image: {low} {getattr(self, low)} and {high} "
                    f"{getattr(self, high)}; expected 0 < {low} <= {high}"
                )

    def __call__(self, view: View, boxes: tf.Tensor, seed: tf.Tensor) -> View:
        random = _uniform(seed, [5])
        area = self.min_area + random[0] * (self.max_area - self.min_area)
        lowest = tf.clip_by_value(area, self.min_aspect_ratio, self.max_aspect_ratio)
        highest = tf.clip_by_value(1.0 / area, self.min_aspect_ratio, self.max_aspect_ratio)
        aspect_ratio = lowest + random[1] * (highest - lowest)
        height = tf.minimum(tf.sqrt(area / aspect_ratio), 1.0)
        width = tf.minimum(tf.sqrt(area * aspect_ratio), 1.0)
        top, left = random[2] * (1.0 - height), random[3] * (1.0 - width)
        left = tf.where(view.flip, 1.0 - left - width, left)  # the place as it is shown

        outer = _window(view)
        scale = outer[2:] - outer[:2]
        corner = outer[:2] + scale * tf.stack([top, left])
        opposite = tf.minimum(corner + scale * tf.stack([height, width]), outer[2:])
        window = tf.concat([corner, opposite], axis=0)
        threshold = tf.maximum(view.overlap_threshold, self.overlap_threshold)
        _, keep = view_boxes(view._replace(window=window, overlap_threshold=threshold), boxes)
        loses_all = (tf.shape(boxes)[0] > 0) & ~tf.reduce_any(keep)
        leave = (random[4] < self.random_coef) | loses_all
        return view._replace(
            window=tf.where(leave, outer, window),
            overlap_threshold=tf.where(leave, view.overlap_threshold, threshold),
        )


@dataclasses.dataclass(frozen=True)
class RandomColor:
    """Brightness, contrast and saturation, one draw for the whole clip.

    Attributes:
      max_brightness_delta: added to RGB in [0, 1], uniform in plus or minus this.
      contrast, saturation: factors are uniform in 1 plus or minus these. Contrast is about
        mid-grey, not about each frame's mean, so that all frames change alike.
    """

    max_brightness_delta: float
    contrast: float
    saturation: float

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_range(f"random_color.{field.name}", getattr(self, field.name), 0.0, 1.0)

    def __call__(self, view: View, boxes: tf.Tensor, seed: tf.Tensor) -> View:
        random = 2.0 * _uniform(seed, [3]) - 1.0
        brightness = random[0] * self.max_brightness_delta
        contrast = 1.0 + random[1] * self.contrast
        saturation = 1.0 + random[2] * self.saturation
        grey = tf.tile(tf.constant(_LUMA)[tf.newaxis], [3, 1])
        matrix = contrast * (saturation * tf.eye(3) + (1.0 - saturation) * grey)  # [3, 3]
        offset = tf.fill([3], 0.5 * (1.0 - contrast) + brightness)
        color = tf.eye(3, 4) if view.color is None else view.color
        color = matrix @ color + tf.pad(offset[:, tf.newaxis], [[0, 0], [3, 0]])
        return view._replace(color=color)
