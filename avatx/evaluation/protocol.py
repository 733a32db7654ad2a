"""The published versions of AVA's metric, by name.

https://github.com/activitynet/ActivityNet, Evaluation/get_ava_performance.py: the versions of
April 2018, March 2019 and May 2020 (the latest). They differ in which keyframes count, in how
many rows a keyframe may have, and in the order of equal scores. Where an older version stops
with an error on input that a later one reads (timestamps with a fraction, rows of 2 columns),
ours reads it: the keyframe's key is the 2020 one and a row of 2 columns names a keyframe.
"""

from typing import NamedTuple

from avatx.errors import UserError


class Protocol(NamedTuple):
    name: str
    # Detection rows a keyframe keeps over all classes; None for all.
    capacity: int | None
    # Whether detections on keyframes that the groundtruth does not name are ignored (2020), or
    # are false positives unless the exclusion list names the keyframe (before).
    ignores_unnamed_keyframes: bool
    # Scores not above this are dropped (a leftover of the first version), None for none.
    score_floor: float | None = None
    # Whether the rows of a keyframe pass through a heap, which decides the order of equal scores.
    heap_order: bool = True


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("AVA_2020", capacity=50, ignores_unnamed_keyframes=True),
        Protocol("AVA_2019", capacity=50, ignores_unnamed_keyframes=False),
        Protocol(
            "AVA_2018",
            capacity=None,
            ignores_unnamed_keyframes=False,
            score_floor=-10.0,
            heap_order=False,
        ),
    )
}
DEFAULT_PROTOCOL = "AVA_2020"


def get_protocol(name: str) -> Protocol:
    """Looks a protocol up. Raises UserError with the known names."""
    if name not in PROTOCOLS:
        raise UserError(f"protocol {name!r} is unknown; known are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
