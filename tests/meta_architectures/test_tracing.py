"""Verbs of a new meta-architecture are traced as they stand: AutoGraph converts none of them."""

import pytest
import tensorflow as tf
import tf_keras

from avatx.meta_architectures.video_model import VideoModel


class Branching(VideoModel):
    """Each verb branches on its argument, which only AutoGraph could trace of a tensor."""

    def preprocess(self, clips):
        return clips if tf.reduce_sum(clips) > 0 else -clips

    create_variables = predict = predict_boxes = keys = loss = postprocess = preprocess


class Derived(Branching):
    pass


@pytest.mark.parametrize("kind", [Branching, Derived])
@pytest.mark.parametrize(
    "verb",
    ["create_variables", "preprocess", "predict", "predict_boxes", "keys", "loss", "postprocess"],
)
def test_no_verb_is_converted(kind, verb):
    model = kind((8, 8), tf_keras.Sequential())
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        tf.function(lambda clips: getattr(model, verb)(clips))(tf.ones([2]))
