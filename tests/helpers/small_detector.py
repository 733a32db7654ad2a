"""A small detector and random clips for the tests here."""

import numpy as np
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.core.anchors import GridAnchorGenerator
from avatx.core.cell_positions import Window
from avatx.core.structures import Groundtruth
from avatx.layers.location_embedding import LocationEmbedding
from avatx.layers.roi_pool import RoiPool
from avatx.meta_architectures.action_faster_rcnn import ActionFasterRCNN
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions, ProposalStage
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions
from avatx.predictors.tx import TxBoxPredictor, TxOptions
from avatx.training.seed import set_random_seed
from avatx.trunks.trunk import Trunk

NUM_CLASSES = 5
IMAGE_SIZE = (64, 80)


class SmallTrunk(Trunk):
    """T/4 x H/16 x W/16 in two convolutions. I3D's own tests are with the trunks."""

    strided_windows = (Window((2, 4, 4), (2, 4, 4)),) * 2
    output_depth = 48

    def __init__(self, depth=48):
        super().__init__()
        self.output_depth = depth
        self.first = _conv(16)
        self.second = _conv(depth)

    def call(self, clips, training=False):
        return self.second(self.first(clips))

    def build_tail(self):
        raise NotImplementedError


def _conv(depth):
    return tf_keras.layers.Conv3D(depth, (2, 4, 4), (2, 4, 4), "same", activation="relu")


def small_model(dropout=0.0, class_specific_boxes=False, seed=0, trunk=None, **kwargs):
    """The real network with a small trunk, few anchors and a narrow head."""
    set_random_seed(seed)
    model = ActionFasterRCNN(
        image_size=IMAGE_SIZE,
        trunk=trunk or SmallTrunk(),
        proposal_stage=ProposalStage(
            default(GridAnchorGenerator, [0.125, 0.25], [0.5, 1.0], offset=(8.0, 8.0)),
            default(FirstStageOptions, box_predictor_depth=32, max_proposals=12, minibatch_size=32),
        ),
        box_predictor=TxBoxPredictor(
            NUM_CLASSES,
            default(TxOptions, 2, 2, 16, dropout, query_reduction_depth=16, feed_forward_depth=32),
            default(RoiPool),
            location_embedding=LocationEmbedding(8),
            class_specific_boxes=class_specific_boxes,
        ),
        second_stage=SecondStage(default(SecondStageOptions, batch_size=16)),
        **{"post_processing": default(PostProcessing), **kwargs},
    )
    model.create_variables()
    return model


def random_batch(count=3, frames=8, seed=0, max_boxes=3):
    """Clips uint8 and groundtruth: max_boxes people in the first clip, one fewer in each next."""
    generator = np.random.default_rng(seed)
    clips = generator.integers(0, 256, [count, frames, 48, 60, 3], np.uint8)
    upper_left = generator.random([count, max_boxes, 2]) * 0.5
    boxes = np.concatenate(
        [upper_left, upper_left + 0.2 + 0.3 * generator.random([count, max_boxes, 2])], axis=-1
    )
    groundtruth = Groundtruth(
        boxes=tf.constant(boxes, tf.float32),
        labels=tf.constant(generator.random([count, max_boxes, NUM_CLASSES]) < 0.5, tf.float32),
        num_boxes=tf.constant([max(max_boxes - i, 0) for i in range(count)], tf.int32),
        sampling_seed=tf.constant(generator.integers(0, 1000, [count, 2]), tf.int32),
    )
    return tf.constant(clips), groundtruth


def clip_of(structure, index):
    """One clip of a batch, as a batch."""
    return tf.nest.map_structure(lambda tensor: tensor[index : index + 1], structure)
