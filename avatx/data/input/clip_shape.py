"""What one clip is."""

import dataclasses

from avatx.errors import UserError


@dataclasses.dataclass(frozen=True)
class ClipShape:
    """What one clip is: T frames at a rate, each resized to height x width.

    `channels` is 3 for RGB, 5 for RGB and optical flow (x, y).
    """

    num_frames: int
    frame_rate: float  # frames a second
    height: int
    width: int
    channels: int = 3

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise UserError(f"clip {field.name}: {value}; expected more than 0")

    @property
    def has_flow(self) -> bool:
        return self.channels == 5
