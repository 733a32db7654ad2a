"""Frames of a span of one video as a record stores them: JPEG, flow, and where they are from."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np

import avatx
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.frame_encoding import encode_jpeg, stored_size
from avatx.data.video.optical_flow import FlowEncoder
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError


@dataclasses.dataclass(frozen=True)
class Span:
    """Frames that were read; times are microseconds on the video's own clock.

    Attributes:
      height: of the stored frames, in pixels.
      width: likewise.
      frame_rate: average of the video; 0 where it does not say.
      timestamps: [F] int64.
      frames: F JPEG files.
      flow: `optical_flow.encode` of each frame; None where none was asked for.
      provenance: JSON-able facts of the source and of how it was read.
      end_time: where the last frame read ends, if reading has met the video's end; else None.
      ended: the end met is that of the data, and not damage in its midst.
      error: why reading stopped before the end, else None.
    """

    height: int
    width: int
    frame_rate: float
    timestamps: np.ndarray
    frames: list[bytes]
    flow: list[bytes] | None
    provenance: dict[str, Any]
    end_time: int | None
    ended: bool
    error: str | None

    @property
    def is_folder(self) -> bool:
        """Whether it is of a folder of frames, whose files alone say when there is a frame."""
        return self.provenance["container"] == "folder"

    @property
    def stored(self) -> dict[str, Any]:
        """What `record.Segment` takes of it as it is."""
        names = ("height", "width", "frame_rate", "frames", "flow", "provenance")
        return {name: getattr(self, name) for name in names}


def read_span(
    source: str,
    settings: RecordSettings,
    start: int,
    end: int,
    *,
    wanted: Callable[[int], bool] = lambda time: True,
    optical_flow: str = "",
    max_bytes: int | None = None,
) -> Span:
    """Reads [start, end] and the nearest frame on either side, see `VideoReader.span`.

    Frames of a folder that are JPEG files already, and of the size to store, are stored as they
    are.

    Args:
      source: path of the video.
      settings: how frames are taken and encoded.
      start: microseconds.
      end: microseconds.
      wanted: time of a frame -> whether to keep it.
      optical_flow: how to compute the flow of each frame; "" computes none.
      max_bytes: of all frames together.

    Raises:
      UserError: the video cannot be opened, or its frames take more than `max_bytes`.
    """
    frame_settings = settings.frame_settings
    check_readable_twice(source)
    timestamps: list[int] = []
    frames: list[bytes] = []
    num_bytes = num_encoded = 0
    with VideoReader(source, frame_settings=frame_settings) as reader:
        size = stored_size(reader.size, frame_settings.shorter_side)
        flow = FlowEncoder(optical_flow) if optical_flow else None
        for time, picture in reader.span(start, end):
            if not wanted(time):
                continue
            jpeg = reader.jpeg_bytes(picture) if size == tuple(reader.size) else None
            if jpeg is None or flow:
                rgb = reader.to_rgb(picture, size)
                if jpeg is None:
                    jpeg = encode_jpeg(rgb, settings.jpeg_quality)
                    num_encoded += 1
                if flow:
                    flow.add(rgb)
            timestamps.append(time)
            frames.append(jpeg)
            num_bytes += len(jpeg)
            if max_bytes is not None and num_bytes > max_bytes:
                raise UserError(
                    f"{source}: its frames take more than {max_bytes / 1e9:g} GB, too many for "
                    "one record; label parts of it by start and end"
                )
        encoded = {"jpeg_quality": settings.jpeg_quality, "jpeg_chroma": "4:2:0"}
        return Span(
            height=size[0],
            width=size[1],
            frame_rate=reader.frame_rate or 0.0,
            timestamps=np.array(timestamps, np.int64),
            frames=frames,
            flow=flow.finish() if flow else None,
            provenance={
                **reader.provenance,
                "avatx": avatx.__version__,
                "source": os.path.basename(source),
                "source_height": reader.size[0],
                "source_width": reader.size[1],
                **(encoded if num_encoded else {}),
                **({"events": sorted(map(list, reader.events))} if reader.events else {}),
                **frame_settings.to_provenance(flow.provenance if flow else None),
            },
            end_time=reader.end_time,
            ended=reader.ended,
            error=reader.error,
        )


def check_readable_twice(source: str) -> None:
    """Raises UserError for a pipe or a device: each record opens its video anew."""
    is_here = "://" not in source and os.path.exists(source)
    if is_here and not (os.path.isfile(source) or os.path.isdir(source)):
        raise UserError(f"{source}: a pipe or a device; expected a file or a folder of frames")
