"""Both parts of Tx + I3D are told whether they train."""

import numpy as np
import tensorflow as tf
from default_options import default
from feature_maps import feature_map
from small_tail import small_tail

from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors import box_predictor, i3d, tx, tx_i3d

BOXES = tf.constant([[[0.1, 0.2, 0.8, 0.7], [0.0, 0.0, 1.0, 1.0]]])
FEATURES = feature_map(
    tf.constant(np.random.default_rng(0).normal(size=[1, 4, 6, 5, 10]), tf.float32)
)


def test_dropout_of_the_one_and_batch_norm_of_the_other():
    options = default(
        tx.TxOptions,
        num_layers=1,
        num_heads=1,
        depth=8,
        dropout=0.5,
        query=tx.Query.LOW_RES,
        query_reduction_depth=6,
        feed_forward_depth=12,
    )
    both = tx_i3d.TxI3DBoxPredictor(
        tx.TxBoxPredictor(5, options, default(RoiPool), outputs=box_predictor.Outputs.CLASS_LOGITS),
        i3d.I3DBoxPredictor(
            5,
            small_tail("TRAINED"),
            0.0,
            default(StRoiPool),
            outputs=box_predictor.Outputs.BOX_ENCODINGS,
        ),
    )
    calm = both(FEATURES, BOXES)
    statistics = [v.numpy() for v in both.tail.non_trainable_variables]
    np.testing.assert_array_equal(both(FEATURES, BOXES).class_logits, calm.class_logits)
    for before, after in zip(statistics, both.tail.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(before, after)
    trained = both(FEATURES, BOXES, training=True)
    assert np.abs(trained.class_logits - calm.class_logits).max() > 1e-6
    for before, after in zip(statistics, both.tail.non_trainable_variables, strict=True):
        assert np.abs(before - after).max() > 0
