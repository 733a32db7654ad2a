"""Builders: every field of a message set to a number of its own, every option with that number.

A field that is passed on under another's name would go unseen where both have one value.
"""

import numpy as np
import pytest
from default_options import default
from google.protobuf import text_format

from avatx.builders import (
    anchor_generator_builder,
    box_predictor_builder,
    input_reader_builder,
    model_builder,
    optimizer_builder,
    preprocessor_builder,
    training_builder,
)
from avatx.core.anchors import AnchorPlacement
from avatx.core.non_max_suppression import NmsImplementation
from avatx.data.input.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.layers.roi_pool import RoiAlignment
from avatx.meta_architectures.action_faster_rcnn import CentralFrame
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions
from avatx.meta_architectures.second_stage import ClassificationLoss, SecondStageOptions
from avatx.predictors.box_predictor import TemporalPooling
from avatx.predictors.tx import Query, TxOptions
from avatx.protos import (
    action_faster_rcnn_pb2,
    anchor_generator_pb2,
    eval_pb2,
    input_reader_pb2,
    optimizer_pb2,
    pipeline_pb2,
    preprocessor_pb2,
    train_pb2,
)
from avatx.training.options import (
    EvalOptions,
    LearningRateOptions,
    OptimizerOptions,
    TrainOptions,
)
from avatx.trunks.i3d import I3D


def parsed(text, message):
    return text_format.Parse(text, message)


def test_anchors_of_non_square_strides():
    """Boxes in pixels of a 100 x 200 frame, worked by hand."""
    generator = anchor_generator_builder.build(
        parsed(
            "grid_anchor_generator { height: 8 width: 16 height_stride: 10 width_stride: 40 "
            "height_offset: 3 width_offset: 7 scales: 0.5 aspect_ratios: 4 }",
            anchor_generator_pb2.AnchorGenerator(),
        ),
        output_stride=(99, 98),
    )
    anchors = generator((2, 3), (100, 200)).numpy() * [100, 200, 100, 200]
    # 0.5 x 8 / 2 = 2 high, 0.5 x 16 x 2 = 16 wide, around (3 + 10 i, 7 + 40 j).
    expected = [[y - 1, x - 8, y + 1, x + 8] for y in (3.0, 13.0) for x in (7.0, 47.0, 87.0)]
    np.testing.assert_allclose(anchors, expected, atol=1e-4)


def test_strides_of_the_trunk_where_none_is_given():
    generator = anchor_generator_builder.build(
        parsed(
            "grid_anchor_generator { scales: 1 aspect_ratios: 1 }",
            anchor_generator_pb2.AnchorGenerator(),
        ),
        output_stride=(10, 40),
    )
    assert (generator.stride, generator.base_size) == ((10, 40), (256, 256))
    assert generator.offset == (0, 0)


