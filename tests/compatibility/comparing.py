"""Numbers of today beside those of then."""

import numpy as np
import pytest

RELATIVE = 1e-5
ABSOLUTE = 1e-6


def assert_same_json(found, expected, **tolerance):
    """Every number and text of `expected` is in `found`, which may hold more."""
    if isinstance(expected, dict):
        assert set(expected) <= set(found)
        for key, value in expected.items():
            assert_same_json(found[key], value, **tolerance)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_json(one, other, **tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, **{"rel": RELATIVE, "abs": ABSOLUTE, **tolerance})
    else:
        assert found == expected


def assert_same_rows(found, expected, relative=RELATIVE, absolute=ABSOLUTE):
    """The same rows of `reading_artefacts.read_csv`, in whatever order near ties have them."""
    assert expected
    found = list(found)
    for key, numbers in expected:
        same = [
            number
            for number, (other, others) in enumerate(found)
            if other == key and np.allclose(others, numbers, rtol=relative, atol=absolute)
        ]
        assert same, f"no {key} {numbers} among {[n for other, n in found if other == key]}"
        del found[same[0]]
    assert not found
