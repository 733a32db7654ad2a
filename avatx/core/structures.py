"""Everything that passes between stages, as typed tuples: one place for shapes and frames.

B clips, T frames of H x W pixels, G groundtruth boxes, R proposals, D detections, C classes,
T' x H' x W' feature cells. Boxes are [ymin, xmin, ymax, xmax], normalised to [0, 1] of the
clip's frame. Class ids are 1-based in files; `labels[..., i]` is class id i + 1, and index 0 of
`class_logits` is background. Entries past a count (`num_boxes`, `num_proposals`,
`num_detections`) are padding: their values mean nothing.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

VIDEO_ID_BYTES = 128  # longest video id, in UTF-8 bytes


class Groundtruth(NamedTuple):
    """What is annotated in the keyframe of each clip."""

    boxes: tf.Tensor  # [B, G, 4] float32
    labels: tf.Tensor  # [B, G, C] float32, k-hot, without background
    num_boxes: tf.Tensor  # [B] int32
    # [B, 2] int32: what the samplers draw from. A clip's samples depend on its own seed alone,
    # so they are the same in any batch and on any number of replicas.
    sampling_seed: tf.Tensor


class Keyframes(NamedTuple):
    """Which keyframe each clip is centred on. Bytes, because GPUs hold no strings."""

    video_id: tf.Tensor  # [B, VIDEO_ID_BYTES] uint8, UTF-8, filled up with zero bytes
    timestamp: tf.Tensor  # [B] float64, seconds


def decode_video_id(row: np.ndarray) -> str:
    """One row of `Keyframes.video_id` -> the id."""
    return row.tobytes().rstrip(b"\0").decode("utf-8", "replace")


class Batch(NamedTuple):
    """What the input pipeline yields."""

    clips: tf.Tensor  # [B, T, H, W, 3] uint8, RGB; with optical flow [..., 5], see ClipShape
    groundtruth: Groundtruth
    keyframes: Keyframes
    valid: tf.Tensor  # [B] bool: False where the last batch was filled up with a repeated clip
    # Boxes of somebody else's detector, where the model takes its proposals from there.
    person_boxes: "Proposals | tuple[()]" = ()


class LabelledClips(NamedTuple):
    """What the classification pipeline yields: clips of videos that carry one label each."""

    clips: tf.Tensor  # [B, T, H, W, 3] uint8, RGB
    labels: tf.Tensor  # [B] int32: class id - 1
    video_index: tf.Tensor  # [B] int64: ordinal of the video within the data set
    view: tf.Tensor  # [B] int32: ordinal of the clip and crop within the video
    valid: tf.Tensor  # [B] bool: False where the last batch was filled up with a repeated clip


class CellPositions(NamedTuple):
    """Where feature cells look in a clip, along (time, height, width): see `core.cell_positions`.

    Cell i looks at frame, row and column `first + i * stride`, counted from 0.
    """

    first: tf.Tensor  # [3] float32, frames and pixels
    stride: tf.Tensor  # [3] float32, likewise
    size: tf.Tensor  # [3] float32: T, H, W of the clip


class FeatureMap(NamedTuple):
    """What a head sees of a batch of clips."""

    cells: tf.Tensor  # [B, T', H', W', C'] the trunk's features
    center: tf.Tensor  # [] int32: which of the T' is the temporally central one
    positions: CellPositions


class Proposals(NamedTuple):
    """Boxes that may hold a person, by descending objectness (or another detector's score)."""

    boxes: tf.Tensor  # [B, R, 4] float32
    scores: tf.Tensor  # [B, R] float32, objectness in [0, 1]
    num_proposals: tf.Tensor  # [B] int32


class FirstStage(NamedTuple):
    """Raw output of the region proposal network, A anchors in all."""

    objectness_logits: tf.Tensor  # [B, A, 2] float32: background, person
    box_encodings: tf.Tensor  # [B, A, 4] float32, (ty, tx, th, tw) against the anchors
    anchors: tf.Tensor  # [A, 4] float32, normalised, clipped to [0, 1]


class BoxPredictions(NamedTuple):
    """What a box predictor says of each proposal."""

    class_logits: tf.Tensor  # [B, R, C + 1] float32, index 0 background
    box_encodings: tf.Tensor  # [B, R, 1, 4] class-agnostic or [B, R, C, 4], against the proposals
    attention: tuple[tf.Tensor, ...] = ()  # a layer each: [B, R, heads, T', H', W'], sums to 1


class SecondStageTargets(NamedTuple):
    """What the box predictor should have said of each sampled proposal (training only)."""

    class_targets: tf.Tensor  # [B, R, C + 1] float32, index 0 background
    box_targets: tf.Tensor  # [B, R, 4] float32, encoded against the proposals
    positive: tf.Tensor  # [B, R] bool: matched to a groundtruth box
    sampled: tf.Tensor  # [B, R] bool: takes part in the loss


class Predictions(NamedTuple):
    """Everything `DetectionModel.predict` knows of a batch of clips."""

    features: FeatureMap
    first_stage: FirstStage
    proposals: Proposals
    box_predictions: BoxPredictions
    targets: tuple[SecondStageTargets, ...] = ()  # one when training, none otherwise


class Detections(NamedTuple):
    """Final boxes, one class each, by descending score."""

    boxes: tf.Tensor  # [B, D, 4] float32, clipped to [0, 1]
    classes: tf.Tensor  # [B, D] int32, 1-based ids
    scores: tf.Tensor  # [B, D] float32
    multiclass_scores: tf.Tensor  # [B, D, C] float32: all classes of the detection's proposal
    proposal_index: tf.Tensor  # [B, D] int32: which proposal it came from
    num_detections: tf.Tensor  # [B] int32


def first_entries(size, count: tf.Tensor) -> tf.Tensor:
    """[B, size] bool: which entries are not past the count [B] int32, that is, no padding.

    In float32, which is exact: int32 is compared on the host, GPU or not.
    """
    places = tf.cast(tf.range(size), tf.float32)
    return places < tf.cast(count, tf.float32)[:, tf.newaxis]
