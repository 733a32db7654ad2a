"""How a picture is turned and mirrored before it is shown, as its display matrix says."""

import math
from typing import Any, NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """Attributes:
    rotation: degrees counter-clockwise, 0, 90, 180 or 270.
    mirrored: left and right change places, after the rotation.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def is_on_its_side(self) -> bool:
        """Whether height and width change places."""
        return self.rotation in (90, 270)

    def apply(self, array: np.ndarray) -> np.ndarray:
        """A picture [H, W, 3] as it is shown."""
        if self.rotation:
            array = np.rot90(array, self.rotation // 90)
        if self.mirrored:
            array = array[:, ::-1]
        return np.ascontiguousarray(array)


def orientation_of(picture: Any) -> Orientation:
    """Of an av.VideoFrame; a matrix that turns by another angle counts as the nearest of these."""
    from av.sidedata.sidedata import Type

    data = picture.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return Orientation()
    # A point (x, y) is shown at (a x + c y, b x + d y), y downwards.
    (a, b, _), (c, d, _), _ = np.frombuffer(data, np.int32).reshape(3, 3).tolist()
    determinant = a * d - b * c
    if not determinant:
        return Orientation()
    clockwise = math.degrees(math.atan2(b, -a if determinant < 0 else a))
    return Orientation(round(-clockwise / 90) * 90 % 360, determinant < 0)
