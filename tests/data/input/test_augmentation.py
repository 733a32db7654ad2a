"""Boxes follow pixels through flips and crops; the same eagerly and inside tf.data."""

import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.data.input import augmentation
from avatx.data.input.augmentation import (
    RandomColor,
    RandomCropImage,
    RandomHorizontalFlip,
    View,
    identity_view,
    view_boxes,
    whole_pixels,
)
from avatx.data.input.clip_decoding import decode_clip
from avatx.data.input.clip_shape import ClipShape
from avatx.errors import UserError

HEIGHT, WIDTH = 96, 128
BOX = np.float32([0.25, 0.5, 0.625, 0.6875])  # 24..60 of 96, 64..88 of 128
CHAIN = (
    default(RandomHorizontalFlip),
    default(RandomCropImage, min_area=0.5),
    default(RandomHorizontalFlip),
    default(RandomCropImage, min_area=0.5),
)


def frame_with_rectangle(value=255) -> bytes:
    image = np.zeros([HEIGHT, WIDTH, 3], np.uint8)
    image[24:60, 64:88] = value
    return tf.io.encode_jpeg(image, quality=100).numpy()


def show(view: View, encoded=None, size=(HEIGHT, WIDTH)) -> np.ndarray:
    """The only frame of a clip seen through the view."""
    view, pixels = whole_pixels(view, HEIGHT, WIDTH)
    clip = decode_clip(
        tf.constant([encoded or frame_with_rectangle()]),
        tf.constant([0]),
        ClipShape(1, 1.0, *size),
        view,
        pixels,
    )
    return clip[0].numpy()


def seed(number: int) -> tf.Tensor:
    return tf.constant([11, number], tf.int64)


def found_box(frame: np.ndarray) -> np.ndarray:
    """Where the bright rectangle is, yxyx normalised."""
    bright = frame[..., 0] > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    return np.float32(
        [
            rows[0] / frame.shape[0],
            columns[0] / frame.shape[1],
            (rows[-1] + 1) / frame.shape[0],
            (columns[-1] + 1) / frame.shape[1],
        ]
    )


@pytest.mark.parametrize("number", range(12))
def test_boxes_follow_the_pixels(number):
    view = augmentation.augment(CHAIN, BOX[np.newaxis], seed(number))
    view, _ = whole_pixels(view, HEIGHT, WIDTH)
    boxes, keep = view_boxes(view, tf.constant(BOX[np.newaxis]))
    assert keep.numpy().tolist() == [True]  # the crops leave a clip's only person in
    # A pixel of the shown frame and a half, for bilinear edges.
    np.testing.assert_allclose(found_box(show(view)), boxes[0], atol=1.5 / HEIGHT)


def test_chains_seen_above_flip_and_crop():
    views = [augmentation.augment(CHAIN, BOX[np.newaxis], seed(number)) for number in range(12)]
    assert {bool(view.flip) for view in views} == {False, True}
    assert len({view.window.numpy().tobytes() for view in views}) == 12


def test_flip_twice_is_no_flip():
    always = RandomHorizontalFlip(1.0)
    once = augmentation.augment([always], BOX[np.newaxis], seed(0))
    twice = augmentation.augment([always, always], BOX[np.newaxis], seed(0))
    np.testing.assert_array_equal(show(once)[:, ::-1], show(identity_view()))
    np.testing.assert_array_equal(show(twice), show(identity_view()))
    np.testing.assert_allclose(
        view_boxes(once, BOX[np.newaxis])[0], [[0.25, 0.3125, 0.625, 0.5]], atol=1e-6
    )
    np.testing.assert_array_equal(view_boxes(twice, BOX[np.newaxis])[0], BOX[np.newaxis])


def test_flip_happens_as_often_as_asked():
    for probability in (0.0, 0.3, 1.0):
        flips = [
            bool(
                RandomHorizontalFlip(probability)(
                    identity_view(), BOX[np.newaxis], seed(number)
                ).flip
            )
            for number in range(300)
        ]
        assert abs(np.mean(flips) - probability) < 0.09  # 3.4 standard deviations


def test_crops_have_the_area_and_ratio_asked_for():
    crop = default(
        RandomCropImage, min_aspect_ratio=0.5, max_aspect_ratio=2.0, min_area=0.3, max_area=0.9
    )
    nobody = tf.zeros([0, 4])
    windows = np.stack(
        [crop(identity_view(), nobody, seed(number)).window for number in range(200)]
    )
    assert windows.min() >= 0 and windows.max() <= 1 + 1e-6
    height, width = windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]
    assert 0.3 - 1e-5 < (height * width).min() < 0.35
    assert 0.85 < (height * width).max() < 0.9 + 1e-5
    assert 0.5 - 1e-5 <= (width / height).min() < 0.7
    assert 1.4 < (width / height).max() <= 2.0 + 1e-5


def test_random_coef_leaves_the_frame():
    crop = default(RandomCropImage, random_coef=1.0)
    np.testing.assert_array_equal(
        crop(identity_view(), BOX[np.newaxis], seed(0)).window, [0, 0, 1, 1]
    )


