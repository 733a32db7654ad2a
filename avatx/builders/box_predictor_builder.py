"""BoxPredictor -> avatx.predictors."""

from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors.box_predictor import BoxPredictor, Outputs
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.predictors.tx import Query, TxBoxPredictor, TxOptions
from avatx.predictors.tx_i3d import TxI3DBoxPredictor
from avatx.protos import action_faster_rcnn_pb2, box_predictor_pb2
from avatx.trunks.trunk import Trunk


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
    if kind == "tx_box_predictor":
        return _build_tx(config.tx_box_predictor, model, name="box_predictor")
    if kind == "i3d_box_predictor":
        return _build_i3d(config.i3d_box_predictor, model, trunk, name="box_predictor")
    if kind == "tx_i3d_box_predictor":
        both = config.tx_i3d_box_predictor
        return TxI3DBoxPredictor(
            _build_tx(both.tx, model, outputs=Outputs.CLASS_LOGITS, name="tx"),
            _build_i3d(both.i3d, model, trunk, outputs=Outputs.BOX_ENCODINGS, name="i3d"),
            name="box_predictor",
        )
    raise ValueError(f"unknown box_predictor: {kind}")


def _build_tx(
    config: box_predictor_pb2.TxBoxPredictor,
    model: action_faster_rcnn_pb2.ActionFasterRcnn,
    **kwargs,
) -> TxBoxPredictor:
    depth = model.location_embedding.depth
    return TxBoxPredictor(
        options=TxOptions(
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            depth=config.depth,
            dropout=config.dropout,
            query=Query(box_predictor_pb2.Query.Name(config.query)),
            query_reduction_depth=config.query_reduction_depth,
            feed_forward_depth=config.feed_forward_depth,
        ),
        roi_pool=RoiPool(**_pool_sizes(model), name="roi_pool"),
        location_embedding=LocationEmbedding(depth, name="location_embedding") if depth else None,
        **_outputs(model),
        **kwargs,
    )


def _build_i3d(
    config: box_predictor_pb2.I3dBoxPredictor,
    model: action_faster_rcnn_pb2.ActionFasterRcnn,
    trunk: Trunk,
    **kwargs,
) -> I3DBoxPredictor:
    return I3DBoxPredictor(
        tail=trunk.build_tail(),
        dropout=config.dropout,
        st_roi_pool=StRoiPool(**_pool_sizes(model), name="st_roi_pool"),
        **_outputs(model),
        **kwargs,
    )


def _outputs(model: action_faster_rcnn_pb2.ActionFasterRcnn) -> dict:
    """What every head is told of its outputs."""
    return {
        "num_classes": model.num_classes,
        "class_specific_boxes": model.second_stage_class_specific_boxes,
        "class_prediction_bias_init": model.second_stage_class_prediction_bias_init,
    }


def _pool_sizes(model: action_faster_rcnn_pb2.ActionFasterRcnn) -> dict:
    return {
        "crop_size": model.initial_crop_size,
        "pool_size": model.maxpool_kernel_size,
        "pool_stride": model.maxpool_stride,
    }
