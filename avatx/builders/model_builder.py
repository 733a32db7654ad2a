"""DetectionModel -> avatx.meta_architectures."""

from avatx.builders import anchor_generator_builder, box_predictor_builder, trunk_builder
from avatx.builders.options import options_from
from avatx.meta_architectures.action_faster_rcnn import ActionFasterRCNN, ProposalSource
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions, ProposalStage
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.protos import action_faster_rcnn_pb2, model_pb2, video_classifier_pb2


def build(config: model_pb2.DetectionModel) -> ActionFasterRCNN | VideoClassifier:
    """The model, with its variables made. Raises ValueError for an unknown meta-architecture."""
    kind = config.WhichOneof("model")
    if kind == "action_faster_rcnn":
        model = _build_action_faster_rcnn(config.action_faster_rcnn)
    elif kind == "video_classifier":
        model = _build_video_classifier(config.video_classifier)
    else:
        raise ValueError(f"unknown model: {kind}")
    model.create_variables()
    return model


def _build_video_classifier(config: video_classifier_pb2.VideoClassifier) -> VideoClassifier:
    size = config.image_resizer.fixed_shape_resizer
    return VideoClassifier(
        image_size=(size.height, size.width),
        trunk=trunk_builder.build(config.trunk),
        num_classes=config.num_classes,
        dropout=config.dropout,
    )


def _build_action_faster_rcnn(config: action_faster_rcnn_pb2.ActionFasterRcnn):
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
    )
