import re

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from feature_maps import feature_map
from small_tail import small_tail

from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors.box_predictor import Outputs
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.predictors.tx import TxBoxPredictor, TxOptions
from avatx.predictors.tx_i3d import TxI3DBoxPredictor

SMALL = default(TxOptions, 2, 2, 8, query_reduction_depth=6, feed_forward_depth=12)
BOXES = tf.constant([[[0.1, 0.2, 0.8, 0.7], [0.0, 0.0, 1.0, 1.0]]])
FEATURES = feature_map(
    tf.constant(np.random.default_rng(0).normal(size=[1, 4, 6, 5, 10]), tf.float32)
)


def make(class_specific_boxes=False):
    tx = TxBoxPredictor(
        5,
        SMALL,
        default(RoiPool),
        LocationEmbedding(4),
        outputs=Outputs.CLASS_LOGITS,
        name="tx",
    )
    i3d = I3DBoxPredictor(
        5,
        small_tail(),
        dropout=0.0,
        st_roi_pool=default(StRoiPool),
        class_specific_boxes=class_specific_boxes,
        outputs=Outputs.BOX_ENCODINGS,
        name="i3d",
    )
    return TxI3DBoxPredictor(tx, i3d)


def test_tx_classifies_and_i3d_refines():
    predictor = make()
    both = predictor(FEATURES, BOXES, attention=True)
    tx = predictor.tx(FEATURES, BOXES, attention=True)
    i3d = predictor.i3d(FEATURES, BOXES)
    assert tx.box_encodings is None and i3d.class_logits is None
    np.testing.assert_array_equal(both.class_logits, tx.class_logits)
    np.testing.assert_array_equal(both.box_encodings, i3d.box_encodings)
    assert both.class_logits.shape == (1, 2, 6) and both.box_encodings.shape == (1, 2, 1, 4)
    assert [m.shape for m in both.attention] == [(1, 2, 2, 4, 6, 5)] * 2
    assert [k.shape for k in predictor.keys(FEATURES)] == [(1, 2, 4, 6, 5, 8)] * 2


def test_no_output_layer_without_a_use():
    predictor = make()
    predictor(FEATURES, BOXES)
    of_output = [v.name for v in predictor.variables if re.search("/(tx|i3d)/output/", v.name)]
    assert len(of_output) == 4
    assert sum("tx/output/class_logits" in name for name in of_output) == 2
    assert sum("i3d/output/box_encodings" in name for name in of_output) == 2


def test_a_box_for_each_class():
    predictor = make(class_specific_boxes=True)
    assert predictor.boxes_per_proposal == 5
    assert predictor(FEATURES, BOXES).box_encodings.shape == (1, 2, 5, 4)


def test_the_tail_is_found_and_kept_once():
    predictor = make()
    predictor(FEATURES, BOXES)
    assert predictor.tail is predictor.i3d.tail
    names = [id(v) for v in predictor.variables]
    assert len(names) == len(set(names))


def test_parts_that_both_classify_are_refused():
    with pytest.raises(ValueError, match="CLASS_LOGITS"):
        TxI3DBoxPredictor(TxBoxPredictor(5, SMALL, default(RoiPool)), make().i3d)
