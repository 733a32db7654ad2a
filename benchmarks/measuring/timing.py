"""Repeated measurements of a step, and of several steps in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds that each repeat of a step took, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles: half of the repeats took between these, seconds."""
        if len(self.seconds) < 2:
            return self.seconds[0], self.seconds[0]
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high

    def as_dict(self) -> dict:
        """JSON: median, quartiles and every repeat, milliseconds."""
        low, high = self.spread
        return {
            "median_ms": round(self.median * 1e3, 3),
            "quartiles_ms": [round(low * 1e3, 3), round(high * 1e3, 3)],
            "repeats_ms": [round(one * 1e3, 3) for one in self.seconds],
        }


def measure(step: Callable[[], object], warm_up: int, repeats: int) -> Timing:
    """Times a step, which must return only when its work is done.

    Args:
      step: what is timed.
      warm_up: runs before, which pay for tracing, compiling and filling caches.
      repeats: timed runs, 1 or more.
    """
    return take_turns({"": step}, warm_up, repeats)[""]


def take_turns(
    steps: Mapping[str, Callable[[], object]], warm_up: int, repeats: int
) -> dict[str, Timing]:
    """Times several steps A B A B ..., so that what else the machine does meets all of them.

    Args:
      steps: by name; a step that returns a float has timed itself (another process), seconds.
      warm_up: runs of each before.
      repeats: timed runs of each, 1 or more.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}, expected 1 or more")
    for step in steps.values():
        for _ in range(warm_up):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            own = step()
            wall = time.perf_counter() - start
            seconds[name].append(own if isinstance(own, float) else wall)
    return {name: Timing(tuple(found)) for name, found in seconds.items()}


def ratio_of_pairs(numerator: Timing, denominator: Timing) -> float:
    """Median of the ratios of neighbouring repeats, which a slow minute does not change."""
    pairs = zip(numerator.seconds, denominator.seconds, strict=True)
    return statistics.median(one / other for one, other in pairs)
