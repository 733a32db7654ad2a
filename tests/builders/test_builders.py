"""Builders: a text proto in, the object with these values out."""

import json
import pathlib
import subprocess
import sys

import pytest
from default_options import default
from google.protobuf import text_format

from avatx import config
from avatx.builders import (
    anchor_generator_builder,
    box_predictor_builder,
    input_reader_builder,
    label_map_builder,
    model_builder,
    optimizer_builder,
    preprocessor_builder,
    training_builder,
    trunk_builder,
)
from avatx.data.input import augmentation
from avatx.errors import UserError
from avatx.meta_architectures.action_faster_rcnn import ProposalSource
from avatx.predictors.tx import Query
from avatx.protos import (
    action_faster_rcnn_pb2,
    anchor_generator_pb2,
    eval_pb2,
    input_reader_pb2,
    optimizer_pb2,
    pipeline_pb2,
    preprocessor_pb2,
    train_pb2,
    trunk_pb2,
)
from avatx.trunks.i3d import I3D

ROOT = pathlib.Path(__file__).parents[2]
PLAYGROUND = str(ROOT / "configs/playground/demo.config")


def parsed(text, message):
    return text_format.Parse(text, message)


def test_the_paper_config_is_the_paper():
    loaded = config.load(str(ROOT / "configs/ava/tx_highres_r300.config"))
    frcnn, train = loaded.model.action_faster_rcnn, loaded.train_config
    clip = input_reader_builder.build_clip_shape(frcnn)
    assert (clip.num_frames, clip.height, clip.width) == (64, 400, 400)
    assert frcnn.first_stage_max_proposals == 300
    options = training_builder.build_train_options(train)
    rate = options.optimizer.learning_rate
    assert (options.batch_size, options.num_steps) == (30, 500000)
    assert (options.optimizer.kind, rate.kind) == ("momentum", "cosine_decay")
    assert (rate.learning_rate_base, rate.total_steps) == (pytest.approx(0.1), 500000)
    assert (rate.warmup_learning_rate, rate.warmup_steps) == (pytest.approx(0.01), 1000)


def test_anchor_generator():
    generator = anchor_generator_builder.build(
        parsed(
            "grid_anchor_generator { height: 64 width: 32 width_stride: 8 height_offset: 4 "
            "scales: [0.5, 1] aspect_ratios: [0.5, 1, 2] }",
            anchor_generator_pb2.AnchorGenerator(),
        ),
        output_stride=(16, 16),
    )
    assert generator.base_size == (64, 32)
    assert generator.stride == (16, 8)  # the trunk's where none is given
    assert generator.offset == (4, 0)
    assert generator.anchors_per_cell == 6


def test_box_predictor():
    predictor = box_predictor_builder.build(
        parsed(
            "num_classes: 7 initial_crop_size: 6 maxpool_kernel_size: 3 maxpool_stride: 3 "
            "location_embedding { depth: 0 } second_stage_class_specific_boxes: true "
            "second_stage_class_prediction_bias_init: -3 "
            "second_stage_box_predictor { tx_box_predictor { num_layers: 1 num_heads: 4 depth: 16 "
            "dropout: 0.5 query: LOW_RES query_reduction_depth: 8 feed_forward_depth: 24 } }",
            action_faster_rcnn_pb2.ActionFasterRcnn(),
        ),
        trunk=I3D(depth_multiplier=0.125),
    )
    options = predictor.options
    assert (options.num_layers, options.num_heads) == (1, 4)
    assert (options.depth, options.dropout) == (16, 0.5)
    assert (options.query, options.query_reduction_depth) == (Query.LOW_RES, 8)
    assert options.feed_forward_depth == 24
    assert (predictor.num_classes, predictor.boxes_per_proposal) == (7, 7)
    assert predictor.class_prediction_bias_init == -3
    assert predictor.location_embedding is None
    assert (predictor.roi_pool.crop_size, predictor.roi_pool.output_size) == (6, 2)


