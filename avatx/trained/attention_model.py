"""A trained model asked what it attended to and by which keys it knows its cells (figure 4).

From a checkpoint: an export holds neither keys nor a way to ask for a box of one's own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from avatx import stderr_noise
from avatx.core.cell_view import CellView
from avatx.core.people import Action, Attended, Person, merge_people
from avatx.core.structures import Groundtruth, Proposals
from avatx.errors import UserError
from avatx.meta_architectures.detection_model import DetectionModel
from avatx.meta_architectures.video_model import VideoModel
from avatx.trained.trained_model import TrainedModel

_SHOWN_SCORE = 0.2  # of a person's actions


class AttentionModel:
    """A detector whose head attends.

    Args:
      pipeline_config_path: what the model was trained with.
      checkpoint: a prefix, or a folder whose newest checkpoint is taken.
      overrides: as --override.

    Attributes:
      trained: the model, its clips, its classes, its step.

    Raises:
      UserError: config, label map or checkpoint are missing or do not fit; or the head does not
        attend.
    """

    def __init__(self, pipeline_config_path: str, checkpoint: str, overrides: Sequence[str] = ()):
        def check(model: VideoModel) -> None:
            if not isinstance(model, DetectionModel):
                raise UserError(
                    f"{pipeline_config_path}: not a detector (action_faster_rcnn): nothing of it "
                    "attends to a person"
                )
            if not model.attends:
                raise UserError(
                    f"{pipeline_config_path}: its box predictor does not attend, so there is "
                    "neither attention nor keys to show; give a model with tx_box_predictor or "
                    "tx_i3d_box_predictor"
                )

        self.trained = TrainedModel.load(pipeline_config_path, checkpoint, overrides, check=check)
        self._model = self.trained.model
        self._class_names = self.trained.class_names
        self._attend = tf.function(self._last_layer, autograph=False, reduce_retracing=True)

    def look(
        self, clip: np.ndarray, number: int = 1, box: Sequence[float] | None = None
    ) -> Attended:
        """What the query of one person attends to.

        Args:
          clip: [T, H, W, 3 (5 with flow)] uint8.
          number: which of the people that the detector finds, from 1, by descending score.
          box: [4] yxyx, normalised: this box in place of a detected one.

        Raises:
          UserError: fewer people are found; or a model with proposal_source GROUNDTRUTH or
            EXTERNAL, which finds nobody, is asked without a box.
        """
        model = self._model
        clips = model.preprocess(tf.constant(clip[np.newaxis]))
        if (model.needs_groundtruth or model.needs_person_boxes) and box is None:
            source = "GROUNDTRUTH" if model.needs_groundtruth else "EXTERNAL"
            raise UserError(
                f"number {number}: this model has proposal_source {source} and finds nobody by "
                "itself; give a box"
            )
        given = [0.0, 0.0, 1.0, 1.0] if box is None else box
        predictions = model.predict(clips, **self._told(given))
        if box is None:
            proposal, person_box = self._find(predictions, number)
        else:
            proposal = person_box = np.asarray(box, np.float32)
        boxes = tf.constant(np.reshape(proposal, [1, 1, 4]), tf.float32)
        head = model.predict_boxes(predictions.features, boxes, attention=True)
        scores = tf.sigmoid(head.class_logits)[0, 0, 1:].numpy()
        keys = model.keys(predictions.features)
        return Attended(
            Person(person_box, self._actions(scores)),
            np.stack([layer[0, 0].numpy() for layer in head.attention]).astype(np.float32),
            np.stack([layer[0].numpy() for layer in keys]).astype(np.float32),
            CellView.of(predictions.features.positions),
        )

    def attend(self, clip: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, CellView]:
        """The last layer's attention of the queries of given boxes.

        Args:
          clip: [T, H, W, 3 (5 with flow)] uint8.
          boxes: [N, 4] yxyx, normalised.

        Returns:
          [N, heads, T', H', W'] float32, each head's sum to 1; and where the T' x H' x W' look.
        """
        with stderr_noise.dropped():  # the graph optimiser's, at the first call
            maps, positions = self._attend(
                tf.constant(clip[np.newaxis]), tf.constant(boxes[np.newaxis], tf.float32)
            )
        return maps.numpy(), CellView.of(positions)

    def _last_layer(self, clips, boxes):
        model = self._model
        whole = self._told([0.0, 0.0, 1.0, 1.0])
        features = model.predict(model.preprocess(clips), **whole).features
        head = model.predict_boxes(features, boxes, attention=True)
        return tf.cast(head.attention[-1][0], tf.float32), features.positions

    def _told(self, box: Sequence[float]) -> dict[str, Any]:
        """A person's box as the arguments of `predict` that the model has to be told it by."""
        told: dict[str, Any] = {"groundtruth": _groundtruth(box, self._model.num_classes)}
        if self._model.needs_person_boxes:
            told["person_boxes"] = Proposals(
                tf.constant([[list(map(float, box))]]), tf.ones([1, 1]), tf.constant([1])
            )
        return told

    def _find(self, predictions, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The proposal's and the refined box of the person of this number."""
        detections = self._model.postprocess(predictions)
        count = int(detections.num_detections[0])
        boxes = detections.boxes[0, :count].numpy()
        people = merge_people(
            boxes,
            detections.classes[0, :count].numpy(),
            detections.scores[0, :count].numpy(),
            self._class_names,
        )
        if not 1 <= number <= len(people):
            found = f"{len(people)} people are found" if len(people) != 1 else "1 person is found"
            expected = f"expected 1 to {len(people)}" if people else "give a box"
            raise UserError(f"number {number}: {found} in this clip; {expected}")
        box = people[number - 1].box
        best = int(np.argmin(np.abs(boxes - box).sum(axis=1)))  # the detection itself
        proposal = int(detections.proposal_index[0, best])
        return predictions.proposals.boxes[0, proposal].numpy(), box

    def _actions(self, scores: np.ndarray) -> tuple[Action, ...]:
        order = np.argsort(-scores, kind="stable").tolist()
        known = [i for i in order if i + 1 in self._class_names]
        shown = [i for i in known if scores[i] >= _SHOWN_SCORE] or known[:1]
        return tuple(Action(i + 1, self._class_names[i + 1], float(scores[i])) for i in shown)


def _groundtruth(box: Sequence[float], num_classes: int) -> Groundtruth:
    return Groundtruth(
        boxes=tf.constant([[list(map(float, box))]]),
        labels=tf.zeros([1, 1, num_classes]),
        num_boxes=tf.constant([1]),
        sampling_seed=tf.zeros([1, 2], tf.int32),
    )
