"""Things done by threads, in their order."""

import threading

import pytest

from avatx.ordered_threads import in_threads


def test_results_come_in_the_order_of_the_items():
    others = threading.Event()

    def double(number: int) -> int:
        if number == 0:
            assert others.wait(30)  # the first ends after another one has
        else:
            others.set()
        return 2 * number

    assert list(in_threads(double, range(9))) == [(number, 2 * number) for number in range(9)]


def test_no_items():
    assert list(in_threads(abs, ())) == []


def test_what_is_before_a_failure_comes_first():
    """The first mistake of a file is the one that is told."""

    def items():
        yield from (1, 0)
        raise KeyError("behind it")

    seen = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(found for found in in_threads(lambda number: 1 / number, items()))
    later = in_threads(lambda number: number, items())
    assert [next(later), next(later)] == [(1, 1), (0, 0)]
    with pytest.raises(KeyError):
        next(later)


def test_few_are_held_at_once():
    asked = []

    def items():
        for number in range(100):
            asked.append(number)
            yield number

    results = in_threads(abs, items(), threads=2)
    next(results)
    assert len(asked) == 3
    results.close()
