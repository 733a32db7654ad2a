"""Pictures of what a person's query attended to (paper, figure 4, the columns on the right)."""

import numpy as np

from avatx.core.cell_view import CellView
from avatx.core.people import Person
from avatx.pictures.boxes import draw_people, say_person
from avatx.pictures.contact_sheet import Tile, contact_sheet


def overlay(
    frame: np.ndarray, weights: np.ndarray, cells: CellView, maximum: float | None = None
) -> np.ndarray:
    """Lays an attention map over a frame: the more attention, the brighter and the more opaque.

    Args:
      frame: [H, W, 3] uint8.
      weights: [H', W'] float, not negative; spread smoothly over the frame.
      cells: where they look.
      maximum: the weight that is shown brightest; the map's own by default. Frames of one clip
        take the clip's, so that they compare.

    Returns:
      [H, W, 3] uint8.
    """
    from matplotlib import colormaps

    maximum = float(np.max(weights)) if maximum is None else maximum
    relative = np.clip(np.asarray(weights, np.float32) / max(maximum, 1e-12), 0, 1)
    strength = cells.spread(relative, *frame.shape[:2])[..., np.newaxis]  # [H, W, 1]
    colour = colormaps["inferno"](0.25 + 0.75 * strength[..., 0])[..., :3] * 255
    opacity = 0.15 + 0.7 * strength
    grey = frame.mean(axis=-1, keepdims=True)
    return np.rint(grey * (1 - opacity) + colour * opacity).astype(np.uint8)


def spread_cells(count: int, num_cells: int) -> list[int]:
    """`count` of T' feature cells, spread evenly; all of them where there are fewer."""
    count = min(count, num_cells)
    return [int((i + 0.5) * num_cells / count) for i in range(count)]


def attention_tile(
    frame: np.ndarray, maps: np.ndarray, cells: CellView, cell: int, box: np.ndarray, caption: str
) -> Tile:
    """A frame under the attention of one feature cell, with the box of who attends.

    Args:
      frame: [H, W, 3] uint8.
      maps: [T', H', W'] float, of the clip; its largest weight is shown brightest.
      cells: where they look.
      cell: which of T'.
      box: [4] yxyx, normalised.
      caption: "{share}" in it becomes the cell's share of the clip's attention, in [0, 1].
    """
    picture = overlay(frame, maps[cell], cells, float(maps.max()))
    share = maps[cell].sum() / max(float(maps.sum()), 1e-12)
    return Tile(draw_box(picture, box), caption.format(share=share))


def draw_box(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A frame with the box of who attends, without a label, which would hide what is looked at."""
    return draw_people(frame, [Person(box, ())], {})


def attention_sheet(
    clip: np.ndarray,
    seconds: np.ndarray,
    person: Person,
    attention: np.ndarray,
    cells: CellView,
    layer: int = -1,
    columns: int = 6,
    tile_width: int = 320,
    title: str = "",
) -> np.ndarray:
    """A sheet over time: the frames with the person, the mean over heads, and each head.

    Args:
      clip: [T, H, W, 3] uint8.
      seconds: [T] from the keyframe to each frame, for the captions.
      person: whose query it is; what it does stands in the title.
      attention: [layers, heads, T', H', W'] float.
      cells: where the T' x H' x W' look; each map is laid over the frame that it looks at.
      layer: which layer.
      columns: times shown, spread evenly over T'.
      tile_width: pixels.
      title: a line above everything.

    Returns:
      [H, W, 3] uint8.
    """
    heads, num_cells = attention.shape[1:3]
    shown = spread_cells(columns, num_cells)
    frames = [cells.frame(cell) for cell in shown]
    tiles = [
        Tile(draw_box(clip[frame], person.box), f"{seconds[frame]:+.2f} s") for frame in frames
    ]
    rows = [("mean of heads", attention[layer].mean(axis=0))]
    if heads > 1:
        rows += [(f"head {head + 1}", attention[layer, head]) for head in range(heads)]
    for name, maps in rows:  # maps [T', H', W']
        tiles += [
            attention_tile(clip[frame], maps, cells, cell, person.box, name + ": {share:.0%}")
            for cell, frame in zip(shown, frames, strict=True)
        ]
    return contact_sheet(tiles, len(shown), tile_width, titled(title, person))


def titled(title: str, person: Person) -> str:
    """A sheet's title, and what the person in the box does."""
    return f"{title}. In the box: {say_person(person)}" if person.actions else title
