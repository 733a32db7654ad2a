"""Sizes and frame rates of the videos that an export speaks of, which many exports do not say."""

from collections.abc import Sequence

from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError, shown
from avatx.importing.fields import checked_video


class Videos:
    """Opens videos when they are asked for.

    Args:
      annotations: path of the export, for messages.
      folders: of videos; may be none.
      frame_rate: frames a second of all, asked for in place of the videos; None asks them.
    """

    def __init__(
        self, annotations: str, folders: Sequence[str] = (), frame_rate: float | None = None
    ):
        self._annotations = annotations
        self._folder = VideoFolder(list(folders)) if folders else None
        self._given = frame_rate
        self._known: dict[str, tuple[tuple[int, int], float | None]] = {}

    def frame_rate(self, video: str) -> float:
        """Frames a second. Raises UserError where nobody says."""
        rate = self._given if self._given is not None else self._look(video, "frame rate")[1]
        if rate is None:
            raise UserError(
                f"{self._annotations}: video {shown(video)} does not say its frame rate; give "
                "`frame_rate`"
            )
        return rate

    def size(self, video: str) -> tuple[int, int]:
        """(height, width) in pixels. Raises UserError where the video is absent."""
        return self._look(video, "frame size")[0]

    def _look(self, video: str, what: str) -> tuple[tuple[int, int], float | None]:
        if video not in self._known:
            path = self._find(video)
            if path is None:
                other = " or `frame_rate`" if what == "frame rate" else ""
                raise UserError(
                    f"{self._annotations}: the annotations do not say the {what} of video "
                    f"{shown(video)}, and "
                    + ("no folder of videos was given" if self._folder is None else "it is absent")
                    + f"; give `videos`, the folder it is in{other}"
                )
            with VideoReader(path) as reader:
                self._known[video] = (reader.size, reader.frame_rate)
        return self._known[video]

    def _find(self, video: str) -> str | None:
        checked_video(self._annotations, video)
        try:
            return self._folder.find(video) if self._folder is not None else None
        except UserError as error:
            raise UserError(f"{self._annotations}: {error}") from error
