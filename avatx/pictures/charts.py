"""Charts of plain numbers as SVG text that an HTML page can hold: no file, no network, no display.

Widths are those of a phone (360 units of a pixel), so that text stays readable there; a page may
scale them up.
"""

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from avatx.pictures.colours import COUNT, DETECTIONS, INK, NEUTRAL

_WIDTH = 5.0  # inches of 72 units
_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read out
    "svg.hashsalt": "avatx",  # the same numbers give the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


class _Chart:
    """A matplotlib figure without pyplot, so without any state that a program could share."""

    def __init__(self, name: str, height: float, width: float = _WIDTH, **parts):
        import matplotlib

        self._name = name
        self._context = matplotlib.rc_context(_STYLE)
        self._size = (width, height)
        self._parts = parts

    def __enter__(self):
        from matplotlib.figure import Figure

        self._context.__enter__()
        self.figure = Figure(figsize=self._size, layout="constrained")
        self.axes, *self.more = np.ravel(self.figure.subplots(squeeze=False, **self._parts))
        return self

    def __exit__(self, *error):
        self._context.__exit__(*error)

    def svg(self) -> str:
        text = io.StringIO()
        self.figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
        return _embeddable(text.getvalue(), self._name)

    def pixels(self, dots_an_inch: int = 150) -> np.ndarray:
        """[H, W, 3] uint8 on white."""
        return figure_pixels(self.figure, dots_an_inch)


def figure_pixels(figure: Any, dots_an_inch: int) -> np.ndarray:
    """A matplotlib figure as [H, W, 3] uint8, without pyplot and its state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dots_an_inch)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _embeddable(svg: str, name: str) -> str:
    """Without the head of a file of its own, its addresses, and ids that two charts share."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'\s(width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg", f'<svg role="img" aria-label="{name} chart"', 1).strip()


def bars_under_line(
    name: str,
    labels: Sequence[str],
    values: Sequence[float | None],
    sizes: Sequence[int],
    value_label: str,
    size_label: str,
) -> str:
    """Upright bars of values from 0 to 1, and above them a green line of sizes.

    The line has a panel of its own: over the bars it would run through what is written there.

    Args:
      name: for ids, of letters and hyphens.
      labels: under the bars, from the left.
      values: of the bars; None is written as n/a.
      sizes: of the line.
      value_label: of the bars' axis.
      size_label: of the line's axis.
    """
    with _Chart(name, 3.4, nrows=2, sharex=True, height_ratios=[1, 2.2]) as chart:
        line, (axes,), place = chart.axes, chart.more, np.arange(len(labels))
        axes.bar(place, [value or 0.0 for value in values], 0.62, color=NEUTRAL)
        axes.set_xticks(place, labels)
        axes.set_ylabel(value_label)
        axes.set_ylim(0, _headroom(values))
        line.plot(
            place, sizes, color=COUNT, marker="o", markersize=3.5, linewidth=1.4, clip_on=False
        )
        line.set_ylim(0, max([*sizes, 1]) * 1.15)
        line.yaxis.get_major_locator().set_params(integer=True)  # half a person is nobody
        line.set_ylabel(size_label, color=COUNT)
        line.tick_params(axis="y", labelcolor=COUNT)
        line.tick_params(axis="x", length=0)
        chart.figure.align_ylabels()
        for x, value in zip(place, values, strict=True):
            text = "n/a" if value is None else f"{value:.3f}"
            _note(axes, text, (x, value or 0.0), (0, 2), ha="center", va="bottom")
        return chart.svg()


