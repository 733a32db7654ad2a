"""Pictures of a video file or stream by PyAV (FFmpeg)."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video import reading_event
from avatx.data.video.orientation import orientation_of
from avatx.data.video.packet_scan import PacketScan, is_unindexed, may_join, scan
from avatx.data.video.packet_source import (
    WAIT_SECONDS,
    PacketSource,
    is_regular_file,
    reason_of,
)
from avatx.data.video.picture_clock import PictureClock
from avatx.data.video.reading_event import ReadingEvent
from avatx.errors import UserError

# How far before the wanted moment to seek when the first try lands after it or past a truncated
# file's end: each try four times as far, so the decoding wasted is a small multiple of the gap.
_SEEK_BACK_SECONDS = (0, 2, 8, 32, 128, 512, 2048)
# Raw streams and MPEG-PS: no index and few or no time stamps, which FFmpeg counts from the start;
# after a seek it counts wrongly, so they are decoded from the start.
_UNSEEKABLE = frozenset(("h264", "hevc", "m4v", "mjpeg", "mpeg", "mpegvideo", "mpeg1video", "obu"))
# The header's duration counts from 0 of the clock and not from the first picture.
_DURATION_FROM_ZERO = frozenset(("matroska,webm", "flv", "live_flv"))
# There a packet is marked where one before it was lost, too; what it holds may be whole.
_BROADCAST = frozenset(("mpegts", "mpegtsraw", "mpeg", "rtsp", "rtp", "sdp"))
# There a packet is a picture, and its presentation time that of the picture...
_ONE_PICTURE_A_PACKET = frozenset(("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"))
_HIDDEN_PICTURES = ("vp8",)  # ...but of these codecs, some of whose packets are not shown
_DOUBTED_PACKETS = 48  # read to find out whether presentation times are to be trusted
_LATE_SECONDS = 0.1  # between the first sound and the first picture, before anything is said


class ContainerSource:
    """See `VideoReader`, whose back end for files and streams this is."""

    def __init__(self, path: str, num_threads: int = 0, wait_seconds: float = WAIT_SECONDS):
        self.path = path
        self.error: str | None = None
        self.end_time: int | None = None
        self.ended = False
        self.events: set[ReadingEvent] = set()
        self._packets = PacketSource(path, num_threads, wait_seconds)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        source = self._packets
        rate = source.stream.average_rate or source.stream.guessed_rate
        self.frame_rate = float(rate) if rate else None
        self._scan = self._scanned()
        self._clock = self._make_clock(by_arrival=source.container.format.name == "avi")
        self._has_wrong_times = self._is_doubtful() and not self._presentation_times_ascend()
        if self._has_wrong_times:
            self._clock = self._make_clock(by_arrival=True)
        self._origin = 0
        self.duration: float | None = None
        pictures = self._decode()
        first = next(pictures, None)
        if first is None:
            why = self.error or "; ".join(reading_event.in_words(self.events)) or "it is empty"
            raise UserError(f"{self.path}: no frame of it can be decoded ({why})")
        picture = first[1]
        self._origin = self._clock.last or 0
        self._orientation = orientation_of(picture)
        self.size = (
            (picture.width, picture.height)
            if self._orientation.is_on_its_side
            else (picture.height, picture.width)
        )
        self.duration = self._duration()
        # A file can be opened again even if its container tells no length; a camera cannot.
        self.is_live = self.duration is None and not os.path.isfile(self.path)
        # No generator, which somebody's loop would close when it ends early.
        self._live = itertools.chain([(0, picture)], pictures) if self.is_live else None
        self.events.clear()  # on the way to the first picture, before there was a time 0
        self._note_late_begin()

    @property
    def _stream(self):
        return self._packets.stream

    @property
    def _format(self) -> str:
        return self._packets.container.format.name

    def _scanned(self) -> PacketScan | None:
        """Of a file whose clock may start again; None of others."""
        if not is_unindexed(self._packets.container.format) or not is_regular_file(self.path):
            return None
        stat = os.stat(self.path)
        return scan(self.path, (stat.st_size, stat.st_mtime_ns))

    def _make_clock(self, by_arrival: bool) -> PictureClock:
        stream = self._stream
        return PictureClock(
            stream.time_base,
            1 / Fraction(stream.average_rate or stream.guessed_rate or 25) / stream.time_base,
            by_arrival=by_arrival,
            guessed=self._format == "mpeg",
            leaps=may_join(self._packets.container.format),
            on_joint=lambda ticks: self._note(reading_event.JOINT, self._microseconds(ticks)),
        )

    def _is_doubtful(self) -> bool:
        """Whether presentation times may be decoding times, though pictures are reordered."""
        return (
            is_regular_file(self.path)
            and bool(self._stream.codec_context.has_b_frames)
            and self._format != "avi"
            and self._format not in _UNSEEKABLE
        )

    def _presentation_times_ascend(self) -> bool:
        """Whether the first pictures come in the order of their times."""
        import av

        source = self._packets
        read: list[Any] = []
        for packet in itertools.islice(source.packets(), _DOUBTED_PACKETS):
            read.append(packet)
            stamps = [packet.pts for packet in read[-2:] if packet.pts is not None]
            if len(stamps) == 2 and stamps[1] < stamps[0]:
                source.unread(read)  # packets are in another order than pictures, so all is well
                return True
        stamps = []
        for packet in read:
            with contextlib.suppress(av.FFmpegError, OSError):
                stamps += [picture.pts for picture in packet.decode()]
        source.open()
        stamps = [stamp for stamp in stamps if stamp is not None]
        return all(former < latter for former, latter in itertools.pairwise(stamps))

    def _note(self, kind: str, time: int, detail: str = "") -> None:
        if len(self.events) < reading_event.MOST_EVENTS:
            self.events.add(ReadingEvent(kind, time, detail))

    def _note_late_begin(self) -> None:
        """Notes sound that begins before the picture: its user's clock may be the sound's."""
        begins = [
            stream.start_time * stream.time_base
            for stream in self._packets.container.streams.audio
            if stream.start_time is not None
        ]
        if begins and not (self._scan and self._scan.has_joint):
            late = float(self._origin * self._stream.time_base - min(begins))
            if late > _LATE_SECONDS:
                self._note(reading_event.LATE, round(late * 1000) * 1000)

    @property
    def frame_times(self) -> None:
        return None

    @property
    def stated_end(self) -> int | None:
        """Of what can only be decoded from its begin: its packets say it sooner than pictures."""
        if not is_regular_file(self.path) or self._can_seek:
            return None
        stat = os.stat(self.path)
        found = self._scan or scan(self.path, (stat.st_size, stat.st_mtime_ns))
        return round(found.seconds * MICROSECONDS)

    @property
    def _can_seek(self) -> bool:
        return self._format not in _UNSEEKABLE and not (self._scan and self._scan.has_joint)

    def _duration(self) -> float | None:
        """Seconds, as the container states them."""
        stream, container = self._stream, self._packets.container
        if self._scan is not None and self._scan.has_joint:
            return self._scan.seconds
        if self._format in _UNSEEKABLE:
            return None  # FFmpeg only guesses there
        if stream.duration:
            duration = float(stream.duration * stream.time_base)
            if stream.start_time is not None:  # the first decoded frame may come later
                duration -= float((self._origin - stream.start_time) * stream.time_base)
            return duration
        if container.duration:
            duration = container.duration / MICROSECONDS
            if self._format in _DURATION_FROM_ZERO:
                begin = float(self._origin * stream.time_base)
                duration -= begin if 0 < begin < duration else 0
            return duration
        return None

    @property
    def provenance(self) -> dict[str, Any]:
        import av

        context = self._stream.codec_context
        return {
            "decoder": f"PyAV {av.__version__}",
            "ffmpeg": {
                name: ".".join(map(str, version))
                for name, version in av.library_versions.items()
                if name in ("libavcodec", "libavformat", "libswscale")
            },
            "container": self._format,
            "codec": context.name,
            "pixel_format": context.pix_fmt,
            "rotation": self._orientation.rotation,
            **({"mirrored": True} if self._orientation.mirrored else {}),
        }

    def _microseconds(self, ticks: int) -> int:
        return round((ticks - self._origin) * self._stream.time_base * MICROSECONDS)

    def _pictures(self) -> Iterator[Any]:
        """av.VideoFrames from where the container stands.

        A packet that is damaged costs its own pictures; reading goes on behind it.
        """
        import av

        last = None
        for packet in self._packets.packets(self._note_damage):
            if packet.is_corrupt:
                self._note_damage("marked as corrupt", packet)
                # In a file that breaks off the packet is half there, and so would the picture be.
                if self._format not in _BROADCAST:
                    continue
            self._clock.sent(packet.dts)
            last = packet
            try:
                yield from packet.decode()
            except av.EOFError:
                break
            except (av.FFmpegError, OSError) as error:
                self._note_damage(reason_of(error), packet)
        if last is None or last.size:  # what the decoder still holds was good
            with contextlib.suppress(av.FFmpegError, OSError):
                yield from self._stream.codec_context.decode(None)

    def _note_damage(self, reason: str, packet=None) -> None:
        stamp = packet.dts if packet is not None else self._clock.last
        time = 0 if stamp is None else max(self._microseconds(stamp), 0)
        self._note(reading_event.DAMAGED, time, reason)

    def _decode(self) -> Iterator[tuple[int, Any]]:
        """(microseconds, av.VideoFrame) in ascending order from where the container stands."""
        self.error, self.ended, self._last = None, False, None
        self._clock.restart()
        for picture in self._pictures():
            self._last = picture
            yield self._microseconds(self._clock.ticks(picture)), picture
        self.ended, self.error = self._packets.ended, self._packets.trouble
        if self._last is None:
            self.error = self.error and f"{self.error} at its start"
            return
        latest = self._microseconds(self._clock.last or 0)
        # A picture's own duration is what ends a video of variable rate.
        shown = getattr(self._last, "duration", 0) or 0
        seconds = float(shown * self._stream.time_base) if shown else 1 / (self.frame_rate or 25)
        self.end_time = latest + round(seconds * MICROSECONDS)
        if self.ended:
            self.error = self._cut_short(self.end_time / MICROSECONDS)
        elif self.error:
            self.error = f"{self.error} after {latest / MICROSECONDS:.3f} s"

    def _cut_short(self, end: float) -> str | None:
        """What to say of a video that ends, in seconds, before it should."""
        if self.duration is None or not (
            self._stream.duration or len(self._packets.container.streams) == 1
        ):
            return None  # only the container's own duration is known: audio may be longer
        grace = max(0.5, 3 / (self.frame_rate or 25))
        if end >= self.duration - grace:
            return None
        return f"truncated: the video ends at {end:.3f} of {self.duration:.3f} seconds"

    def pictures(self, start: int | None) -> Iterator[tuple[int, Any]]:
        """Pictures in order of time, the first of them at or before `start` where there is one.

        Args:
          start: microseconds; None is the first picture.
        """
        if self._live is not None:
            return self._live
        return self._decode_from(max(start or 0, 0))

    def _decode_from(self, start: int) -> Iterator[tuple[int, Any]]:
        for back in _SEEK_BACK_SECONDS if self._can_seek else ():
            target = start - back * MICROSECONDS
            if target <= 0:
                break
            ticks = self._origin + round(target / MICROSECONDS / self._stream.time_base)
            if not self._packets.seek(ticks):
                continue
            pictures = self._decode()
            first = next(pictures, None)
            if first is not None and first[0] <= start:
                return itertools.chain([first], pictures)
        self._packets.open()
        return self._decode()

    def picture_times(self) -> np.ndarray:
        """See `VideoReader.picture_times`; of no live source."""
        stamps = self._packet_stamps()
        if stamps is not None:
            times = [self._microseconds(stamp) for stamp in stamps]
            return np.array([time for time in times if time >= 0], np.int64)
        return np.array([time for time, _ in self.pictures(None)], np.int64)

    def _packet_stamps(self) -> list[int] | None:
        """Ticks of all pictures in order of presentation; None where packets do not say them."""
        if (
            self._format not in _ONE_PICTURE_A_PACKET
            or self._stream.codec_context.name in _HIDDEN_PICTURES
            or self._has_wrong_times
            or not self._can_seek
        ):
            return None
        self._packets.open()
        packets = (one for one in self._packets.packets() if one.size and not one.is_discard)
        stamps = [packet.pts for packet in packets]
        known = sorted({stamp for stamp in stamps if stamp is not None})
        return known if len(known) == len(stamps) else None

    def to_rgb(self, picture, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W, 3] uint8 RGB of an av.VideoFrame, resized to (height, width) `size`."""
        height, width = size or self.size
        if self._orientation.is_on_its_side:
            height, width = width, height
        # AREA averages the source pixels a target pixel covers: no aliasing when shrinking.
        array = picture.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
        return self._orientation.apply(array)

    def jpeg_bytes(self, picture) -> None:
        return None

    def close(self) -> None:
        self._packets.close()
