"""BoxPredictor -> avatx.predictors."""

import typing

from avatx.builders.options import argument_names, fields_of, looked_up, options_from
from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiAlignment, RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors.box_predictor import BoxPredictor, Outputs
from avatx.predictors.tx_i3d import TxI3DBoxPredictor
from avatx.protos import action_faster_rcnn_pb2
from avatx.trunks.trunk import Trunk

# Name in the config -> the class. Its arguments are the fields of the message (or, where it names
# `options`, a dataclass of them), and of the parts in `_parts` those that it names.
BOX_PREDICTORS = {
    "tx_box_predictor": "avatx.predictors.tx.TxBoxPredictor",
    "i3d_box_predictor": "avatx.predictors.i3d.I3DBoxPredictor",
}


def build(model: action_faster_rcnn_pb2.ActionFasterRcnn, trunk: Trunk) -> BoxPredictor:
    """The second stage's head.

    Args:
      model: its field second_stage_box_predictor, and those of RoIPool, classes and location.
      trunk: what the head's features come from; the I3D head takes a tail of it.

    Raises:
      ValueError: the head is unknown.
      UserError: the head needs a tail and the trunk has none.
    """
    config = model.second_stage_box_predictor
    kind = config.WhichOneof("box_predictor_oneof")
    if kind == "tx_i3d_box_predictor":
        tx, i3d = config.tx_i3d_box_predictor.tx, config.tx_i3d_box_predictor.i3d
        logits, boxes = Outputs.CLASS_LOGITS, Outputs.BOX_ENCODINGS
        return TxI3DBoxPredictor(
            _build("tx_box_predictor", tx, model, trunk, outputs=logits, name="tx"),
            _build("i3d_box_predictor", i3d, model, trunk, outputs=boxes, name="i3d"),
            name="box_predictor",
        )
    message = getattr(config, kind) if kind else None
    return _build(kind, message, model, trunk, name="box_predictor")


def _build(kind: str | None, message, model, trunk: Trunk, **kwargs) -> BoxPredictor:
    head = looked_up(BOX_PREDICTORS, kind, "box_predictor")
    names = argument_names(head)
    if "options" in names:
        options = typing.get_type_hints(head.__init__)["options"]
        arguments = {"options": options_from(message, options)}
    else:
        arguments = fields_of(message)
    parts = _parts(model, trunk)
    arguments.update({name: parts[name]() for name in parts if name in names})
    return head(
        num_classes=model.num_classes,
        class_specific_boxes=model.second_stage_class_specific_boxes,
        class_prediction_bias_init=model.second_stage_class_prediction_bias_init,
        hidden_depth=model.second_stage_hidden_depth,
        **arguments,
        **kwargs,
    )


def _parts(model: action_faster_rcnn_pb2.ActionFasterRcnn, trunk: Trunk) -> dict:
    """Argument of a head -> what makes it; each is made for those that name it only."""
    pool = {
        "crop_size": model.initial_crop_size,
        "pool_size": model.maxpool_kernel_size,
        "pool_stride": model.maxpool_stride,
        "alignment": RoiAlignment(action_faster_rcnn_pb2.RoiAlignment.Name(model.roi_alignment)),
    }
    depth = model.location_embedding.depth
    return {
        "tail": trunk.build_tail,
        "roi_pool": lambda: RoiPool(**pool, name="roi_pool"),
        "st_roi_pool": lambda: StRoiPool(**pool, name="st_roi_pool"),
        "location_embedding": lambda: (
            LocationEmbedding(depth, name="location_embedding") if depth else None
        ),
    }
