"""BoxPredictor -> avatx.predictors."""

from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiPool
from avatx.predictors.box_predictor import BoxPredictor
from avatx.predictors.tx import Query, TxBoxPredictor, TxOptions
from avatx.protos import action_faster_rcnn_pb2, box_predictor_pb2


def build(model: action_faster_rcnn_pb2.ActionFasterRcnn) -> BoxPredictor:
    """The second stage's head. Raises ValueError for an unknown one."""
    config = model.second_stage_box_predictor
    kind = config.WhichOneof("box_predictor_oneof")
    if kind == "tx_box_predictor":
        tx = config.tx_box_predictor
        depth = model.location_embedding.depth
        return TxBoxPredictor(
            num_classes=model.num_classes,
            options=TxOptions(
                num_layers=tx.num_layers,
                num_heads=tx.num_heads,
                depth=tx.depth,
                dropout=tx.dropout,
                query=Query(box_predictor_pb2.Query.Name(tx.query)),
                query_reduction_depth=tx.query_reduction_depth,
                feed_forward_depth=tx.feed_forward_depth,
            ),
            roi_pool=RoiPool(
                crop_size=model.initial_crop_size,
                pool_size=model.maxpool_kernel_size,
                pool_stride=model.maxpool_stride,
                name="roi_pool",
            ),
            location_embedding=(
                LocationEmbedding(depth, name="location_embedding") if depth else None
            ),
            class_specific_boxes=model.second_stage_class_specific_boxes,
            name="box_predictor",
        )
    raise ValueError(f"unknown box_predictor: {kind}")