def class_bars(
    name: str,
    labels: Sequence[str],
    values: Sequence[float | None],
    colours: Sequence[str],
    legend: dict[str, str],
    counts: Sequence[int],
    value_label: str,
    count_label: str,
) -> str:
    """A lying bar a class from the top down, and at its right a green line of counts.

    Args:
      name: for ids, of letters and hyphens.
      labels: of the bars, from the top.
      values: in [0, 1]; None is written as n/a.
      colours: of the bars.
      legend: what a colour means, in its order.
      counts: not negative, drawn on a logarithmic axis; zeros are left out of the line.
      value_label: of the axis of the values.
      count_label: of the axis of the counts.
    """
    known = np.array(counts, np.float64)
    known[known <= 0] = np.nan
    counted = bool(np.any(np.isfinite(known)))
    parts: dict[str, Any] = {"ncols": 2, "sharey": True, "width_ratios": [2.2, 1]}
    with _Chart(name, 1.3 + 0.175 * len(labels), **(parts if counted else {})) as chart:
        axes, place = chart.axes, np.arange(len(labels))
        axes.barh(place, [value or 0.0 for value in values], 0.72, color=colours)
        axes.set_yticks(place, [shortened(label) for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(0, _headroom(values))
        axes.set_xlabel(value_label)
        for line in chart.more:
            line.plot(known, place, color=COUNT, marker="o", markersize=2.2, linewidth=1.2)
            line.set_xscale("log")
            low, high = np.nanmin(known), np.nanmax(known)
            line.set_xlim(low / 1.5, high * 1.5)
            # There is room for two numbers: the ends.
            line.set_xticks([low, high] if high > 2 * low else [high])
            line.xaxis.set_major_formatter("{x:.0f}")
            line.xaxis.set_minor_formatter("")
            line.set_xlabel(count_label, color=COUNT)
            line.tick_params(axis="x", labelcolor=COUNT)
            line.tick_params(axis="y", length=0)
        for y, value in zip(place, values, strict=True):
            text = "n/a" if value is None else f"{value:.2f}"
            _note(axes, text, (value or 0.0, y), (2, 0), va="center", fontsize=7)
        _legend(chart, list(legend.items()))
        return chart.svg()


def stacked_bars(
    name: str, labels: Sequence[str], parts: dict[str, Sequence[int]], value_label: str
) -> str:
    """A lying bar a label from the top down, divided by the share of each part.

    Args:
      name: for ids, of letters and hyphens.
      labels: of the bars, from the top.
      parts: name of a part -> its count in each bar; at most as many as `DETECTIONS`.
      value_label: of the axis of the shares.
    """
    counts = np.array([list(one) for one in parts.values()], np.float64)  # [parts, labels]
    series = DETECTIONS[: len(parts)]
    share = counts / np.maximum(counts.sum(axis=0), 1)
    with _Chart(name, 1.25 + (0.175 if len(labels) > 4 else 0.42) * len(labels)) as chart:
        axes, place = chart.axes, np.arange(len(labels))
        left = np.zeros(len(labels))
        for one, colour in zip(share, series, strict=True):
            axes.barh(place, one, 0.78, left, color=colour, edgecolor="white", linewidth=0.4)
            for x, y, width in zip(left, place, one, strict=True):
                if width >= 0.07 and len(labels) <= 4:
                    axes.annotate(
                        f"{width:.0%}",
                        (x + width / 2, y),
                        ha="center",
                        va="center",
                        color=_ink_on(colour),
                    )
            left += one
        axes.set_yticks(place, [shortened(label) for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel(value_label)
        _legend(chart, list(zip(parts, series, strict=True)))
        return chart.svg()


def matrix(
    name: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    row_label: str,
    column_label: str,
) -> str:
    """Shares from 0 to 1 as squares, white to black; with numbers where there is room for them."""
    with _matrix_chart(name, rows, columns, values, row_label, column_label) as chart:
        return chart.svg()


def matrix_picture(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    row_label: str,
    column_label: str,
) -> np.ndarray:
    """As `matrix`, as pixels: [H, W, 3] uint8."""
    with _matrix_chart("", rows, columns, values, row_label, column_label) as chart:
        return chart.pixels()


@contextlib.contextmanager
def _matrix_chart(name, rows, columns, values, row_label, column_label) -> Iterator["_Chart"]:
    values = np.array(values, np.float64).reshape(len(rows), len(columns))
    small = len(columns) <= 16
    cell = 0.29 if small else 0.165
    size = (max(_WIDTH, 1.9 + cell * len(columns)), 1.9 + cell * len(rows))
    with _Chart(name, size[1], size[0]) as chart:
        axes = chart.axes
        axes.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        axes.set_xticks(range(len(columns)), [shortened(label, 22) for label in columns])
        axes.tick_params(axis="x", rotation=90, length=0)
        axes.tick_params(axis="y", length=0)
        axes.set_yticks(range(len(rows)), [shortened(label, 22) for label in rows])
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set_ylabel(row_label)
        axes.set_xlabel(column_label)
        if small:
            for y, x in np.argwhere(values >= 0.005):
                axes.annotate(
                    f"{100 * values[y, x]:.0f}",
                    (x, y),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if values[y, x] > 0.6 else INK,
                )
        yield chart


def shortened(label: str, length: int = 26) -> str:
    """The label, cut with an ellipsis."""
    return label if len(label) <= length else label[: length - 1].rstrip() + "…"


def _ink_on(colour: str) -> str:
    """White on a dark colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 140 else INK


def _headroom(values: Sequence[float | None]) -> float:
    """The end of an axis of shares: a little more than the highest value, 1.08 at most."""
    highest = max((value for value in values if value is not None), default=0.0)
    return min(max(highest * 1.18, 0.05), 1.12)


def _note(axes, text: str, at, offset, **style) -> None:
    """Writes beside a point, `offset` in points."""
    axes.annotate(text, at, offset, textcoords="offset points", **style)


def _legend(chart: _Chart, entries: list[tuple[str, str]]) -> None:
    if not entries:
        return
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for label, colour in entries]
    columns = 2 if len(entries) > 3 else len(entries)
    chart.figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
        columnspacing=1.2,
        handlelength=1.2,
    )
