"""Augmentations against numbers worked by hand; every range here is lopsided."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.data.input import augmentation
from avatx.data.input.augmentation import (
    RandomColor,
    RandomCropImage,
    RandomHorizontalFlip,
    identity_view,
    view_boxes,
    whole_pixels,
)
from avatx.errors import UserError

NOBODY = tf.zeros([0, 4])
COUNT = 60


def seed(number: int) -> tf.Tensor:
    return tf.constant([3, number], tf.int64)


def windows(crop, view=None, boxes=NOBODY) -> np.ndarray:
    view = identity_view() if view is None else view
    return np.stack([crop(view, boxes, seed(number)).window for number in range(COUNT)])


def sides(found):
    return found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]


def colors(color, count=COUNT) -> np.ndarray:
    """[count, 3, 4]."""
    return np.stack([color(identity_view(), NOBODY, seed(n)).color for n in range(count)])


@pytest.mark.parametrize("low, high, area", [(2.0, 3.0, 0.2), (0.25, 0.5, 0.2)])
def test_the_aspect_ratio_is_width_over_height(low, high, area):
    crop = default(RandomCropImage, low, high, min_area=area, max_area=area)
    height, width = sides(windows(crop))
    ratio = width / height
    assert low - 1e-4 <= ratio.min() < low + 0.2 * (high - low)
    assert high - 0.2 * (high - low) < ratio.max() <= high + 1e-4
    np.testing.assert_allclose(height * width, area, rtol=1e-4)


def test_the_area_is_between_its_bounds():
    height, width = sides(windows(default(RandomCropImage, 1.0, 1.0, min_area=0.1, max_area=0.3)))
    area = height * width
    assert 0.1 - 1e-5 <= area.min() < 0.12 and 0.28 < area.max() <= 0.3 + 1e-5
    np.testing.assert_allclose(height, width, rtol=1e-4)


def test_an_aspect_ratio_that_does_not_fit_is_not_drawn():
    """Of area 0.5 the ratio is 0.5 to 2, whatever is asked for, and the area is kept."""
    height, width = sides(windows(default(RandomCropImage, 0.1, 10.0, min_area=0.5, max_area=0.5)))
    assert (width / height).min() >= 0.5 - 1e-4 and (width / height).max() <= 2 + 1e-4
    assert (width / height).min() < 0.6 and (width / height).max() > 1.7
    np.testing.assert_allclose(height * width, 0.5, rtol=1e-4)


def test_windows_lie_everywhere_in_the_frame():
    """Down as well as across, and independently."""
    found = windows(default(RandomCropImage, 2.0, 2.0, min_area=0.08, max_area=0.08))  # 0.2 x 0.4
    top, left = found[:, 0], found[:, 1]
    assert top.min() < 0.08 and 0.72 < top.max() <= 0.8 + 1e-5
    assert left.min() < 0.06 and 0.54 < left.max() <= 0.6 + 1e-5
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.5


def test_a_crop_of_a_crop_lies_in_it_and_has_its_share_of_it():
    outer = tf.constant([0.2, 0.5, 0.6, 0.7])  # 0.4 x 0.2
    view = identity_view()._replace(window=outer)
    found = windows(default(RandomCropImage, 2.0, 2.0, min_area=0.5, max_area=0.5), view)
    height, width = sides(found)
    np.testing.assert_allclose(height, 0.4 * 0.5, rtol=1e-4)  # of the view, half as high
    np.testing.assert_allclose(width, 0.2 * 1.0, rtol=1e-4)  # and as wide
    assert found[:, 0].min() >= 0.2 and found[:, 2].max() <= 0.6 + 1e-6
    assert np.ptp(found[:, 0]) > 0.15
    np.testing.assert_allclose(found[:, [1, 3]], np.tile([0.5, 0.7], (COUNT, 1)), atol=1e-6)


def test_the_place_of_a_mirrored_view_is_as_it_is_shown():
    crop = default(RandomCropImage, 1.0, 1.0, min_area=0.25, max_area=0.25)
    plain = windows(crop)
    mirrored = windows(crop, identity_view()._replace(flip=tf.constant(True)))
    np.testing.assert_allclose(mirrored[:, [0, 2]], plain[:, [0, 2]], atol=1e-6)
    np.testing.assert_allclose(mirrored[:, 1], 1 - plain[:, 3], atol=1e-6)
    np.testing.assert_allclose(mirrored[:, 3], 1 - plain[:, 1], atol=1e-6)


def test_the_overlap_threshold_decides_which_windows_are_taken():
    """The strictest of a chain stays; a window that is not taken changes no threshold."""
    person = tf.constant([[0.0, 0.0, 1.0, 1.0]])
    strict = default(RandomCropImage, 1.0, 1.0, 0.25, 0.25, overlap_threshold=0.3)
    lax = default(RandomCropImage, 1.0, 1.0, 0.25, 0.25, overlap_threshold=0.2)
    kept = strict(identity_view(), person, seed(0))
    np.testing.assert_array_equal(kept.window, [0, 0, 1, 1])  # 0.25 of the person is left
    assert float(kept.overlap_threshold) == 0
    taken = lax(identity_view(), person, seed(0))
    assert float(taken.overlap_threshold) == pytest.approx(0.2)
    assert taken.window.numpy()[2] - taken.window.numpy()[0] == pytest.approx(0.5)
    before = identity_view()._replace(overlap_threshold=tf.constant(0.22))
    assert float(lax(before, person, seed(0)).overlap_threshold) == pytest.approx(0.22)


def test_random_coef_is_how_often_the_frame_stays():
    found = windows(default(RandomCropImage, 1.0, 1.0, 0.25, 0.25, random_coef=0.8))
    stays = np.all(found == [0, 0, 1, 1], axis=1).mean()
    assert 0.65 < stays < 0.93  # 0.8, 60 draws, 2.6 standard deviations


def test_flip_probability():
    flips = [
        bool(default(RandomHorizontalFlip, 0.9)(identity_view(), NOBODY, seed(n)).flip)
        for n in range(COUNT)
    ]
    assert 0.78 < np.mean(flips) < 1


def test_a_mirrored_box_by_hand():
    view = identity_view()._replace(
        window=tf.constant([0.2, 0.4, 0.6, 0.9]), flip=tf.constant(True)
    )
    boxes, keep = view_boxes(view, tf.constant([[0.3, 0.5, 0.5, 0.6]]))
    # Shown: y 0.25 to 0.75 of 0.4, x 0.2 to 0.4 of 0.5, mirrored 0.6 to 0.8.
    np.testing.assert_allclose(boxes, [[0.25, 0.6, 0.75, 0.8]], atol=1e-6)
    assert keep.numpy().tolist() == [True]


def test_whole_pixels_by_hand():
    """Rows are of the height, columns of the width; edges go to the nearest border."""
    view = identity_view()._replace(window=tf.constant([0.134, 0.29, 0.486, 0.88]))
    view, pixels = whole_pixels(view, tf.constant(50), tf.constant(20))
    assert pixels.numpy().tolist() == [7, 6, 17, 12]  # 6.7 to 24.3 of 50, 5.8 to 17.6 of 20
    np.testing.assert_allclose(view.window, [0.14, 0.3, 0.48, 0.9], atol=1e-6)


def test_no_saturation_is_rec_601_luma():
    """Saturation from -1 to 3: at 0 all channels are 0.299 R + 0.587 G + 0.114 B."""
    matrices = colors(default(RandomColor, 0.0, 0.0, 1.0), 20)[:, :, :3]
    saturations = []
    for matrix in matrices:
        # Off the diagonal stands (1 - s) times the column's weight.
        grey = np.array([matrix[1, 0], matrix[0, 1], matrix[0, 2]])
        share = grey.sum()
        np.testing.assert_allclose(grey / share, [0.299, 0.587, 0.114], atol=1e-4)
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-5)  # grey stays grey
        saturations.append(matrix[0, 0] - grey[0])
    assert 0 <= min(saturations) < 0.4 and 1.6 < max(saturations) <= 2
    np.testing.assert_allclose(colors(default(RandomColor, 0.0, 0.0, 1.0))[:, :, 3], 0, atol=1e-6)


def test_contrast_is_about_mid_grey():
    found = colors(default(RandomColor, 0.0, 0.5, 0.0))
    factors = found[:, 0, 0]
    assert 0.5 <= factors.min() < 0.6 and 1.4 < factors.max() <= 1.5
    for matrix, factor in zip(found, factors, strict=True):
        np.testing.assert_allclose(matrix[:, :3], factor * np.eye(3), atol=1e-6)
        np.testing.assert_allclose(matrix @ [0.5, 0.5, 0.5, 1], 0.5, atol=1e-6)


def test_brightness_is_added():
    found = colors(default(RandomColor, 0.3, 0.0, 0.0))
    np.testing.assert_allclose(found[:, :, :3], np.tile(np.eye(3), (COUNT, 1, 1)), atol=1e-6)
    offsets = found[:, :, 3]
    np.testing.assert_array_equal(offsets, np.tile(offsets[:, :1], (1, 3)))
    assert -0.3 <= offsets.min() < -0.25 and 0.25 < offsets.max() <= 0.3


def test_three_draws_of_colours_are_three():
    found = colors(default(RandomColor, 0.3, 0.3, 0.3))
    contrast = found[:, 0, :3].sum(axis=1)  # the saturation's row adds up to 1
    brightness = found[:, 0, 3] - 0.5 * (1 - contrast)
    saturation = found[:, 0, 0] / contrast - found[:, 1, 0] / contrast
    draws = np.stack([contrast, brightness, saturation])
    correlation = np.abs(np.corrcoef(draws) - np.eye(3))
    assert correlation.max() < 0.45


def test_colours_after_colours():
    """The second is applied to what the first shows."""
    first = tf.constant([[0.5, 0, 0, 0.1], [0, 1, 0, 0.2], [0, 0, 1, 0.3]])
    view = identity_view()._replace(color=first)
    second = default(RandomColor, 0.0, 0.5, 0.0)
    matrix = second(identity_view(), NOBODY, seed(4)).color.numpy()
    both = second(view, NOBODY, seed(4)).color.numpy()
    for pixel in ([0.2, 0.4, 0.6], [1.0, 0.0, 0.3]):
        once = first.numpy() @ [*pixel, 1]
        np.testing.assert_allclose(both @ [*pixel, 1], matrix @ [*once, 1], atol=1e-6)


def test_each_augmentation_has_its_own_seed_and_the_clip_s_decides():
    chain = [default(RandomCropImage, 1.0, 1.0, 0.25, 0.25)] * 2
    one = [augmentation.augment(chain[:1], NOBODY, seed(n)).window.numpy() for n in range(8)]
    two = [augmentation.augment(chain, NOBODY, seed(n)).window.numpy() for n in range(8)]
    assert len({window.tobytes() for window in one}) == 8  # another clip, another window
    again = augmentation.augment(chain[:1], NOBODY, seed(5)).window.numpy()
    np.testing.assert_array_equal(again, one[5])
    # Of the second crop: its place in the first one is not the first one's in the frame.
    places = [(b[:2] - a[:2]) / (a[2:] - a[:2]) for a, b in zip(one, two, strict=True)]
    assert not np.allclose(places, [a[:2] for a in one], atol=1e-3)


def test_a_given_view_is_where_the_chain_begins():
    begun = identity_view()._replace(window=tf.constant([0.5, 0.5, 1.0, 1.0]))
    view = augmentation.augment([default(RandomHorizontalFlip, 1.0)], NOBODY, seed(0), begun)
    np.testing.assert_array_equal(view.window, [0.5, 0.5, 1, 1])
    assert bool(view.flip)


@pytest.mark.parametrize("kind", [RandomHorizontalFlip, RandomCropImage, RandomColor])
def test_ranges_of_every_field(kind):
    """Just outside is refused, the bounds are not."""
    for field in dataclasses.fields(kind):
        low = 1e-4 if field.name.endswith("_area") else 0.0
        if field.name.endswith("aspect_ratio"):
            with pytest.raises(UserError, match=field.name):
                default(kind, **{field.name: 0.0})
            continue
        pair = {"min_area": "max_area", "max_area": "min_area"}.get(field.name, field.name)
        for value in (low, 1.0):
            assert getattr(default(kind, **{pair: value, field.name: value}), field.name) == value
        for value in (low - 1e-5, 1.00001, float("nan")):
            with pytest.raises(UserError, match=field.name):
                default(kind, **{field.name: value})
