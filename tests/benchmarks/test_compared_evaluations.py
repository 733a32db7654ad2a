"""benchmark_evaluation.py: what it says of numbers that agree and of such that do not."""

import benchmark_evaluation as benchmark
import pytest


def _results(**official):
    ours = {"1": {"ap": 0.25}, "2": {"ap": 0.5}, "3": {"ap": None}}
    return {
        benchmark.OURS: {"per_class": ours},
        benchmark.OFFICIAL: {"per_class": {"1": 0.25, "2": 0.5, "3": None, **official}},
    }


def _runs():
    ours = [{"wall_s": 2.0, "processor_s": 1.0}, {"wall_s": 1.0, "processor_s": 1.0}]
    theirs = [{"wall_s": 80.0, "processor_s": 30.0}, {"wall_s": 44.0, "processor_s": 34.0}]
    return {benchmark.OURS: ours, benchmark.OFFICIAL: theirs}


def test_how_many_times_as_long_is_the_median_of_pairs():
    notes, good = benchmark._compared(_results(), _runs())
    assert good
    assert "takes 42.0 times as long (32.0 times the processor time)" in notes[0]
    assert "AP of 2 classes differs by 0.0e+00" in notes[0]


@pytest.mark.parametrize(("official", "agrees"), [(0.5 + 1e-10, True), (0.5 + 1e-8, False)])
def test_a_class_that_differs_is_a_failure(official, agrees):
    notes, good = benchmark._compared(_results(**{"2": official}), _runs())
    assert good == agrees


def test_another_checkout_gives_the_same_or_is_a_failure():
    results = {benchmark.OURS: {"mAP": 0.5}, benchmark.OTHER: {"mAP": 0.5}}
    assert benchmark._compared(results, {}) == (["the numbers of both are the same"], True)
    results[benchmark.OTHER] = {"mAP": 0.25}
    assert benchmark._compared(results, {}) == (["the numbers of both are NOT the same"], False)
