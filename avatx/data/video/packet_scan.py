"""What only reading a file through can tell: whether its clock starts again, and its length.

Containers without an index say neither. Their packets are read once, not decoded: some hundred
megabytes a second.
"""

import functools
from fractions import Fraction
from typing import NamedTuple

from avatx.data.video.picture_clock import PictureClock


class PacketScan(NamedTuple):
    """What a scan found.

    Attributes:
      has_joint: the clock starts again somewhere, so no moment can be looked up by its time.
      seconds: from the first picture to the end of the last, over all joints.
      num_packets: of the video stream.
    """

    has_joint: bool
    seconds: float
    num_packets: int


def is_unindexed(file_format) -> bool:
    """Whether FFmpeg finds a moment in an av.ContainerFormat by the clock, for want of an index."""
    return may_join(file_format) or file_format.name in ("flv", "live_flv")


def may_join(file_format) -> bool:
    """Whether clocks that leap are usual in an av.ContainerFormat: MPEG-TS, MPEG-PS, Ogg."""
    return bool(file_format.flags & 0x200)  # AVFMT_TS_DISCONT


@functools.lru_cache(maxsize=256)
def scan(path: str, identity: tuple) -> PacketScan:
    """Reads all packets of a file.

    Args:
      path: of the file.
      identity: changes when the file does.

    Raises:
      UserError: it cannot be opened.
    """
    from avatx.data.video.packet_source import PacketSource

    source = PacketSource(path)
    try:
        return _scan(source)
    finally:
        source.close()


def _scan(source) -> PacketScan:
    stream = source.stream
    step = 1 / Fraction(stream.average_rate or stream.guessed_rate or 25) / stream.time_base
    clock = PictureClock(stream.time_base, step, leaps=may_join(source.container.format))
    first: int | None = None
    last, count, has_joint = 0, 0, False
    for packet in source.packets():
        if not packet.size:
            continue
        count += 1
        if packet.dts is not None:
            last = clock.mended(packet.dts)
            first = last if first is None else first
            has_joint |= clock.has_joint
    ticks = count * step if first is None else last - first + step
    return PacketScan(has_joint, float(ticks * stream.time_base), count)
