"""Seconds as microseconds."""

import numpy as np
import pytest

from avatx.data.times import FAR_FUTURE, to_microseconds


def test_microseconds_round_as_printing_does():
    seconds = [902, 902.0000001, 0.0000005, 0.0000015, 123.4567895, -1.5, -0.0000005, 1.7e9 + 0.1]
    seconds += (np.random.default_rng(0).integers(0, 10**10, 2000) / 1e6 + 5e-7).tolist()
    expected = [int((f"{value:.6f}").replace(".", "")) for value in seconds]
    assert to_microseconds(seconds).tolist() == expected
    with pytest.raises(ValueError):
        to_microseconds([float("nan")])


def test_every_shape_stays():
    for seconds in (1.5, 0.0000005, [], [0.25], [[1, 2], [0.0000005, 4]]):
        microseconds = to_microseconds(seconds)
        assert microseconds.dtype == np.int64 and np.shape(microseconds) == np.shape(seconds)
    with pytest.raises(ValueError, match="finite"):
        to_microseconds([1.0, FAR_FUTURE])
