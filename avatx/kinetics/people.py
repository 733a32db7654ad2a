"""People by a person detector, and for each the actions of Kinetics-400: nothing is trained.

A person's clip is the square around their box, twice its longer side, cut from every frame
(the box held still in time, as the paper's tubes are, section 3.3), and the whole of Kinetics I3D
says what is done in it. Its logits were trained on whole frames. Pooling a person's tube from the
trunk's features and running the tail on that (ST-RoIPool) was tried first: it misses actions that
the square shows plainly (docs/person-boxes.md).
"""

import tensorflow as tf

from avatx.core.structures import Detections
from avatx.trunks.i3d import I3DClassifier

_INPUT_SIZE = 224  # I3D's
_SQUARE = 2.0  # its side, in longer sides of the box


class KineticsPeople(tf.Module):
    """The verbs of a `DetectionModel` that an export needs.

    Args:
      find_people: the signature `serving_default` of a SavedModel as
        `avatx.inference.person_detector` describes.
      input_name: what it calls its frame.
      tracked: what that signature needs to be saved with: the SavedModel.
      classifier: I3D, with logits.
      person_class: the class id that means a person.
      min_person_score: boxes of a lower score are no people.
      max_people: of a clip.
      num_actions: of a person: those of highest score.
    """

    input_channels = 3
    needs_person_boxes = False

    def __init__(
        self,
        find_people,
        input_name: str,
        classifier: I3DClassifier,
        *,
        tracked=None,
        person_class: int = 1,
        min_person_score: float = 0.15,
        max_people: int = 6,
        num_actions: int = 5,
    ):
        super().__init__(name="kinetics_people")
        self.tracked = tracked
        self._find_people = find_people
        self._input_name = input_name
        self._classifier = classifier
        self._person_class = person_class
        self._min_person_score = min_person_score
        self._max_people = max_people
        self._num_actions = num_actions

    @property
    def variables(self) -> list[tf.Variable]:
        return [*self._classifier.variables, *self._find_people.variables]

    def preprocess(self, clips: tf.Tensor) -> tf.Tensor:
        """[B, T, H, W, 3] in [0, 255] as float32, their size kept: people are looked for in it.

        So the clips of one call of `serving_jpeg` have one frame size, where other models resize.
        """
        return tf.cast(clips, tf.float32)

    def predict(self, clips: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Boxes [B, P, 4], yxyx normalised, and the scores of their actions [B, P, C].

        P is `max_people`; a box of zeros is padding, and so are its scores.
        """
        del training
        people, classes = self._max_people, self._classifier.logits.units

        def one(clip):
            boxes = self._people(clip[tf.shape(clip)[0] // 2])
            scores = tf.map_fn(
                lambda box: self._actions(clip, box),
                boxes,
                fn_output_signature=tf.TensorSpec([classes], tf.float32),
                parallel_iterations=1,
            )
            missing = people - tf.shape(boxes)[0]
            return (
                tf.ensure_shape(tf.pad(boxes, [[0, missing], [0, 0]]), [people, 4]),
                tf.ensure_shape(tf.pad(scores, [[0, missing], [0, 0]]), [people, classes]),
            )

        specs = tf.TensorSpec([people, 4]), tf.TensorSpec([people, classes])
        return tf.map_fn(one, clips, fn_output_signature=specs, parallel_iterations=1)

    def postprocess(self, predictions: tuple[tf.Tensor, tf.Tensor]) -> Detections:
        """A detection for each of a person's best actions, by descending score."""
        boxes, all_scores = predictions
        scores, classes = tf.math.top_k(all_scores, self._num_actions)  # [B, P, A]
        count = self._max_people * self._num_actions
        scores, order = tf.math.top_k(tf.reshape(scores, [-1, count]), count)
        person = order // self._num_actions
        return Detections(
            boxes=tf.gather(boxes, person, batch_dims=1),
            scores=scores,
            classes=tf.gather(tf.reshape(classes, [-1, count]), order, batch_dims=1) + 1,
            multiclass_scores=tf.gather(all_scores, person, batch_dims=1),
            num_detections=tf.reduce_sum(tf.cast(scores > 0, tf.int32), axis=1),
            proposal_index=person,
        )

    def _people(self, frame: tf.Tensor) -> tf.Tensor:
        """Boxes [N, 4] of the people in a frame [H, W, 3], N at most `max_people`."""
        rounded = tf.cast(tf.round(frame), tf.uint8)[tf.newaxis]
        found = self._find_people(**{self._input_name: rounded})
        boxes = tf.ensure_shape(tf.cast(found["detection_boxes"][0], tf.float32), [None, 4])
        scores = tf.ensure_shape(tf.cast(found["detection_scores"][0], tf.float32), [None])
        entry = tf.range(tf.shape(scores)[0])
        classes = tf.cast(found["detection_classes"][0], tf.float32)
        is_person = tf.cast(tf.round(classes), tf.int32) == self._person_class
        is_person &= entry < tf.cast(found["num_detections"][0], tf.int32)
        is_person &= scores >= self._min_person_score
        boxes = tf.clip_by_value(tf.boolean_mask(boxes, is_person), 0.0, 1.0)
        best = tf.argsort(tf.boolean_mask(scores, is_person), direction="DESCENDING", stable=True)
        boxes = tf.gather(boxes, best)
        sides = boxes[:, 2:] - boxes[:, :2]
        return tf.boolean_mask(boxes, tf.reduce_min(sides, axis=1) > 0)[: self._max_people]

    def _actions(self, clip: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
        """Scores [C] of what is done in the square around a box, in a clip [T, H, W, 3]."""
        size = tf.shape(clip)[1:3]
        top, left, side = square_around(box, size)
        square = clip[:, top : top + side, left : left + side]
        square = tf.image.resize(square, [_INPUT_SIZE, _INPUT_SIZE], antialias=True)
        square = tf.ensure_shape(square, [None, _INPUT_SIZE, _INPUT_SIZE, 3])
        logits = self._classifier(square[tf.newaxis] / 127.5 - 1.0, training=False)
        return tf.nn.softmax(logits)[0]


def square_around(box: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Top, left and side, int32 pixels, of a person's square; it lies within the frame.

    Args:
      box: [4] yxyx normalised.
      size: [2] int32, (H, W) of the frame, pixels.
    """
    scale = tf.cast(size, tf.float32)
    low, high = box[:2] * scale, box[2:] * scale
    side = tf.minimum(_SQUARE * tf.reduce_max(high - low), tf.reduce_min(scale))
    side = tf.maximum(tf.cast(tf.round(side), tf.int32), 1)
    corner = tf.cast(tf.round((low + high - tf.cast(side, tf.float32)) / 2), tf.int32)
    corner = tf.clip_by_value(corner, 0, size - side)
    return corner[0], corner[1], side
