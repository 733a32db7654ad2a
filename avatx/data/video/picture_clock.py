"""When each decoded picture is shown: ascending times, whatever the container's clock does.

A decoder gives pictures in the order in which they are shown, so no picture is ever left out for
its time stamp. Where stamps do not ascend in that order, they are mended here:

- A container without presentation times (AVI): FFmpeg guesses them, and guesses wrongly where
  pictures come out of order. The n-th picture then has the n-th decoding time (`by_arrival`).
- A clock that starts again, as in recordings that were joined: time goes on after the joint, at
  the distance at which pictures came before it. In MPEG-TS and MPEG-PS a clock that leaps ahead by
  more than `LEAP_SECONDS` is a joint too, as it is to the ffmpeg program.
- MPEG-PS has a presentation time now and then, and FFmpeg guesses those between, the last before a
  joint wrongly: there decoding times say whether a step was left out (`guessed`).
"""

from collections.abc import Callable
from fractions import Fraction

LEAP_SECONDS = 10


class PictureClock:
    """Gives decoded pictures their times, in ticks of the stream.

    Args:
      time_base: seconds of a tick.
      step: usual ticks between two pictures.
      by_arrival: see above.
      guessed: see above.
      leaps: whether a leap ahead is a joint.
      on_joint: called with the ticks at which a clock that started again goes on.
    """

    def __init__(
        self,
        time_base: Fraction,
        step: Fraction,
        *,
        by_arrival: bool = False,
        guessed: bool = False,
        leaps: bool = False,
        on_joint: Callable[[int], None] = lambda ticks: None,
    ):
        self._step = max(step, Fraction(1))
        self._second = Fraction(1) / time_base
        self._leap = Fraction(LEAP_SECONDS) / time_base if leaps else None
        self._by_arrival = by_arrival
        self._guessed = guessed
        self._on_joint = on_joint
        self._delay: int | None = None  # packets that the decoder holds before it gives a picture
        self.restart()

    def restart(self) -> None:
        """The decoder begins anew, at the file's begin or after a seek."""
        self.last: int | None = None  # ticks of the latest picture
        self._raw = 0  # its own stamp
        self._offset = 0  # from stamps to ticks, since the last joint
        self._former_offset: int | None = None
        self._sent: list[int] = []  # decoding times of packets that gave no picture yet
        self._arrived: int | None = None  # the one that the latest picture had
        self._next = 0  # which of them the next picture has, if the decoder does not say

    def sent(self, decoding_time: int | None) -> None:
        """A packet goes to the decoder."""
        if (self._by_arrival or self._guessed) and decoding_time is not None:
            self._sent.append(decoding_time)

    @property
    def has_joint(self) -> bool:
        """Whether the clock started again, or stumbled, on the way here."""
        return self._former_offset is not None

    def ticks(self, picture) -> int:
        """The time of an av.VideoFrame; call it once for each, in order."""
        if self._by_arrival:
            return self.mended(self._arrival(picture))
        return self.mended(self._checked(picture) if self._guessed else picture.pts)

    def mended(self, stamp: int | None) -> int:
        """The time of the next picture, whose stamp this is; above that of the last one."""
        if stamp is None:  # raw streams carry no clock
            stamp = 0 if self.last is None else self._raw + round(self._step)
        if self.last is not None:
            self._mend_offset(stamp, self.last)
        self.last, self._raw = stamp + self._offset, stamp
        return self.last

    def _mend_offset(self, stamp: int, last: int) -> None:
        """Makes `_offset` such that the stamp is above the `last` time."""
        ahead = stamp + self._offset - last
        is_joint = ahead <= 0 or (self._leap is not None and ahead > self._leap)
        if not is_joint and ahead <= 1.5 * self._step:
            return
        # After a single stamp that was wrong, the clock before it fits again, to half a step.
        if self._former_offset is not None:
            by_former = stamp + self._former_offset - last
            if by_former > 0 and abs(by_former - self._step) <= self._step / 2:
                self._former_offset, self._offset = self._offset, self._former_offset
                return
        if is_joint:
            expected = last + round(self._step)
            if abs(ahead) > self._second:  # less is a stumble, worth no word
                self._on_joint(expected)
            self._former_offset, self._offset = self._offset, expected - stamp

    def _checked(self, picture) -> int | None:
        """The picture's stamp, less the steps that decoding times did not take."""
        former, self._arrived = self._arrived, self._arrival(picture)
        stamp = picture.pts
        if stamp is None or self.last is None or former is None or self._arrived is None:
            return stamp
        arrived = self._arrived - former
        ahead = stamp + self._offset - self.last
        if ahead > 1.5 * self._step and 0 < arrived < 1.25 * self._step:
            return stamp - ahead + arrived
        return stamp

    def _arrival(self, picture) -> int | None:
        """The decoding time that stands at the picture's place in the order of showing."""
        if picture.dts is not None:  # of the packet that made the decoder give this picture
            place = _last_place(self._sent, picture.dts)
            if place is not None:
                if self._delay is None:
                    self._delay = place
                self._next = max(place - self._delay, self._next)
        if self._next >= len(self._sent):
            return None
        stamp = self._sent[self._next]
        self._next += 1
        # What lies before is of no more use; a picture is at most so many packets late.
        if self._next > 256:
            del self._sent[:128]
            self._next -= 128
        return stamp


def _last_place(values: list[int], value: int) -> int | None:
    """The last index of `value`, which is near the end."""
    for place in range(len(values) - 1, -1, -1):
        if values[place] == value:
            return place
    return None
