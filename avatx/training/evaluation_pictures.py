"""Pictures of an evaluation for TensorBoard: the same few clips each time.

Groundtruth beside detections, and what the detector attended to where its head attends. The
clips are the first that the evaluation reads with anyone in them, each of another video or well
after the last; these are the same at every evaluation, for evaluation data come in order.
Nothing but the finished pictures is kept.
"""

import numpy as np
import tensorflow as tf

from avatx.core.cell_view import CellView
from avatx.core.people import Action, Person, box_iou, merge_people
from avatx.core.structures import Batch, Detections, Groundtruth, decode_video_id
from avatx.pictures.attention import attention_tile, spread_cells
from avatx.pictures.boxes import draw_people, upscale
from avatx.pictures.colours import class_colours
from avatx.pictures.contact_sheet import Tile, contact_sheet
from avatx.training.action_detection_task import given_boxes
from avatx.training.summaries import write_pictures

# Lower scores would hide the picture under their labels.
SHOWN_SCORE = 0.2
_TILE_WIDTH = 400
_MOMENTS = 3  # of an attention picture
# Keyframes with anyone in them between two that are shown of one video: neighbours are alike.
_KEYFRAMES_APART = 10


class EvaluationPictures:
    """Gathers the pictures of one evaluation.

    Args:
      model: the detector; run once more on each clip shown, with attention.
      class_names: class id to name.
      count: clips.
      class_groups: class id to its label map's `label_type`, where it has one.
    """

    def __init__(
        self,
        model,
        class_names: dict[int, str],
        count: int,
        class_groups: dict[int, str] | None = None,
    ):
        self._model = model
        self._class_names = class_names
        self._colours = class_colours(class_names, class_groups)
        self._count = count
        self._pictures: dict[str, np.ndarray] = {}
        self._num_clips = 0
        self._last_video: bytes | None = None
        self._since_last = 0
        self._attend = tf.function(self._attention, autograph=False)

    def add(self, batch: Batch, detections: Detections) -> None:
        """Looks at one replica's batch.

        Args:
          batch: tensors or arrays; the clips are only looked at while clips are wanted.
          detections: arrays.
        """
        for i in np.flatnonzero(np.asarray(batch.valid)):
            if self._num_clips >= self._count:
                return
            if int(batch.groundtruth.num_boxes[i]) and self._is_new(batch.keyframes.video_id[i]):
                self._num_clips += 1
                clip = np.asarray(batch.clips[i])
                rest = batch._replace(clips=())
                self._show(
                    tf.nest.map_structure(lambda x, i=i: np.asarray(x[i : i + 1]), rest),
                    clip,
                    tf.nest.map_structure(lambda x, i=i: x[i], detections),
                )

    def write(self, step: int) -> None:
        """Writes the pictures to TensorFlow's default summary writer, and forgets them."""
        write_pictures(self._pictures, step)
        self._pictures, self._num_clips, self._last_video = {}, 0, None

    def _is_new(self, video_id: np.ndarray) -> bool:
        """Whether the next keyframe with anyone in it, of this video, is to be shown."""
        self._since_last += 1
        if video_id.tobytes() == self._last_video and self._since_last < _KEYFRAMES_APART:
            return False
        self._last_video, self._since_last = video_id.tobytes(), 0
        return True

    def _show(self, one: Batch, clip: np.ndarray, detections: Detections) -> None:
        video_id = decode_video_id(one.keyframes.video_id[0])
        name = f"{video_id}@{one.keyframes.timestamp[0]:g}"
        # The number keeps TensorBoard's order that of the data.
        title = f"clip{self._num_clips}_{name}"
        frame = upscale(clip[len(clip) // 2][..., :3], _TILE_WIDTH)
        truth = self._annotated(one.groundtruth)
        count = int(detections.num_detections)
        shown = detections.scores[:count] >= SHOWN_SCORE
        found = merge_people(
            detections.boxes[:count][shown],
            detections.classes[:count][shown],
            detections.scores[:count][shown],
            self._class_names,
        )
        tiles = [
            Tile(draw_people(frame, truth, self._colours), f"groundtruth, {name}"),
            Tile(
                draw_people(frame, found, self._colours),
                f"detections with a score of {SHOWN_SCORE:g} or more",
            ),
        ]
        self._pictures[f"clips/{title}"] = contact_sheet(tiles, 2, _TILE_WIDTH)
        # The model takes all channels; pictures show the first three, RGB without optical flow.
        if self._model.attends:
            boxes, maps, positions = self._attend(
                clip[np.newaxis], one.groundtruth, given_boxes(one)
            )
            # A threshold on objectness may leave no proposal, and so no query to show.
            if len(boxes):
                cells = CellView.of(positions)
                sheet = _attention_strip(clip[..., :3], truth, boxes.numpy(), maps.numpy(), cells)
                self._pictures[f"attention/{title}"] = sheet

    def _annotated(self, groundtruth: Groundtruth) -> list[Person]:
        return [
            Person(
                groundtruth.boxes[0, i],
                tuple(
                    Action(class_id, self._class_names.get(class_id, f"class {class_id}"))
                    for class_id in (np.flatnonzero(groundtruth.labels[0, i]) + 1).tolist()
                ),
            )
            for i in range(int(groundtruth.num_boxes[0]))
        ]

    def _attention(self, clips, groundtruth, options):
        """The last layer's attention, mean over heads: boxes [R, 4], maps [R, T', H', W'], and
        the `CellPositions` of the latter."""
        model = self._model
        # In one replica's context: outside of one, batch norm would ask every machine for its
        # statistics, and the others are not here.
        strategy = tf.distribute.get_strategy()
        replicas = strategy.run(
            lambda: model.predict(model.preprocess(clips), groundtruth, attention=True, **options)
        )
        predictions = tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], replicas
        )
        layers = predictions.box_predictions.attention
        count = predictions.proposals.num_proposals[0]
        maps = tf.reduce_mean(tf.cast(layers[-1][0, :count], tf.float32), axis=1)
        return predictions.proposals.boxes[0, :count], maps, predictions.features.positions


def _attention_strip(clip, truth, boxes, maps, cells: CellView) -> np.ndarray:
    """What the query of the largest annotated person's proposal attended to, over time."""
    person = max(truth, key=lambda one: float(np.prod(one.box[2:] - one.box[:2])))
    index = int(np.argmax([box_iou(box, person.box) for box in boxes]))
    attention = maps[index]
    tiles = []
    for cell in spread_cells(_MOMENTS, len(attention)):
        number = cells.frame(cell)
        frame = upscale(clip[number], _TILE_WIDTH)
        caption = (
            "attention of the boxed person: {share:.0%} here, at frame "
            f"{number + 1} of {len(clip)}"
        )
        tiles.append(attention_tile(frame, attention, cells, cell, boxes[index], caption))
    return contact_sheet(tiles, len(tiles), _TILE_WIDTH)
