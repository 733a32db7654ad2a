"""Every head as a SavedModel and as ONNX: the I3D head has no attention, Tx + I3D has Tx's."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from same_detections import same_detections

from avatx import config as pipeline_config
from avatx.builders import model_builder
from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.errors import UserError
from avatx.export import exporter, saved_model
from avatx.inference.detector import Detector
from avatx.layers.roi_pool import RoiAlignment

TX = "num_layers: 2 num_heads: 2 depth: 8 query_reduction_depth: 8 feed_forward_depth: 16"
HEADS = {
    "tx": f"tx_box_predictor {{ {TX} }}",
    "i3d": "i3d_box_predictor {}",
    "tx_i3d": f"tx_i3d_box_predictor {{ tx {{ {TX} }} i3d {{}} }}",
}
DETECTOR = "model.action_faster_rcnn."


def trained(head, folder, *overrides):
    """Writes pipeline.config and a checkpoint to `folder`, returns the model."""
    write_label_map(folder / "labels.pbtxt", LabelMap({1: "stand", 2: "walk"}))
    config = pipeline_config.load(
        "configs/playground/demo.config",
        [
            *(  # of both: the config's own is there after `make demo`
                f"{side}_input_reader.label_map_path={folder / 'labels.pbtxt'}"
                for side in ("train", "eval")
            ),
            DETECTOR + "num_classes=2",
            DETECTOR + "image_resizer.fixed_shape_resizer.height=48",
            DETECTOR + "image_resizer.fixed_shape_resizer.width=64",
            DETECTOR + "trunk.i3d.depth_multiplier=0.05",
            DETECTOR + "trunk.i3d.final_endpoint=Mixed_4f",
            DETECTOR + "first_stage_max_proposals=8",
            # Untrained scores above the config's threshold.
            DETECTOR + "second_stage_class_prediction_bias_init=0",
            *overrides,
        ],
    )
    predictor = config.model.action_faster_rcnn.second_stage_box_predictor
    predictor.Clear()
    text_format.Parse(HEADS[head], predictor)
    pipeline_config.write(config, str(folder / "pipeline.config"))
    model = model_builder.build(config.model)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(generator.normal(0, 0.03, variable.shape))  # far from ties
    tf.train.Checkpoint(model=model, global_step=tf.Variable(7, dtype=tf.int64)).save(
        str(folder / "ckpt")
    )
    return model


def export(folder, **options):
    output = folder / "export"
    exporter.export_pipeline(str(folder / "pipeline.config"), str(folder), str(output), **options)
    return Detector(str(output))


def clips():
    return np.random.default_rng(1).integers(0, 256, [2, 8, 50, 70, 3], np.uint8)


def assert_equal_to_memory(found, model, given=None):
    given = clips() if given is None else given
    expected = model.postprocess(model.predict(model.preprocess(tf.constant(given))))
    for clip, detections in enumerate(found):
        count = int(expected.num_detections[clip])
        assert count == len(detections.scores) > 0
        np.testing.assert_allclose(detections.scores, expected.scores[clip, :count], atol=1e-5)
        np.testing.assert_allclose(detections.boxes, expected.boxes[clip, :count], atol=1e-5)


def test_i3d_head(tmp_path, monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)
    model = trained("i3d", tmp_path)
    with pytest.raises(UserError, match="no attention to export.*tx_i3d_box_predictor"):
        export(tmp_path, attention=True)
    assert not (tmp_path / "export").exists()
    detector = export(tmp_path)
    assert_equal_to_memory(detector.detect(clips()), model)
    assert not detector.has_attention
    with pytest.raises(UserError, match="without attention.*i3d_box_predictor has none"):
        detector.detect_with_attention(clips())


def test_crops_anchors_and_central_frame_where_cells_look(tmp_path, monkeypatch, pytestconfig):
    """An export places them by the size of the clip that it is given, as the model does."""
    monkeypatch.chdir(pytestconfig.rootpath)
    placement = "first_stage_anchor_generator.grid_anchor_generator.placement"
    fields = {
        "roi_alignment": "ALIGNED",
        "central_frame": "NEAREST_TO_KEYFRAME",
        placement: "WHERE_CELLS_LOOK",
    }
    overrides = [f"{DETECTOR}{key}={value}" for key, value in fields.items()]
    overrides.append(DETECTOR + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3")
    model = trained("tx", tmp_path, *overrides)
    detector = export(tmp_path)
    for frames in (8, 13):
        given = np.random.default_rng(frames).integers(0, 256, [2, frames, 50, 70, 3], np.uint8)
        found = detector.detect(given)
        assert_equal_to_memory(found, model, given)
    # Each of the three counts: without it the model says something else.
    text = (tmp_path / "pipeline.config").read_text()
    for field, value in fields.items():
        assert text.count(f"{field.rpartition('.')[2]}: {value}\n") == 1
    positions = model.trunk.cell_positions((13, 48, 64))
    assert positions.size.numpy().tolist() == [13, 48, 64]
    model.box_predictor.roi_pool.alignment = RoiAlignment.OBJECT_DETECTION_API
    other = model.postprocess(model.predict(model.preprocess(tf.constant(given))))
    assert np.abs(other.scores[0, :1] - found[0].scores[:1]).max() > 1e-4


# A two-stream model's export, in the quick tests, has the same head.
@pytest.mark.long
def test_tx_i3d_head(tmp_path, monkeypatch, pytestconfig):
    monkeypatch.chdir(pytestconfig.rootpath)
    model = trained("tx_i3d", tmp_path)
    detector = export(tmp_path, attention=True)
    found = detector.detect_with_attention(clips())
    assert_equal_to_memory([detections for detections, _ in found], model)
    for detections, attention in found:
        assert attention.maps.shape == (len(detections.scores), 2, 2, 2, 3, 4)
        np.testing.assert_allclose(attention.maps.sum(axis=(3, 4, 5)), 1, atol=1e-4)
        # I3D's cells look at frame 4 i + 3 and pixel 16 i + 15 of 48 rows and 64 columns.
        assert [part.tolist() for part in attention.cells] == [
            [3, 15, 15],
            [4, 16, 16],
            [8, 48, 64],
        ]


WHERE_CELLS_LOOK = (
    DETECTOR + "roi_alignment=ALIGNED",
    DETECTOR + "first_stage_anchor_generator.grid_anchor_generator.placement=WHERE_CELLS_LOOK",
    # Behind strides of two their sizes are odd, and a window of an odd size lies elsewhere.
    DETECTOR + "image_resizer.fixed_shape_resizer.height=52",
    DETECTOR + "image_resizer.fixed_shape_resizer.width=90",
)
MANY = (  # of two clips more regions than the head takes at a time
    DETECTOR + "first_stage_max_proposals=40",
    DETECTOR + "first_stage_nms_iou_threshold=0.95",
)
AS_WIDE_AS_A_CROP = (
    DETECTOR + "roi_alignment=OBJECT_DETECTION_API",
    DETECTOR + "trunk.i3d.final_endpoint=MaxPool3d_3a_3x3",
    DETECTOR + "image_resizer.fixed_shape_resizer.width=104",
)
CLASS_SPECIFIC = (DETECTOR + "second_stage_class_specific_boxes=true",)


@pytest.mark.parametrize(
    "head, overrides",
    [
        ("tx", WHERE_CELLS_LOOK),
        # The features have as many columns as a crop, with two more and with one more.
        ("tx", (*WHERE_CELLS_LOOK, DETECTOR + "trunk.i3d.final_endpoint=Mixed_3c")),
        ("tx", AS_WIDE_AS_A_CROP),
        ("i3d", MANY),
        pytest.param("tx", CLASS_SPECIFIC, marks=pytest.mark.long),
        pytest.param("tx_i3d", (DETECTOR + "proposal_source=EXTERNAL",), marks=pytest.mark.long),
    ],
)
def test_as_onnx_at_other_lengths(head, overrides, tmp_path, monkeypatch, pytestconfig):
    for name in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(name, reason='needs pip install "avatx[onnx]"')
    import onnxruntime

    monkeypatch.chdir(pytestconfig.rootpath)
    model = trained(head, tmp_path, *overrides)
    arguments = (str(tmp_path / "pipeline.config"), str(tmp_path), str(tmp_path / "onnx"))
    exporter.export_pipeline(*arguments, file_format="onnx")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    serve = saved_model.serving_function(model)
    generator = np.random.default_rng(2)
    # 8 frames are the config's; of 5 and 13 some layer sees an odd number.
    for batch, frames in ((1, 8), (2, 5), (1, 13)):
        given = {"clips": generator.integers(0, 256, [batch, frames, 50, 70, 3], np.uint8)}
        if len(session.get_inputs()) > 1:
            corners = np.sort(generator.random([batch, 5, 2, 2], np.float32), axis=2)
            given["person_boxes"] = corners.reshape(batch, 5, 4)
        expected = serve(*map(tf.constant, given.values()))
        found = dict(zip(names, session.run(None, given), strict=True))
        same_detections(found, {name: value.numpy() for name, value in expected.items()})