def test_boxes_are_clipped_and_those_of_low_overlap_dropped():
    boxes = tf.constant(
        [
            [0.0, 0.0, 0.4, 0.4],  # outside
            [0.4, 0.4, 0.6, 0.6],  # a quarter inside
            [0.6, 0.4, 0.8, 0.6],  # half inside
            [0.6, 0.6, 0.9, 0.9],  # inside
            [0.0, 0.0, 1.0, 1.0],  # a quarter inside
            [0.7, 0.7, 0.7, 0.9],  # without an area
        ]
    )
    for threshold, expected in (
        (0.0, [0, 1, 1, 1, 1, 0]),
        (0.3, [0, 0, 1, 1, 0, 0]),
        (0.6, [0, 0, 0, 1, 0, 0]),
        (1.0, [0, 0, 0, 1, 0, 0]),
    ):
        view = identity_view()._replace(
            window=tf.constant([0.5, 0.5, 1.0, 1.0]), overlap_threshold=tf.constant(threshold)
        )
        shown, keep = view_boxes(view, boxes)
        assert keep.numpy().tolist() == [bool(value) for value in expected]
    np.testing.assert_allclose(
        shown[1:5],
        [[0, 0, 0.2, 0.2], [0.2, 0, 0.6, 0.2], [0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1]],
        atol=1e-6,
    )


def test_a_window_that_loses_everyone_is_not_taken():
    crop = default(RandomCropImage, min_area=0.1, max_area=0.2)
    person = tf.constant([[0.2, 0.2, 0.4, 0.4]])
    taken = 0
    for number in range(60):
        view = crop(identity_view(), person, seed(number))
        assert bool(view_boxes(view, person)[1][0])
        taken += bool(np.any(view.window.numpy() != [0, 0, 1, 1]))
    assert 0 < taken < 60  # others are


def test_nobody_in_the_frame():
    view = augmentation.augment(CHAIN, tf.zeros([0, 4]), seed(1))
    boxes, keep = view_boxes(view, tf.zeros([0, 4]))
    assert boxes.shape == (0, 4) and keep.shape == (0,)
    assert np.all(np.isfinite(view.window))


@pytest.mark.parametrize("chain", [CHAIN, (default(RandomColor),), ()])
def test_eager_equals_tf_data(chain):
    def views(number):
        return augmentation.augment(
            chain, tf.constant(BOX[np.newaxis]), tf.stack([tf.constant(11, tf.int64), number])
        )

    names = [
        name for name in View._fields if getattr(views(tf.constant(0, tf.int64)), name) is not None
    ]
    mapped = tf.data.Dataset.range(4).map(
        lambda number: {name: getattr(views(number), name) for name in names}, num_parallel_calls=2
    )
    for number, inside in enumerate(mapped):
        eager = views(tf.constant(number, tf.int64))
        for name in names:
            np.testing.assert_array_equal(getattr(eager, name), inside[name])


def test_whole_pixels_are_at_least_one():
    view = identity_view()._replace(window=tf.constant([0.999, 0.0, 1.0, 0.001]))
    view, pixels = whole_pixels(view, HEIGHT, WIDTH)
    assert pixels.numpy().tolist() == [95, 0, 1, 1]
    np.testing.assert_allclose(view.window, [95 / 96, 0, 1, 1 / 128], rtol=1e-6)


def test_full_window_and_no_window_show_the_same():
    encoded = frame_with_rectangle()
    uncropped = decode_clip(
        tf.constant([encoded]), tf.constant([0]), ClipShape(1, 1.0, 50, 70), identity_view()
    )
    np.testing.assert_array_equal(uncropped[0], show(identity_view(), encoded, (50, 70)))


def test_colors_change_alike_on_all_frames_and_stay_in_range():
    frames = tf.constant([frame_with_rectangle((200, 100, 50)), frame_with_rectangle(255)])
    shape = ClipShape(2, 1.0, HEIGHT, WIDTH)
    plain = decode_clip(frames, tf.constant([0, 1]), shape, identity_view()).numpy()
    seen = []
    for number in range(4):
        view = default(RandomColor)(identity_view(), BOX[np.newaxis], seed(number))
        shown = decode_clip(frames, tf.constant([0, 1]), shape, view).numpy()
        matrix = view.color.numpy()
        expected = np.clip(np.rint(plain @ matrix[:, :3].T + 255 * matrix[:, 3]), 0, 255)
        np.testing.assert_allclose(shown, expected, atol=1)
        seen.append(matrix.tobytes())
    assert len(set(seen)) == 4


def test_colors_without_a_range_change_nothing():
    view = RandomColor(0.0, 0.0, 0.0)(identity_view(), BOX[np.newaxis], seed(0))
    np.testing.assert_array_equal(show(view), show(identity_view()))


def test_values_out_of_range_are_named():
    for make, expected in (
        (lambda: RandomHorizontalFlip(1.5), "random_horizontal_flip.probability: 1.5"),
        (lambda: default(RandomCropImage, min_area=0.0), "random_crop_image.min_area: 0.0"),
        (
            lambda: default(RandomCropImage, min_area=0.9, max_area=0.5),
            "min_area 0.9 and max_area 0.5",
        ),
        (lambda: default(RandomCropImage, min_aspect_ratio=2.0), "min_aspect_ratio 2.0"),
        (lambda: default(RandomCropImage, random_coef=-1.0), "random_crop_image.random_coef: -1.0"),
        (lambda: default(RandomColor, contrast=2.0), "random_color.contrast: 2.0"),
    ):
        with pytest.raises(UserError, match=expected.replace(".", r"\.")):
            make()