def test_anchors_placed_where_the_trunks_cells_look():
    """The model's anchors: I3D's cell i looks at pixel 16 i + 15, of 48 x 80 here."""
    whole = pipeline_pb2.PipelineConfig()
    anchors = (
        "height: 10 width: 20 scales: 1 aspect_ratios: 1 placement: WHERE_CELLS_LOOK "
        "} } first_stage_max_proposals: 4 "
    )
    text = LEAN.replace("scales: 1 aspect_ratios: 1 } } ", anchors)
    text += f"second_stage_box_predictor {{ {TX} }}"
    rcnn = parsed(text, action_faster_rcnn_pb2.ActionFasterRcnn())
    whole.model.action_faster_rcnn.CopyFrom(rcnn)
    built = model_builder.build(whole.model)
    assert built.proposal_stage.anchor_generator.placement is AnchorPlacement.WHERE_CELLS_LOOK
    predictions = built.predict(np.zeros([1, 4, 48, 80, 3], np.float32))
    found = predictions.first_stage.anchors.numpy() * [48, 80, 48, 80]
    expected = [
        [y - 5, x - 10, min(y + 5, 48), min(x + 10, 80)]
        for y in (15.5, 31.5, 47.5)
        for x in (15.5, 31.5, 47.5, 63.5, 79.5)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


LEAN = (
    "num_classes: 5 trunk { i3d { depth_multiplier: 0.0625 } } "
    "image_resizer { fixed_shape_resizer { height: 48 width: 80 } } "
    "first_stage_anchor_generator { grid_anchor_generator { scales: 1 aspect_ratios: 1 } } "
)
TX = (
    "tx_box_predictor { num_layers: 2 num_heads: 3 depth: 11 dropout: 0.125 query: LOW_RES "
    "query_reduction_depth: 13 feed_forward_depth: 17 temporal_pooling: MAX }"
)


@pytest.fixture(scope="module")
def model():
    text = (
        LEAN
        + """
        first_stage_box_predictor_kernel_size: 5
        first_stage_box_predictor_depth: 6
        first_stage_minibatch_size: 7
        first_stage_positive_balance_fraction: 0.25
        first_stage_matched_threshold: 0.75
        first_stage_unmatched_threshold: 0.125
        first_stage_nms_score_threshold: 0.0625
        first_stage_nms_iou_threshold: 0.875
        first_stage_nms_implementation: SWEEPS
        first_stage_max_proposals: 8
        first_stage_localization_loss_weight: 1.5
        first_stage_objectness_loss_weight: 2.5
        second_stage_batch_size: 9
        second_stage_balance_fraction: 0.375
        second_stage_matched_threshold: 0.625
        second_stage_add_groundtruth_boxes: false
        second_stage_classification_loss: SIGMOID_FOCAL
        second_stage_focal_loss_gamma: 1.25
        second_stage_focal_loss_alpha: 0.625
        second_stage_hidden_depth: 21
        central_frame: NEAREST_TO_KEYFRAME
        roi_alignment: ALIGNED
        second_stage_localization_loss_weight: 3.5
        second_stage_classification_loss_weight: 4.5
        second_stage_post_processing { batch_non_max_suppression {
          score_threshold: 0.03125 iou_threshold: 0.5625
          max_detections_per_class: 10 max_total_detections: 12 implementation: COMBINED } }
        """
        + f"second_stage_box_predictor {{ {TX} }}"
    )
    rcnn = parsed(text, action_faster_rcnn_pb2.ActionFasterRcnn())
    whole = pipeline_pb2.PipelineConfig()
    whole.model.action_faster_rcnn.CopyFrom(rcnn)
    return model_builder.build(whole.model)


def test_first_stage(model):
    assert model.proposal_stage.options == default(
        FirstStageOptions,
        box_predictor_kernel_size=5,
        box_predictor_depth=6,
        minibatch_size=7,
        positive_balance_fraction=0.25,
        matched_threshold=0.75,
        unmatched_threshold=0.125,
        nms_score_threshold=0.0625,
        nms_iou_threshold=0.875,
        nms_implementation=NmsImplementation.SWEEPS,
        max_proposals=8,
        localization_loss_weight=1.5,
        objectness_loss_weight=2.5,
    )
    shapes = {variable.shape for variable in model.proposal_stage.conv.trainable_variables}
    assert (5, 5) in {tuple(shape[:2]) for shape in shapes}
    assert {shape[-1] for shape in shapes} == {6}


def test_second_stage(model):
    assert model.second_stage.options == default(
        SecondStageOptions,
        batch_size=9,
        balance_fraction=0.375,
        matched_threshold=0.625,
        add_groundtruth_boxes=False,
        classification_loss=ClassificationLoss.SIGMOID_FOCAL,
        focal_loss_gamma=1.25,
        focal_loss_alpha=0.625,
        localization_loss_weight=3.5,
        classification_loss_weight=4.5,
    )
    assert model.post_processing == default(
        PostProcessing,
        score_threshold=0.03125,
        iou_threshold=0.5625,
        max_detections_per_class=10,
        max_total_detections=12,
        implementation=NmsImplementation.COMBINED,
    )
    assert model.image_size == (48, 80)
    assert model.proposal_stage.anchor_generator.stride == (16, 16)


def test_tx_head(model):
    head = model.box_predictor
    assert head.options == default(
        TxOptions,
        num_layers=2,
        num_heads=3,
        depth=11,
        dropout=0.125,
        query=Query.LOW_RES,
        query_reduction_depth=13,
        feed_forward_depth=17,
        temporal_pooling=TemporalPooling.MAX,
    )
    assert head.num_classes == model.num_classes == 5
    assert head.output_layers.hide.units == 21
    assert head.roi_pool.alignment is RoiAlignment.ALIGNED
    assert model.central_frame is CentralFrame.NEAREST_TO_KEYFRAME


@pytest.mark.parametrize("depth", [None, 8, 24])
def test_depth_of_the_location_embedding(depth):
    """The embedding adds twice its depth in channels to the features."""
    text = "" if depth is None else f"location_embedding {{ depth: {depth} }} "
    head = box_predictor_builder.build(
        parsed(
            f"{LEAN} {text} second_stage_box_predictor {{ {TX} }}",
            action_faster_rcnn_pb2.ActionFasterRcnn(),
        ),
        I3D(depth_multiplier=0.0625),
    )
    import tensorflow as tf

    located = head.location_embedding(tf.zeros([1, 2, 3, 4, 7]), 1)
    assert located.shape == (1, 2, 3, 4, 7 + 2 * (32 if depth is None else depth))


def test_roi_pool_sizes():
    head = box_predictor_builder.build(
        parsed(
            f"{LEAN} initial_crop_size: 9 maxpool_kernel_size: 3 maxpool_stride: 2 "
            f"second_stage_box_predictor {{ tx_i3d_box_predictor {{ tx {{ num_layers: 1 }} "
            "i3d { dropout: 0.25 temporal_pooling: MAX } } }",
            action_faster_rcnn_pb2.ActionFasterRcnn(),
        ),
        I3D(depth_multiplier=0.0625),
    )
    for pool in (head.tx.roi_pool, head.i3d.st_roi_pool.roi_pool):
        assert (pool.crop_size, pool.pool_size, pool.pool_stride, pool.output_size) == (9, 3, 2, 4)
    assert head.i3d.dropout.rate == 0.25
    assert head.i3d.temporal_pooling is TemporalPooling.MAX
    assert head.i3d.output_layers.hide is None


RATE = "learning_rate { constant_learning_rate { learning_rate: 0.375 } }"


def test_constant_learning_rate():
    momentum = parsed(
        f"momentum_optimizer {{ momentum_optimizer_value: 0.625 {RATE} }}",
        optimizer_pb2.Optimizer(),
    )
    assert optimizer_builder.build(momentum, 70) == default(
        OptimizerOptions,
        kind="momentum",
        momentum=0.625,
        learning_rate=default(
            LearningRateOptions, kind="constant", learning_rate_base=0.375, total_steps=70
        ),
    )
    adam = parsed(f"adam_optimizer {{ epsilon: 0.125 {RATE} }}", optimizer_pb2.Optimizer())
    assert optimizer_builder.build(adam, 70) == default(
        OptimizerOptions,
        kind="adam",
        epsilon=0.125,
        learning_rate=default(
            LearningRateOptions, kind="constant", learning_rate_base=0.375, total_steps=70
        ),
    )


@pytest.mark.parametrize("total, expected", [("total_steps: 60", 60), ("", 70)])
def test_cosine_learning_rate(total, expected):
    rate = parsed(
        "cosine_decay_learning_rate { learning_rate_base: 0.5 warmup_learning_rate: 0.125 "
        f"warmup_steps: 20 {total} }}",
        optimizer_pb2.LearningRate(),
    )
    assert optimizer_builder.build_learning_rate(rate, 70) == default(
        LearningRateOptions,
        kind="cosine_decay",
        learning_rate_base=0.5,
        total_steps=expected,
        warmup_learning_rate=0.125,
        warmup_steps=20,
    )


def test_manual_learning_rate():
    rate = parsed(
        "manual_step_learning_rate { initial_learning_rate: 0.5 schedule { step: 3 "
        "learning_rate: 0.25 } schedule { step: 9 learning_rate: 0.75 } }",
        optimizer_pb2.LearningRate(),
    )
    assert optimizer_builder.build_learning_rate(rate, 70) == default(
        LearningRateOptions,
        kind="manual_step",
        learning_rate_base=0.5,
        total_steps=70,
        manual_steps=((3, 0.25), (9, 0.75)),
    )


def test_every_train_option():
    train = parsed(
        f"""batch_size: 6 gradient_accumulation_steps: 3 num_steps: 70
        optimizer {{ use_moving_average: true moving_average_decay: 0.75
                     adam_optimizer {{ {RATE} }} }}
        gradient_clipping_by_norm: 1.5 weight_decay: 0.125
        fine_tune_checkpoint: "a" fine_tune_flow_checkpoint: "b"
        fine_tune_checkpoint_type: "detection" precision: FLOAT16
        checkpoint_interval: 11 max_checkpoints_to_keep: 12 summary_interval: 13
        max_loss: 14.5 seed: 15 jit_compile_update: true""",
        train_pb2.TrainConfig(),
    )
    assert training_builder.build_train_options(train) == default(
        TrainOptions,
        batch_size=6,
        num_steps=70,
        optimizer=optimizer_builder.build(train.optimizer, 70),
        gradient_clipping_by_norm=1.5,
        gradient_accumulation_steps=3,
        moving_average_decay=0.75,
        weight_decay=0.125,
        precision="float16",
        seed=15,
        fine_tune_checkpoint="a",
        fine_tune_flow_checkpoint="b",
        fine_tune_checkpoint_type="detection",
        checkpoint_interval=11,
        checkpoints_to_keep=12,
        summary_interval=13,
        max_loss=14.5,
        jit_compile_update=True,
    )
    train.optimizer.use_moving_average = False
    assert training_builder.build_train_options(train).moving_average_decay == 0


def test_every_eval_option():
    evaluation = parsed(
        'batch_size: 3 protocol: "AVA_2018" iou_threshold: 0.75 groundtruth_path: "g" '
        'excluded_timestamps_path: "e" eval_interval: 4 best_checkpoint_metric: "person_AP" '
        'metrics_set: "action_agnostic_localization" num_visualizations: 5',
        eval_pb2.EvalConfig(),
    )
    assert training_builder.build_eval_options(evaluation, 70, "top_1") == default(
        EvalOptions,
        batch_size=3,
        interval=4,
        protocol="AVA_2018",
        iou_threshold=0.75,
        groundtruth_path="g",
        excluded_timestamps_path="e",
        metrics_set=("action_agnostic_localization",),
        best_checkpoint_metric="person_AP",
        num_visualizations=5,
    )
    unset = training_builder.build_eval_options(eval_pb2.EvalConfig(), 70, "top_1")
    assert (unset.interval, unset.best_checkpoint_metric) == (70, "top_1")
    assert unset.metrics_set == ("ava_frame_map", "action_agnostic_localization")
    assert unset.num_visualizations == 4


def test_every_input_option():
    options = input_reader_builder.build_options(
        parsed(
            'label_map_path: "m" tf_record_input_reader { input_path: ["a", "b"] } shuffle: false '
            "shuffle_buffer_size: 3 num_readers: 2",
            input_reader_pb2.InputReader(),
        ),
        parsed("num_classes: 5", action_faster_rcnn_pb2.ActionFasterRcnn()),
        parsed("max_number_of_boxes: 9 seed: 7", train_pb2.TrainConfig()),
    )
    assert options == default(
        InputOptions,
        input_paths=("a", "b"),
        num_classes=5,
        label_map_path="m",
        max_boxes=9,
        shuffle=False,
        shuffle_buffer_size=3,
        num_readers=2,
        seed=7,
    )


@pytest.mark.parametrize("trunk, channels", [("i3d {}", 3), ("two_stream {}", 5)])
def test_every_number_of_a_clip_s_shape(trunk, channels):
    shape = input_reader_builder.build_clip_shape(
        parsed(
            "clip { num_frames: 6 frame_rate: 7.5 } image_resizer { fixed_shape_resizer { "
            f"height: 48 width: 80 }} }} trunk {{ {trunk} }}",
            action_faster_rcnn_pb2.ActionFasterRcnn(),
        )
    )
    assert shape == ClipShape(6, 7.5, 48, 80, channels)


def test_every_number_of_an_augmentation():
    train = parsed(
        """data_augmentation_options { random_color {
             max_brightness_delta: 0.5 contrast: 0.25 saturation: 0.125 } }
           data_augmentation_options { random_crop_image {
             min_aspect_ratio: 0.5 max_aspect_ratio: 1.5 min_area: 0.25 max_area: 0.75
             overlap_threshold: 0.375 random_coef: 0.125 } }
           data_augmentation_options { random_horizontal_flip { probability: 0.25 } }""",
        train_pb2.TrainConfig(),
    )
    assert input_reader_builder.build_augmentations(train) == (
        default(RandomColor, max_brightness_delta=0.5, contrast=0.25, saturation=0.125),
        default(RandomCropImage, 0.5, 1.5, 0.25, 0.75, overlap_threshold=0.375, random_coef=0.125),
        default(RandomHorizontalFlip, 0.25),
    )


def test_defaults_of_an_augmentation():
    """What a config that names one and no more gets."""

    def build(text):
        return preprocessor_builder.build(parsed(text, preprocessor_pb2.PreprocessingStep()))

    assert build("random_horizontal_flip {}").probability == 0.5
    crop = build("random_crop_image {}")
    numbers = (crop.min_aspect_ratio, crop.max_aspect_ratio, crop.min_area, crop.max_area)
    assert numbers == pytest.approx((0.75, 1.33, 0.4, 1.0))
    assert (crop.overlap_threshold, crop.random_coef) == (0.5, 0.0)
    color = build("random_color {}")
    found = (color.max_brightness_delta, color.contrast, color.saturation)
    assert found == pytest.approx((0.125, 0.2, 0.2))
