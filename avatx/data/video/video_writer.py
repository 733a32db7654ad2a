"""Writes RGB frames to an H.264 mp4 that browsers play, or to a WebM (VP8)."""

import contextlib
import functools
import math
import os
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from avatx.atomic_file import atomic_path
from avatx.errors import UserError, first_line

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

# Presentation times are kept in these units when the caller gives them (MPEG's own clock).
_VARIABLE_RATE_TIME_BASE = Fraction(1, 90_000)


# Of a path's extension; everything but these is mp4.
FORMATS = ("mp4", "webm")
_WEBM_OPTIONS = {"crf": "10", "deadline": "realtime", "cpu-used": "6"}
_WEBM_BITS_PER_PIXEL = 0.25  # VP8 keeps to a rate; crf says what it may leave unspent


class VideoWriter:
    """Context manager that writes H.264 yuv420p mp4 with the index in front (+faststart).

    A `path` that ends in .webm gets VP8 in its place, for browsers that were built without H.264;
    `crf` and `preset` are x264's and change nothing of it.

    The file appears at `path` only on a clean exit; until then it is a hidden temporary name
    in the same folder, which an exception inside the `with` block removes.

        with VideoWriter("out.mp4", frame_rate=25, height=160, width=192) as writer:
            writer.write(frame)

    Args:
      path: file to write; an existing one is replaced.
      frame_rate: frames a second, a number or a `Fraction` (`Fraction(30000, 1001)`).
      height, width: pixels of the frames given to `write`. 4:2:0 chroma needs even sizes: an
        odd height or width is made even by repeating the last row or column.
      crf: x264's constant rate factor, 0 (lossless) to 51.
      preset: x264's preset.
      num_threads: encoder threads; 0 lets x264 choose. The encoded bytes are reproducible
        only for a given number of threads.

    Raises:
      UserError: the folder of `path` is missing or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        frame_rate: int | float | Fraction,
        height: int,
        width: int,
        *,
        crf: int = 20,
        preset: str = "veryfast",
        num_threads: int = 0,
    ):
        if height < 1 or width < 1:
            raise ValueError(f"frame size {height}x{width} (height x width) has to be positive")
        if not (math.isfinite(frame_rate) and frame_rate > 0):
            raise ValueError(f"frame_rate {frame_rate} has to be positive and finite")
        self.path = os.fspath(path)
        self.frame_rate = Fraction(frame_rate).limit_denominator(100_000)
        self.height = height
        self.width = width
        self._is_webm = self.path.endswith(".webm")
        self._options = {"crf": str(crf), "preset": preset, "threads": str(num_threads or "auto")}
        if num_threads == 1:
            # x264's macroblock tree reads memory that nothing has written: with it the bytes
            # of some videos change from one encoding to the next in the same process.
            self._options["x264-params"] = "mbtree=0"
        self._stack = contextlib.ExitStack()
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._num_frames = 0
        self._variable_rate = False
        self._last_pts = -1

    def __enter__(self) -> "VideoWriter":
        import av

        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            # Opened by hand first: PyAV's own error would not name the real path.
            open(temporary, "wb").close()
            options = {} if self._is_webm else {"movflags": "+faststart"}
            container = av.open(
                temporary, "w", format="webm" if self._is_webm else "mp4", options=options
            )
            self._container = container
            stack.push(functools.partial(self._close, container))
            self._stack = stack.pop_all()
        return self

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Appends one frame.

        Args:
          frame: [height, width, 3] uint8 RGB.
          time: presentation time in seconds, ascending, for video of variable rate. Either
            every frame has one or none; without it frame i is shown at i / frame_rate.

        Raises:
          ValueError: another shape or dtype, times that do not ascend, or times given for
            only some frames.
        """
        import av

        frame = np.asarray(frame)
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"{self.path}: frame {self._num_frames} is {frame.dtype} {list(frame.shape)}, "
                f"expected uint8 [{self.height}, {self.width}, 3]"
            )
        if self._container is None:
            raise ValueError(f"{self.path}: write() outside the writer's `with` block")
        if self._stream is None:
            self._variable_rate = time is not None
            self._stream = self._add_stream(self._container)
        if self._variable_rate != (time is not None):
            raise ValueError(f"{self.path}: give a time for every frame or for none")
        pts = self._num_frames if time is None else round(time / _VARIABLE_RATE_TIME_BASE)
        if pts <= self._last_pts:
            raise ValueError(
                f"{self.path}: time {time} of frame {self._num_frames} is not later "
                "than the frame before, or is negative"
            )
        if self.height % 2 or self.width % 2:
            frame = np.pad(frame, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        video_frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        video_frame.pts = pts
        video_frame.time_base = self._stream.codec_context.time_base
        try:
            self._container.mux(self._stream.encode(video_frame))
        except av.error.ExternalError as error:
            raise UserError(
                f"{self.path}: a video of {self.width} x {self.height} pixels cannot be encoded "
                f"({self._stream.codec_context.name}: {first_line(error)})"
            ) from error
        self._last_pts = pts
        self._num_frames += 1

    def _add_stream(self, container: "OutputContainer") -> "VideoStream":
        if self._is_webm:
            options = {**_WEBM_OPTIONS, "threads": self._options["threads"]}
            stream = container.add_stream("libvpx", rate=self.frame_rate, options=options)
            pixels = self.height * self.width * float(self.frame_rate)
            stream.bit_rate = max(200_000, round(_WEBM_BITS_PER_PIXEL * pixels))
        else:
            stream = container.add_stream("libx264", rate=self.frame_rate, options=self._options)
        stream.height = self.height + self.height % 2
        stream.width = self.width + self.width % 2
        stream.pix_fmt = "yuv420p"
        # A seek point every two seconds, so that readers need not decode from the start.
        stream.codec_context.gop_size = max(1, round(2 * self.frame_rate))
        stream.codec_context.time_base = (
            _VARIABLE_RATE_TIME_BASE if self._variable_rate else 1 / self.frame_rate
        )
        return stream

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    def _close(self, container: "OutputContainer", exception_type, exception, traceback) -> None:
        try:
            if exception_type is None:
                if self._stream is None:
                    raise ValueError(f"{self.path}: no frame was written")
                container.mux(self._stream.encode(None))
            container.close()
        finally:
            self._container = None
            self._stream = None
