"""Figure 4 as files: sheets and videos of attention and of key embeddings over the frames.

`figure4.png` is the paper's figure: a row a moment, with all units' keys and the last layer's
mean attention. `attention.png`, `keys.png` and the mp4 of the same names show the rest of time.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from avatx.atomic_folder import atomic_files
from avatx.core.people import Attended
from avatx.data.input.clip_source import Clip
from avatx.data.video.video_writer import VideoWriter
from avatx.pictures.attention import (
    attention_sheet,
    attention_tile,
    draw_box,
    spread_cells,
    titled,
)
from avatx.pictures.boxes import say_person, upscale
from avatx.pictures.contact_sheet import Tile, contact_sheet
from avatx.pictures.embedding import paint, unit_colours

_SHORTER_SIDE = 240  # to which small frames are enlarged
_MOMENTS = 3  # rows of figure4.png
_COLUMNS = 6  # moments of keys.png and attention.png
_PAGE_WIDTH = 900  # pixels that figure4.png is shown at
_HOW_TO_READ = (
    "Two places of one colour are alike to that head (its keys; no colour has a meaning of its "
    "own); at the right what the person's query attends to: the brighter, the more."
)
_SHORTEST_VIDEO = 3.0  # seconds; a shorter clip is played slower


class AttentionFigure:
    """The pictures of one person of one clip.

    Args:
      clip: T frames; flow is not drawn. Captions say the time of each frame shown.
      attended: what the model said of it.
      frame_rate: of the clip.
      title: names video, time and person.
    """

    def __init__(self, clip: Clip, attended: Attended, frame_rate: float, title: str):
        self._clip = np.stack([upscale(frame, _SHORTER_SIDE) for frame in clip.frames[..., :3]])
        self._seconds = clip.seconds
        self._attended = attended
        self._frame_rate = frame_rate
        self._title = title
        self._colours, self._explained = unit_colours(attended.keys)

    def write(
        self, folder: str, progress: Callable[[int, int], None] = lambda done, count: None
    ) -> list[str]:
        """Writes every file; returns their names.

        Args:
          folder: made if it is not there.
          progress: called with the pictures drawn so far, frames of videos too, and their number.

        Raises:
          UserError: the folder cannot be written.
        """
        sheets = {
            "figure4.png": self.overview,
            "attention.png": self.attention_sheet,
            "keys.png": self.keys_sheet,
        }
        videos = {"attention.mp4": self.attention_frame, "keys.mp4": self.keys_frame}
        count = len(sheets) + len(videos) * len(self._clip)
        with atomic_files(folder) as work:
            for done, (name, sheet) in enumerate(sheets.items(), 1):
                Image.fromarray(sheet()).save(os.path.join(work, name), optimize=True)
                progress(done, count)
            for name, draw in videos.items():
                for _ in self._write_video(os.path.join(work, name), draw):
                    progress(done := done + 1, count)
        return [*sheets, *videos]

    def overview(self) -> np.ndarray:
        """The paper's figure 4."""
        tiles = []
        for cell in self._cells(_MOMENTS):
            frame = self._attended.cells.frame(cell)
            row = [self._person_tile(frame), *self._key_tiles(frame)]
            row.append(self._attention_tiles(frame)[0])
            captions = [f"{self._seconds[frame]:+.2f} s", *self._unit_names(), "attention"]
            tiles += [
                tile._replace(caption=caption) for tile, caption in zip(row, captions, strict=True)
            ]
        title = f"{titled(self._title, self._attended.person)}. {_HOW_TO_READ}"
        columns = len(tiles) // len(self._cells(_MOMENTS))
        return contact_sheet(tiles, columns, 240, title, page_width=_PAGE_WIDTH)

    def _unit_names(self) -> list[str]:
        layers, heads = self._colours.shape[:2]
        return [f"layer {i + 1} head {k + 1}" for i in range(layers) for k in range(heads)]

    def attention_sheet(self) -> np.ndarray:
        """The last layer's attention: mean over heads and each head, over time."""
        return attention_sheet(
            self._clip,
            self._seconds,
            self._attended.person,
            self._attended.attention,
            self._attended.cells,
            columns=_COLUMNS,
            title=f"{self._title}: what the last layer attends to (share of it in each frame)",
        )

    def keys_sheet(self) -> np.ndarray:
        """The keys of every unit over time, under the frames."""
        frames = [self._attended.cells.frame(cell) for cell in self._cells(_COLUMNS)]
        tiles = [self._person_tile(frame) for frame in frames]
        by_frame = [self._key_tiles(frame) for frame in frames]
        tiles += [tile for unit in zip(*by_frame, strict=True) for tile in unit]
        title = f"{self._title}: keys of each unit (share of variance that the three colours show)"
        return contact_sheet(tiles, len(frames), 320, titled(title, self._attended.person))

    def attention_frame(self, frame: int) -> np.ndarray:
        """One frame of attention.mp4."""
        tiles = [self._person_tile(frame), *self._attention_tiles(frame)]
        return contact_sheet(tiles, 2, 400, say_person(self._attended.person))

    def keys_frame(self, frame: int) -> np.ndarray:
        """One frame of keys.mp4: a row a layer, the frame itself at its left."""
        heads = self._colours.shape[1]
        units = self._key_tiles(frame)
        tiles = []
        for layer in range(self._colours.shape[0]):
            person = self._person_tile(frame)
            tiles += [person, *units[layer * heads : (layer + 1) * heads]]
        return contact_sheet(tiles, heads + 1, 320, say_person(self._attended.person))

    @property
    def _num_cells(self) -> int:
        return self._attended.attention.shape[2]

    def _cells(self, count: int) -> list[int]:
        return spread_cells(count, self._num_cells)

    def _person_tile(self, frame: int) -> Tile:
        drawn = draw_box(self._clip[frame], self._attended.person.box)
        return Tile(drawn, f"{self._seconds[frame]:+.2f} s from the keyframe")

    def _key_tiles(self, frame: int) -> list[Tile]:
        cells = self._attended.cells
        cell = cells.cell(frame, self._num_cells)
        tiles = []
        for layer, heads in enumerate(self._colours):
            for head, colours in enumerate(heads):
                picture = paint(self._clip[frame], colours[cell], cells)
                picture = draw_box(picture, self._attended.person.box)
                share = self._explained[layer, head]
                tiles.append(Tile(picture, f"layer {layer + 1} head {head + 1} ({share:.0%})"))
        return tiles

    def _attention_tiles(self, frame: int) -> list[Tile]:
        """Mean over heads, then each head, of the last layer."""
        cells = self._attended.cells
        cell = cells.cell(frame, self._num_cells)
        maps = self._attended.attention[-1]  # [heads, T', H', W']
        rows = [("attention, mean of heads", maps.mean(axis=0))]
        if len(maps) > 1:
            rows += [(f"attention, head {head + 1}", one) for head, one in enumerate(maps)]
        box = self._attended.person.box
        return [
            attention_tile(self._clip[frame], one, cells, cell, box, name) for name, one in rows
        ]

    def _write_video(self, path: str, draw: Callable[[int], np.ndarray]) -> Iterator[None]:
        """Yields at each frame that is written."""
        count = len(self._clip)
        first = draw(0)
        rate = min(self._frame_rate, count / _SHORTEST_VIDEO)
        with VideoWriter(path, rate, *first.shape[:2]) as writer:
            for frame in range(count):
                writer.write(first if frame == 0 else draw(frame))
                yield
