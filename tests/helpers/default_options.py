"""Options as the schema has them by default, less what a test changes."""

import dataclasses

from avatx.builders import anchor_generator_builder, optimizer_builder, training_builder
from avatx.builders.options import options_from
from avatx.core.anchors import GridAnchorGenerator
from avatx.data.input.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input.input_options import InputOptions
from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions
from avatx.predictors.tx import TxOptions
from avatx.protos import (
    action_faster_rcnn_pb2,
    anchor_generator_pb2,
    box_predictor_pb2,
    eval_pb2,
    input_reader_pb2,
    optimizer_pb2,
    post_processing_pb2,
    preprocessor_pb2,
    train_pb2,
)
from avatx.training.options import EvalOptions, LearningRateOptions, OptimizerOptions, TrainOptions

NUM_STEPS, BATCH_SIZE = 500000, 30  # the schema has no default of these: the paper's

MODEL = action_faster_rcnn_pb2.ActionFasterRcnn()
# Dataclass -> the message that fills it, and what it does not fill.
FILLED = {
    FirstStageOptions: (MODEL, {"prefix": "first_stage_"}),
    SecondStageOptions: (MODEL, {"prefix": "second_stage_"}),
    PostProcessing: (post_processing_pb2.BatchNonMaxSuppression(), {}),
    TxOptions: (box_predictor_pb2.TxBoxPredictor(), {}),
    RandomHorizontalFlip: (preprocessor_pb2.RandomHorizontalFlip(), {}),
    RandomCropImage: (preprocessor_pb2.RandomCropImage(), {}),
    RandomColor: (preprocessor_pb2.RandomColor(), {}),
    InputOptions: (
        input_reader_pb2.InputReader(),
        {
            "input_paths": (),
            "num_classes": 1,
            "max_boxes": train_pb2.TrainConfig().max_number_of_boxes,
            "seed": train_pb2.TrainConfig().seed,
            "external_boxes": None,
        },
    ),
}


def default(kind, /, *values, **changes):
    """The dataclass `kind` with the schema's defaults, except for `changes`.

    Args:
      kind: a dataclass of options; or a layer that pools regions, whose sizes are the schema's.
      *values: of its first fields, in order.
      **changes: of any fields, by name.
    """
    if kind in (RoiPool, StRoiPool):
        sizes = (MODEL.initial_crop_size, MODEL.maxpool_kernel_size, MODEL.maxpool_stride)
        return kind(*sizes, *values, **changes)
    names = [field.name for field in dataclasses.fields(kind)]
    changes.update(zip(names[: len(values)], values, strict=True))
    return dataclasses.replace(_of_the_schema(kind, changes), **changes)


def _of_the_schema(kind, changes):
    if kind in FILLED:
        message, given = FILLED[kind]
        return options_from(message, kind, **given)
    if kind is SecondStage:
        return SecondStage(default(SecondStageOptions))
    if kind is GridAnchorGenerator:
        anchors = anchor_generator_pb2.AnchorGenerator(grid_anchor_generator={})
        return anchor_generator_builder.build(anchors, output_stride=(16, 16))
    if kind is LearningRateOptions:
        return optimizer_builder.build_learning_rate(_learning_rate(changes.get("kind")), NUM_STEPS)
    if kind is OptimizerOptions:
        return optimizer_builder.build(_optimizer(changes.get("kind")), NUM_STEPS)
    if kind is TrainOptions:
        return training_builder.build_train_options(
            train_pb2.TrainConfig(
                batch_size=BATCH_SIZE, num_steps=NUM_STEPS, optimizer=_optimizer("momentum")
            )
        )
    if kind is EvalOptions:
        return training_builder.build_eval_options(eval_pb2.EvalConfig(), num_steps=0)
    raise TypeError(f"{kind}: no message of the schema is known for it")


def _learning_rate(kind: str | None) -> optimizer_pb2.LearningRate:
    known = ("constant", "cosine_decay", "manual_step")
    name = kind if kind in known else "cosine_decay"
    return optimizer_pb2.LearningRate(**{f"{name}_learning_rate": {}})


def _optimizer(kind: str | None) -> optimizer_pb2.Optimizer:
    name = kind if kind in optimizer_builder.OPTIMIZERS.values() else "momentum"
    rate = _learning_rate("cosine_decay")
    return optimizer_pb2.Optimizer(**{f"{name}_optimizer": {"learning_rate": rate}})