def test_i3d_box_predictors():
    def build(head, trunk=I3D("Mixed_5b", depth_multiplier=0.125)):
        text = (
            "num_classes: 7 initial_crop_size: 6 maxpool_kernel_size: 3 maxpool_stride: 3 "
            f"second_stage_class_specific_boxes: true second_stage_box_predictor {{ {head} }}"
        )
        return box_predictor_builder.build(
            parsed(text, action_faster_rcnn_pb2.ActionFasterRcnn()), trunk
        )

    predictor = build("i3d_box_predictor { dropout: 0.25 }")
    assert predictor.dropout.rate == 0.25
    assert (predictor.num_classes, predictor.boxes_per_proposal) == (7, 7)
    roi_pool = predictor.st_roi_pool.roi_pool
    assert (roi_pool.crop_size, roi_pool.output_size) == (6, 2)
    assert predictor.tail.child_names == ("Mixed_5c",)
    both = build("tx_i3d_box_predictor { tx { num_layers: 1 } i3d { dropout: 0.5 } }")
    assert (both.tx.options.num_layers, both.i3d.dropout.rate) == (1, 0.5)
    assert (both.num_classes, both.boxes_per_proposal) == (7, 7)
    with pytest.raises(UserError, match="leaves no Inception blocks for a head's tail"):
        build("i3d_box_predictor {}", I3D("Mixed_5c", depth_multiplier=0.125))


def test_model_passes_every_threshold_on():
    loaded = config.load(
        PLAYGROUND,
        [
            "model.action_faster_rcnn.proposal_source=GROUNDTRUTH",
            "model.action_faster_rcnn.first_stage_nms_iou_threshold=0.25",
            "model.action_faster_rcnn.second_stage_matched_threshold=0.75",
        ],
    )
    model = model_builder.build(loaded.model)
    assert model.proposal_source is ProposalSource.GROUNDTRUTH
    assert model.image_size == (128, 160)
    assert model.proposal_stage.options.nms_iou_threshold == 0.25
    assert model.second_stage.options.matched_threshold == 0.75
    assert model.post_processing.max_total_detections == 50


@pytest.mark.parametrize(
    "text, kind, rate",
    [
        (
            "momentum_optimizer { momentum_optimizer_value: 0.5 learning_rate { "
            "constant_learning_rate { learning_rate: 0.25 } } }",
            "momentum",
            ("constant", 0.25),
        ),
        (
            "adam_optimizer { learning_rate { cosine_decay_learning_rate { learning_rate_base: 0.5 "
            "} } }",
            "adam",
            ("cosine_decay", 0.5),
        ),
        (
            "adam_optimizer { learning_rate { manual_step_learning_rate { initial_learning_rate: 2 "
            "schedule { step: 5 learning_rate: 1 } } } }",
            "adam",
            ("manual_step", 2.0),
        ),
    ],
)
def test_optimizer(text, kind, rate):
    options = optimizer_builder.build(parsed(text, optimizer_pb2.Optimizer()), num_steps=300)
    assert options.kind == kind
    assert (options.learning_rate.kind, options.learning_rate.learning_rate_base) == rate
    if kind == "momentum":
        assert options.momentum == 0.5
    if rate[0] == "cosine_decay":
        assert options.learning_rate.total_steps == 300  # the training's where none is given
    if rate[0] == "manual_step":
        assert options.learning_rate.manual_steps == ((5, 1.0),)


def test_preprocessing_steps():
    def build(text):
        return preprocessor_builder.build(parsed(text, preprocessor_pb2.PreprocessingStep()))

    assert build("random_horizontal_flip { probability: 0.25 }") == (
        default(augmentation.RandomHorizontalFlip, probability=0.25)
    )
    assert build("random_crop_image { min_area: 0.5 overlap_threshold: 0.25 }").min_area == 0.5
    assert build("random_color { contrast: 0.5 }").contrast == 0.5


def test_input_reader():
    options = input_reader_builder.build_options(
        parsed(
            'label_map_path: "m" tf_record_input_reader { input_path: ["a", "b"] } shuffle: false '
            "shuffle_buffer_size: 3 num_readers: 2 open_segments: 5 num_parallel_decodes: 7 "
            "drop_keyframes_without_people: true",
            input_reader_pb2.InputReader(),
        ),
        parsed("num_classes: 5", action_faster_rcnn_pb2.ActionFasterRcnn()),
        parsed("max_number_of_boxes: 9 seed: 4", train_pb2.TrainConfig()),
    )
    assert (options.input_paths, options.label_map_path) == (("a", "b"), "m")
    assert (options.num_classes, options.max_boxes, options.seed) == (5, 9, 4)
    assert (options.shuffle, options.shuffle_buffer_size, options.num_readers) == (False, 3, 2)
    assert (options.open_segments, options.num_parallel_decodes) == (5, 7)
    assert options.drop_keyframes_without_people


