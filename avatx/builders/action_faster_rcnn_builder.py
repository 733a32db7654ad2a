"""ActionFasterRcnn -> avatx.meta_architectures.action_faster_rcnn."""

from typing import Any

from avatx.builders import anchor_generator_builder, box_predictor_builder, trunk_builder
from avatx.builders.options import options_from
from avatx.meta_architectures.action_faster_rcnn import (
    ActionFasterRCNN,
    CentralFrame,
    ProposalSource,
)
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions, ProposalStage
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions
from avatx.protos import action_faster_rcnn_pb2


def build(config: action_faster_rcnn_pb2.ActionFasterRcnn) -> ActionFasterRCNN:
    """The detector; its variables are not made."""
    size = config.image_resizer.fixed_shape_resizer
    trunk = trunk_builder.build(config.trunk)
    anchors = anchor_generator_builder.build(
        config.first_stage_anchor_generator, trunk.output_stride[1:]
    )
    first_stage = options_from(config, FirstStageOptions, "first_stage_")
    second_stage = options_from(config, SecondStageOptions, "second_stage_")
    suppression = config.second_stage_post_processing.batch_non_max_suppression
    return ActionFasterRCNN(
        image_size=(size.height, size.width),
        trunk=trunk,
        proposal_stage=ProposalStage(anchors, first_stage, name="proposal_stage"),
        box_predictor=box_predictor_builder.build(config, trunk),
        second_stage=SecondStage(second_stage),
        post_processing=options_from(suppression, PostProcessing),
        proposal_source=ProposalSource(
            action_faster_rcnn_pb2.ProposalSource.Name(config.proposal_source)
        ),
        central_frame=CentralFrame(action_faster_rcnn_pb2.CentralFrame.Name(config.central_frame)),
    )


def describe_shapes(
    config: action_faster_rcnn_pb2.ActionFasterRcnn, model: ActionFasterRCNN
) -> dict[str, Any]:
    """Name -> shape, of one clip's way behind the features."""
    rows, columns = (
        -(-size // stride)
        for size, stride in zip(model.image_size, model.trunk.output_stride[1:], strict=True)
    )
    proposals, predictor = config.first_stage_max_proposals, model.box_predictor
    return {
        "anchors": rows * columns * model.proposal_stage.anchor_generator.anchors_per_cell,
        "proposals": [proposals, 4],
        "class_logits": [proposals, model.num_classes + 1],
        "box_encodings": [proposals, predictor.boxes_per_proposal, 4],
        "detections": [model.post_processing.max_total_detections, 4],
    }
