"""Opens a file or stream by PyAV (FFmpeg) and gives the packets of its video stream."""

import collections
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from avatx.data.video.time_limit import TimeLimit, at_once
from avatx.errors import UserError, first_line

WAIT_SECONDS = 30.0  # for the next data of a pipe, a camera or a server
_MOST_ERRORS = 100  # in a row, without a packet between them
_TENSORFLOW_SCHEMES = ("gs://", "s3://", "az://", "hdfs://", "viewfs://")
# Formats of FFmpeg: it makes a film of a picture or of a text, too.
_PICTURES = frozenset(["image2", "image2pipe", "tty"])
_ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC, as of an album


class PacketSource:
    """An open file or stream.

    Args:
      path: a file, a device, or an address.
      num_threads: of the decoder; 0 lets FFmpeg choose.
      wait_seconds: how long the next data of what is no file may take.

    Attributes:
      container: av.InputContainer.
      stream: the video stream of it.
      trouble: why the packets came to an end before the file's end, else None.
      ended: the packets have come to the file's end.

    Raises:
      UserError: nothing is there, or it cannot be read as video.
    """

    def __init__(self, path: str, num_threads: int = 0, wait_seconds: float = WAIT_SECONDS):
        self.path = path
        self._num_threads = num_threads
        self._file: Any = None
        self._unread: collections.deque = collections.deque()
        self.container: Any = None
        self.trouble: str | None = None
        self.ended = False
        is_remote = path.startswith(_TENSORFLOW_SCHEMES)
        if "://" not in path and not os.path.exists(path):
            raise UserError(f"{path}: {_absence(path)}")
        # Only what is no file can keep one waiting.
        waits = not is_remote and not is_regular_file(path)
        self._wait_seconds = wait_seconds
        self._within: Callable = TimeLimit(wait_seconds) if waits else at_once
        try:
            self.open()
        except BaseException:
            self.close()
            raise

    def open(self) -> None:
        """Opens it, again where it was open: packets come from its begin."""
        import av

        self._close_container()
        self._unread.clear()
        try:
            self._within(self._open)
        except TimeoutError:
            raise UserError(f"{self.path}: {self._waited()}") from None
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.path}: cannot be read as video ({reason_of(error)})") from error
        except (ValueError, ArithmeticError, RuntimeError) as error:  # whatever PyAV meets
            raise UserError(
                f"{self.path}: cannot be read as video "
                f"({type(error).__name__}: {first_line(error)})"
            ) from error
        if self.stream is None or self._has_a_cover_alone:
            raise UserError(f"{self.path}: holds no video stream")
        if self._is_picture:
            raise UserError(
                f"{self.path}: is a picture or a text, and no video; expected a file with a film "
                "in it, or a folder of numbered pictures"
            )
        self.stream.thread_type = "AUTO"
        self.stream.codec_context.thread_count = self._num_threads

    def _open(self) -> None:
        import av

        # Of a relative name FFmpeg takes what is before a colon for a protocol.
        is_here = "://" not in self.path and os.path.exists(self.path)
        what: Any = os.path.abspath(self.path) if is_here else self.path
        if self.path.startswith(_TENSORFLOW_SCHEMES):
            import tensorflow as tf

            what = self._file = tf.io.gfile.GFile(self.path, "rb")
        # A title or tag may be in any encoding: it is nothing that is read here. PyAV 19 takes any.
        is_older = int(av.__version__.split(".")[0]) < 19
        tags: dict[str, Any] = {"metadata_errors": "replace"} if is_older else {}
        self.container = av.open(
            what,
            format="v4l2" if self.path.startswith("/dev/video") else None,
            **tags,
        )
        self.stream = self.container.streams.best("video")

    @property
    def _is_picture(self) -> bool:
        """Whether it is a file of which FFmpeg makes a film, though nobody filmed it."""
        names = self.container.format.name.split(",")
        return is_regular_file(self.path) and any(
            name in _PICTURES or name.endswith("_pipe") for name in names
        )

    @property
    def _has_a_cover_alone(self) -> bool:
        return bool(getattr(self.stream, "disposition", 0) & _ATTACHED_PICTURE)

    def _waited(self) -> str:
        return f"no data for {self._wait_seconds:g} seconds"

    def packets(self, on_error: Callable[[str], None] = lambda reason: None) -> Iterator[Any]:
        """Packets from where it stands, an empty one last, which lets the decoder give the rest.

        Args:
          on_error: called with the reason where reading failed and then went on.
        """
        import av

        self.trouble, self.ended = None, False
        while self._unread:
            yield self._unread.popleft()
        errors = 0
        while errors < _MOST_ERRORS:
            packets = self.container.demux(self.stream)
            try:
                while (packet := self._within(next, packets, None)) is not None:
                    if self.trouble and packet.size:
                        on_error(self.trouble)
                    self.trouble, errors = None, 0
                    yield packet
                self.ended = True
                return
            except av.EOFError:
                self.ended = True
                return
            except TimeoutError:
                self.trouble = self._waited()
                return
            except (av.FFmpegError, OSError) as error:
                # Reading may be possible further on; if not, the same comes again and again.
                self.trouble = reason_of(error)
                errors += 1

    def unread(self, packets: Iterable[Any]) -> None:
        """Puts packets back, to be given once more."""
        self._unread.extend(packets)

    def seek(self, ticks: int) -> bool:
        """To the key frame at or before the time, as the container's index has it; False: not."""
        import av

        self._unread.clear()
        try:
            self.container.seek(ticks, stream=self.stream, backward=True)
        except (av.FFmpegError, OSError):
            return False
        return True

    def _close_container(self) -> None:
        hangs = isinstance(self._within, TimeLimit) and self._within.is_over
        if self.container is not None and not hangs:
            self.container.close()
        self.container = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        self._close_container()
        if isinstance(self._within, TimeLimit):
            self._within.close()


def _absence(path: str) -> str:
    """Why there is nothing."""
    if os.path.islink(path):
        return f"is a link to {os.readlink(path)}, which is not there"
    return "no such file or folder"


def is_regular_file(path: str) -> bool:
    """Whether it is a file on this machine, and no pipe, device, folder or address."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def reason_of(error: BaseException) -> str:
    """An exception's text without errno and file name."""
    return getattr(error, "strerror", None) or first_line(error)