def test_training_options():
    train = training_builder.build_train_options(
        parsed(
            "batch_size: 6 gradient_accumulation_steps: 3 num_steps: 10 precision: BFLOAT16 "
            "optimizer { use_moving_average: true moving_average_decay: 0.5 adam_optimizer { "
            "learning_rate { constant_learning_rate {} } } } max_checkpoints_to_keep: 2",
            train_pb2.TrainConfig(),
        )
    )
    assert (train.batch_size, train.gradient_accumulation_steps) == (6, 3)
    assert (train.precision, train.moving_average_decay) == ("bfloat16", 0.5)
    assert train.checkpoints_to_keep == 2
    evaluation = training_builder.build_eval_options(
        parsed('protocol: "AVA_2018" batch_size: 3', eval_pb2.EvalConfig()), num_steps=10
    )
    assert (evaluation.protocol, evaluation.batch_size, evaluation.interval) == ("AVA_2018", 3, 10)


@pytest.mark.parametrize("mode", ["FROZEN", "TRAINED", "SYNC"])
def test_trunk(mode):
    trunk = trunk_builder.build(
        parsed(
            "i3d { depth_multiplier: 0.125 separable: true } batch_norm_momentum: 0.5 "
            f"batch_norm: {mode}",
            trunk_pb2.Trunk(),
        )
    )
    assert trunk.depth_multiplier == 0.125
    norm = trunk.Conv3d_1a_7x7.temporal.batch_norm
    assert (norm.mode, norm.momentum) == (mode, 0.5)
    assert trunk.output_stride == (4, 16, 16)


def test_forms_of_a_trunk():
    """How it is computed, and in which form each part is told so."""
    trunk = trunk_builder.build(
        parsed(
            'i3d { depth_multiplier: 0.125 max_pool: "AXIS_MAXIMA" stem_as_blocks: true '
            "joint_1x1: true recompute: true jit_compile: true }",
            trunk_pb2.Trunk(),
        )
    )
    assert trunk.recompute and trunk._compiled is not None
    assert trunk.Conv3d_1a_7x7.as_blocks and not trunk.Conv3d_2c_3x3.as_blocks
    forms = trunk.Mixed_3b._forms
    assert (forms.max_pool, forms.joint_1x1) == ("AXIS_MAXIMA", True)
    assert trunk.Mixed_4f.Branch_3._forms == forms


def test_an_unknown_endpoint_is_named():
    with pytest.raises(UserError, match="Mixed_9z"):
        trunk_builder.build(parsed('i3d { final_endpoint: "Mixed_9z" }', trunk_pb2.Trunk()))


def test_label_map_beyond_num_classes(tmp_path):
    (tmp_path / "map.pbtxt").write_text('item { name: "x" id: 9 }')
    loaded = pipeline_pb2.PipelineConfig()
    loaded.model.action_faster_rcnn.num_classes = 8
    loaded.eval_input_reader.label_map_path = str(tmp_path / "map.pbtxt")
    with pytest.raises(UserError, match="largest class id is 9 and model num_classes is 8"):
        label_map_builder.build_scored(loaded)


def test_the_readers_must_number_their_classes_alike(tmp_path):
    loaded = pipeline_pb2.PipelineConfig()
    loaded.model.action_faster_rcnn.num_classes = 2
    for reader, names in (("train", "xy"), ("eval", "yx")):
        path = tmp_path / f"{reader}.pbtxt"
        path.write_text("".join(f'item {{ name: "{n}" id: {i} }}' for i, n in enumerate(names, 1)))
        getattr(loaded, f"{reader}_input_reader").label_map_path = str(path)
    with pytest.raises(UserError, match=r"train\.pbtxt calls class 1 'x' and .*eval\.pbtxt 'y'"):
        label_map_builder.build_scored(loaded)
    (tmp_path / "train.pbtxt").unlink()  # an evaluation elsewhere may do without
    assert label_map_builder.build_scored(loaded).names == {1: "y", 2: "x"}


def test_check_config_prints_json_alone(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools/check_config.py"),
            "--json",
            "--pipeline_config_path",
            PLAYGROUND,
            "--override",
            "train_config.batch_size=4",
            "train_config.num_steps=500",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,  # where `make demo` has left no data
    )
    found = json.loads(done.stdout)
    parts = found["parameters"]
    assert parts["total"] == parts["trunk"] + parts["rpn"] + parts["box_predictor"]
    assert parts["moving_statistics"]["total"] == parts["moving_statistics"]["trunk"] > 0
    assert found["shapes"]["features"] == [2, 16, 20, 120]
    assert found["batch"]["global"] == 4
    assert found["schedule"]["num_steps"] == 500
    assert "val-" in found["missing_files"][-1]["path"]  # not there, and no error
