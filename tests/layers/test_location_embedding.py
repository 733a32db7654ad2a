import numpy as np
import tensorflow as tf

from avatx.layers.location_embedding import LocationEmbedding


def embedding_of(layer, frames, height, width):
    """[T', H', W', 2 * depth]: what the layer adds."""
    return layer(tf.zeros([1, frames, height, width, 3]), frames // 2)[0, ..., 3:].numpy()


def test_features_come_first_and_unchanged():
    features = tf.random.normal([2, 4, 3, 5, 7])
    output = LocationEmbedding(6)(features, 2)
    assert output.shape == (2, 4, 3, 5, 7 + 12)
    np.testing.assert_array_equal(output[..., :7], features)


def test_spatial_part_depends_on_place_only_and_temporal_on_time_only():
    embedding = embedding_of(LocationEmbedding(8), 6, 5, 4)
    spatial, temporal = embedding[..., :8], embedding[..., 8:]
    np.testing.assert_array_equal(spatial, np.broadcast_to(spatial[:1], spatial.shape))
    np.testing.assert_array_equal(temporal, np.broadcast_to(temporal[:, :1, :1], temporal.shape))
    assert len(np.unique(spatial[0].reshape(20, 8), axis=0)) == 20
    assert len(np.unique(temporal[:, 0, 0], axis=0)) == 6


def test_more_frames_keep_the_meaning_of_the_central_ones():
    layer = LocationEmbedding(8)
    short, long = embedding_of(layer, 16, 2, 2), embedding_of(layer, 24, 2, 2)
    np.testing.assert_array_equal(long[4:20], short)  # both counted from T' // 2


def test_the_middle_of_the_frame_is_the_same_at_any_resolution():
    layer = LocationEmbedding(8)
    small, large = embedding_of(layer, 2, 3, 3), embedding_of(layer, 2, 9, 5)
    np.testing.assert_allclose(small[:, 1, 1], large[:, 4, 2], atol=1e-6)
    # A cell of a third of the frame has its centre where that of the middle one of its ninths is.
    np.testing.assert_allclose(small[:, 0, 1], large[:, 1, 2], atol=1e-6)


def test_sizes_may_be_unknown_while_the_graph_is_built():
    layer = LocationEmbedding(4)
    run = tf.function(
        lambda features: layer(features, 1),
        input_signature=[tf.TensorSpec([None, None, None, None, 3])],
        autograph=False,
    )
    assert run(tf.zeros([2, 3, 4, 5, 3])).shape == (2, 3, 4, 5, 11)
