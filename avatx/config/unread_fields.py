"""Fields of a pipeline.config that are set and that nothing reads, because of what another says.

Whoever sets one expects something of it. Not refused is what one override, as of `query`,
`batch_norm` or `proposal_source`, makes unread and its return read again: `query_reduction_depth`,
`batch_norm_momentum`, `location_embedding`, `moving_average_decay`, class-specific boxes.
"""

from collections.abc import Iterator

from avatx.config import schema
from avatx.protos import action_faster_rcnn_pb2, anchor_generator_pb2

_FOCAL = action_faster_rcnn_pb2.SIGMOID_FOCAL
_Found = Iterator[tuple[str, str]]


def unread(config) -> _Found:
    """(where to look, what is wrong) of each."""
    if config.model.HasField("action_faster_rcnn"):
        yield from _of_the_detector(config.model.action_faster_rcnn)
        yield from _external_boxes(config)
    yield from _of_another_model(config)


def _set(message, field: str, path: str, why: str, instead: str) -> _Found:
    """The field, if it is set. `why` nothing reads it; `instead` of what `why` names."""
    if message.HasField(field):
        yield (
            f"{path}.{field}",
            f"{path}.{field} is set and {why}, so nothing reads it: set that to {instead}, or "
            "leave it out",
        )


def _of_the_detector(model) -> _Found:
    path = "model.action_faster_rcnn"
    if model.second_stage_classification_loss != _FOCAL:
        for field in ("second_stage_focal_loss_gamma", "second_stage_focal_loss_alpha"):
            why = "second_stage_classification_loss is SIGMOID"
            yield from _set(model, field, path, why, "SIGMOID_FOCAL")
    path += ".first_stage_anchor_generator.grid_anchor_generator"
    grid = model.first_stage_anchor_generator.grid_anchor_generator
    if grid.placement == anchor_generator_pb2.WHERE_CELLS_LOOK:
        for field in ("height_stride", "width_stride", "height_offset", "width_offset"):
            why = "placement is WHERE_CELLS_LOOK"
            yield from _set(grid, field, path, why, "OFFSET_AND_STRIDE")


def _external_boxes(config) -> _Found:
    """That a reader lacks them is for the run that reads them to say."""
    if config.model.action_faster_rcnn.proposal_source != action_faster_rcnn_pb2.EXTERNAL:
        for reader in ("train_input_reader", "eval_input_reader"):
            why = "proposal_source is not EXTERNAL"
            yield from _set(getattr(config, reader), "external_boxes", reader, why, "EXTERNAL")


def _of_another_model(config) -> _Found:
    kind = config.model.WhichOneof("model")
    for path, message in schema.set_messages(config):
        for field, _ in message.ListFields():
            reader = schema.read_by(field)
            if reader and reader != kind:
                name = f"{path}.{field.name}"
                yield (
                    name,
                    f"{name} is set and the model is {kind}: only {reader} reads it, leave it out",
                )
