"""Every head as a SavedModel: the I3D head has no attention, Tx + I3D has Tx's."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from avatx import config as pipeline_config
from avatx.builders import model_builder
from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.errors import UserError
from avatx.export import exporter
from avatx.inference.detector import Detector

TX = "num_layers: 2 num_heads: 2 depth: 8 query_reduction_depth: 8 feed_forward_depth: 16"
HEADS = {
    "i3d": "i3d_box_predictor {}",
    "tx_i3d": f"tx_i3d_box_predictor {{ tx {{ {TX} }} i3d {{}} }}",
}
DETECTOR = "model.action_faster_rcnn."


def trained(head, folder):
    """Writes pipeline.config and a checkpoint to `folder`, returns the model."""
    write_label_map(folder / "labels.pbtxt", LabelMap({1: "stand", 2: "walk"}))
    config = pipeline_config.load(
        "configs/playground/demo.config",
        [
            f"train_input_reader.label_map_path={folder / 'labels.pbtxt'}",
            DETECTOR + "num_classes=2",
            DETECTOR + "image_resizer.fixed_shape_resizer.height=48",
            DETECTOR + "image_resizer.fixed_shape_resizer.width=64",
            DETECTOR + "trunk.i3d.depth_multiplier=0.05",
            DETECTOR + "first_stage_max_proposals=8",
            # Untrained scores above the config's threshold.
            DETECTOR + "second_stage_class_prediction_bias_init=0",
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


def assert_equal_to_memory(found, model):
    expected = model.postprocess(model.predict(model.preprocess(tf.constant(clips()))))
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
