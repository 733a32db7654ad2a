"""Pictures of a video file or stream by PyAV (FFmpeg)."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.errors import UserError

# How far before the wanted moment to seek when the first try lands after it or past a truncated
# file's end: each try four times as far, so the decoding wasted is a small multiple of the gap.
_SEEK_BACK_SECONDS = (0, 2, 8, 32, 128, 512, 2048)
# Raw streams and MPEG-PS: no index and few or no time stamps, which FFmpeg counts from the start;
# after a seek it counts wrongly, so they are decoded from the start.
_UNINDEXED = frozenset(("h264", "hevc", "m4v", "mjpeg", "mpeg", "mpegvideo", "mpeg1video", "obu"))
_TENSORFLOW_SCHEMES = ("gs://", "s3://", "az://", "hdfs://", "viewfs://")


class ContainerSource:
    """See `VideoReader`, whose back end for files and streams this is."""

    def __init__(self, path: str, num_threads: int = 0):
        self.path = path
        self._num_threads = num_threads
        self.error: str | None = None
        self.end_time: int | None = None
        self.ended = False
        self._trouble: str | None = None
        self._container = None
        self._file = None
        if "://" not in path and not os.path.exists(path):
            raise UserError(f"{path}: no such file or folder")
        try:
            self._open()
            first = self._decode_first()
        except BaseException:
            self.close()
            raise
        self._pending = first  # the picture that opening decoded and nobody has had yet
        self.rotation = getattr(first, "rotation", 0) % 360
        self.size = (
            (first.width, first.height)
            if self.rotation in (90, 270)
            else (first.height, first.width)
        )
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.frame_rate = float(rate) if rate else None
        self.duration = self._duration()
        # A file can be opened again even if its container tells no length; a camera cannot.
        self.is_live = self.duration is None and not os.path.isfile(path)

    def _open(self) -> None:
        import av

        self.close()
        self._last = None
        try:
            if self.path.startswith(_TENSORFLOW_SCHEMES):
                import tensorflow as tf

                self._file = tf.io.gfile.GFile(self.path, "rb")
                self._container = av.open(self._file)
            else:
                file_format = "v4l2" if self.path.startswith("/dev/video") else None
                self._container = av.open(self.path, format=file_format)
            self._stream = self._container.streams.best("video")
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.path}: cannot be read as video ({_reason(error)})") from error
        if self._stream is None:
            raise UserError(f"{self.path}: holds no video stream")
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._num_threads

    def _decode_first(self):
        self._origin = 0
        first = next(self._decode(), None)
        if first is None:
            raise UserError(
                f"{self.path}: no frame of it can be decoded ({self.error or 'it is empty'})"
            )
        self._origin = first[1].pts or 0
        return first[1]

    def _duration(self) -> float | None:
        """Seconds, as the container states them."""
        stream, container = self._stream, self._container
        if container.format.name in _UNINDEXED:
            return None  # FFmpeg only guesses there
        if stream.duration:
            duration = float(stream.duration * stream.time_base)
            if stream.start_time is not None:  # the first decoded frame may come later
                duration -= float((self._origin - stream.start_time) * stream.time_base)
            return duration
        if container.duration:
            return container.duration / MICROSECONDS
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
            "container": self._container.format.name,
            "codec": context.name,
            "pixel_format": context.pix_fmt,
            "rotation": self.rotation,
        }

    def _time(self, picture) -> int:
        return round((picture.pts - self._origin) * picture.time_base * MICROSECONDS)

    def _pictures(self) -> Iterator[Any]:
        """av.VideoFrames from where the container stands; ends at any trouble, noting it."""
        import av

        packets = self._container.demux(self._stream)
        try:
            for packet in packets:
                if packet.is_corrupt:
                    self._trouble = "corrupt data"
                    # The last packet of a truncated file is one too: then nothing follows it.
                    self.ended = not any(packet.size for packet in packets)
                    break
                yield from packet.decode()
            else:
                self.ended = True
                return
        except av.EOFError:
            self.ended = True
        except (av.FFmpegError, OSError) as error:
            self._trouble = _reason(error)
        with contextlib.suppress(av.FFmpegError, OSError):  # what the decoder still holds was good
            yield from self._stream.codec_context.decode(None)

    def _decode(self) -> Iterator[tuple[int, Any]]:
        """(microseconds, av.VideoFrame) in ascending order from where the container stands."""
        self.error, self.ended, self._trouble = None, False, None
        for picture in self._pictures():
            last = self._last
            if picture.time_base is None:  # of those that the decoder still held
                picture.time_base = self._stream.time_base
            if picture.pts is None:  # raw streams carry no clock
                step = 1 / (self._stream.guessed_rate or 25) / self._stream.time_base
                picture.pts = self._origin if last is None else round(last.pts + step)
            if last is None or picture.pts > last.pts:
                self._last = picture
                yield self._time(picture), picture
        last = self._last
        if last is not None:
            # A picture's own duration is what ends a video of variable rate.
            shown = getattr(last, "duration", 0) or 0
            seconds = float(shown * last.time_base) if shown else 1 / (self.frame_rate or 25)
            self.end_time = self._time(last) + round(seconds * MICROSECONDS)
        if self.ended and last is not None and self._is_cut_short():
            self.error = (
                f"truncated: the video ends at {self.end_time / MICROSECONDS:.3f} of "
                f"{self.duration:.3f} seconds"
            )
        elif self._trouble:
            self.error = f"{self._trouble} {self._where(last)}"

    def _where(self, last) -> str:
        return "at its start" if last is None else f"after {self._time(last) / MICROSECONDS:.3f} s"

    def _is_cut_short(self) -> bool:
        if self.duration is None or not (
            self._stream.duration or len(self._container.streams) == 1
        ):
            return False  # only the container's own duration is known: audio may be longer
        grace = max(0.5, 3 / (self.frame_rate or 25))
        return self.end_time / MICROSECONDS < self.duration - grace

    def pictures(self, start: int | None) -> Iterator[tuple[int, Any]]:
        """Pictures in order of time, the first of them at or before `start` where there is one.

        Args:
          start: microseconds; None is the first picture.
        """
        if self.is_live:
            pending, self._pending = self._pending, None
            head = [] if pending is None else [(self._time(pending), pending)]
            return itertools.chain(head, self._decode())
        self._pending = None
        return self._decode_from(max(start or 0, 0))

    def _decode_from(self, start: int) -> Iterator[tuple[int, Any]]:
        import av

        for back in () if self._container.format.name in _UNINDEXED else _SEEK_BACK_SECONDS:
            target = start - back * MICROSECONDS
            if target <= 0:
                break
            offset = self._origin + round(target / MICROSECONDS / self._stream.time_base)
            try:
                self._container.seek(offset, stream=self._stream, backward=True)
            except (av.FFmpegError, OSError):
                continue
            self._last = None
            pictures = self._decode()
            first = next(pictures, None)
            if first is not None and first[0] <= start:
                return itertools.chain([first], pictures)
        self._open()
        return self._decode()

    def to_rgb(self, picture, size: tuple[int, int] | None = None) -> np.ndarray:
        """[H, W, 3] uint8 RGB of an av.VideoFrame, resized to (height, width) `size`."""
        height, width = size or self.size
        if self.rotation in (90, 270):
            height, width = width, height
        # AREA averages the source pixels a target pixel covers: no aliasing when shrinking.
        array = picture.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
        if self.rotation:
            array = np.ascontiguousarray(np.rot90(array, self.rotation // 90))
        return array

    def jpeg_bytes(self, picture) -> None:
        return None

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
        if self._file is not None:
            self._file.close()
            self._file = None


def _reason(error: Exception) -> str:
    """An exception's text without errno and file name."""
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
