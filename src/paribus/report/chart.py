"""Panels drawn as SVG text: light, sharp at any size, in the colours of the page around them."""

import math
import re
from collections.abc import Callable, Sequence
from html import escape

from paribus.report.axes import Axis
from paribus.report.lettering import EDGE, LINE_HEIGHT, centred, fitted, text_width, titled
from paribus.report.palette import COLOURS, LIGHT, STYLE, dash, marker, swatch

SHEET = 1280
"""Width of a file of panels, at most."""


class Panel:
    """One pair of axes and what is drawn between them, in the order of the calls.

    Args:
        x: the horizontal axis.
        y: the vertical axis.
        title: stands above the panel.
        description: what the panel shows, for readers who cannot see it.
        width, height: in units of which the page shows about one a pixel; a title or name of the horizontal axis of
            several lines makes it higher.

    Attributes:
        cut: whether any interval goes on beyond the axes.
    """

    def __init__(
        self,
        x: Axis,
        y: Axis,
        title: str = "",
        description: str = "",
        width: int = 440,
        height: int = 300,
    ) -> None:
        self.x, self.y, self.title = x, y, title
        self.description, self.width, self.height = description, width, height
        self.title_lines, self.x_lines, self.y_lines = (
            fitted(text, room - 2 * EDGE) for text, room in ((title, width), (x.label, width), (y.label, height))
        )
        self.height += LINE_HEIGHT * (max(len(self.title_lines), 1) + max(len(self.x_lines), 1) - 2)
        self.top = 11 + LINE_HEIGHT * len(self.title_lines) if title else 10
        self.inner_height = self.height - self.top - (29 + LINE_HEIGHT * len(self.x_lines) if x.label else 28)
        widest = max((text_width(text) for _, text in self.y_ticks()), default=0.0)
        self.left = 12 + widest + (1 + LINE_HEIGHT * len(self.y_lines) if y.label else 0)
        self.inner_width = width - self.left - 14
        self.gridded, self.cut = True, False
        self.marks: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point inside the axes."""
        return self.x.place(x) * self.inner_width, (1 - self.y.place(y)) * self.inner_height

    def line(self, xs: Sequence[float], ys: Sequence[float], series: int, shift: float = 0.0) -> None:
        """Join the points; a value that cannot be placed breaks the line, `shift` moves it sideways."""
        pieces, pen = [], "M"
        for x, y in zip(xs, ys, strict=True):
            if self.x.has(x) and self.y.has(y):
                across, down = self.at(x, y)
                pieces.append(f"{pen}{across + shift:.1f},{down:.1f}")
            pen = "L" if self.x.has(x) and self.y.has(y) else "M"
        self.add(series, f'<path class="line stroke{series % COLOURS}"{dash(series)} d="{"".join(pieces)}"/>')

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], series: int) -> None:
        """Fill between two lines."""
        kept = [row for row in zip(xs, lows, highs, strict=True) if all(map(math.isfinite, row)) and self.x.has(row[0])]
        floor = self.y.low
        points = [self.at(x, high if self.y.has(high) else floor) for x, _, high in kept]
        points += [self.at(x, low if self.y.has(low) else floor) for x, low, _ in reversed(kept)]
        if points:
            path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + "Z"
            self.add(series, f'<path class="band fill{series % COLOURS}" d="{path}"/>')

    def mark(self, x: float, y: float, series: int, hint: str = "", radius: float = 4.0, shift: float = 0.0) -> None:
        """A series' marker; `hint` appears when the pointer rests on it, `shift` moves it sideways."""
        if self.x.has(x) and self.y.has(y):
            across, down = self.at(x, y)
            self.add(
                series,
                f'<path class="mark fill{series % COLOURS}" transform="translate({across + shift:.1f},{down:.1f})" '
                f'd="{marker(series, radius)}">{titled(hint)}</path>',
            )

    def whisker(self, x: float, low: float, high: float, series: int, shift: float = 0.0) -> None:
        """A vertical interval; an arrow where it goes on beyond the axis."""
        if self.x.has(x) and not math.isnan(low + high):
            across = self.x.place(x) * self.inner_width + shift
            ends = [((1 - place) * self.inner_height, way) for place, way in self.y.ends(low, high)]
            path = f"M{across:.1f},{ends[0][0]:.1f}V{ends[1][0]:.1f}"
            for down, way in ends:
                path += f"M{across - 3:.1f},{down + 5 * way:.1f}l3,{-5 * way}l3,{5 * way}"
            self._interval(f"whisker stroke{series % COLOURS}", path, ends, series)

    def level_whisker(self, low: float, high: float, y: float, series: int) -> None:
        """A horizontal interval with ends like those of `whisker`."""
        if self.y.has(y) and not math.isnan(low + high):
            self._level(low, high, y, f"whisker stroke{series % COLOURS}", (3, 5), series)

    def bar(self, low: float, high: float, y: float, style: str, hint: str = "") -> None:
        """A horizontal interval in a style of the chart's CSS, bare but for an arrow where it goes on."""
        if not math.isnan(low + high):
            self._level(low, high, y, style, (0, 8), None, hint)

    def _level(
        self,
        low: float,
        high: float,
        y: float,
        style: str,
        sizes: tuple[int, int],
        series: int | None,
        hint: str = "",
    ) -> None:
        level = (1 - self.y.place(y)) * self.inner_height
        ends = [(place * self.inner_width, way) for place, way in self.x.ends(low, high)]
        path = f"M{ends[0][0]:.1f},{level:.1f}H{ends[1][0]:.1f}"
        for across, way in ends:
            half, back = sizes[abs(way)], -sizes[1] * way
            path += f"M{across + back:.1f},{level - half:.1f}l{-back},{half}l{back},{half}" if half else ""
        self._interval(style, path, ends, series, hint)

    def _interval(
        self, style: str, path: str, ends: Sequence[tuple[float, int]], series: int | None, hint: str = ""
    ) -> None:
        self.cut |= any(way for _, way in ends)
        self.add(series, f'<path class="{style}" d="{path}">{titled(hint)}</path>')

    def dots(self, points: Sequence[tuple[float, float]], style: str = "dot", radius: float = 2.6) -> None:
        """Many small circles as one path."""
        placed = [self.at(x, y) for x, y in points if self.x.has(x) and self.y.has(y)]
        path = "".join(
            f"M{x - radius:.1f},{y:.1f}a{radius},{radius} 0 1 0 {2 * radius},0a{radius},{radius} 0 1 0 -{2 * radius},0"
            for x, y in placed
        )
        self.add(None, f'<path class="{style}" d="{path}"/>')

    def crosses(self, points: Sequence[tuple[float, float]], radius: float = 3.2) -> None:
        """Many small crosses as one path."""
        r = radius
        placed = [self.at(x, y) for x, y in points if self.x.has(x) and self.y.has(y)]
        path = "".join(f"M{x - r:.1f},{y - r:.1f}l{2 * r},{2 * r}m0,-{2 * r}l-{2 * r},{2 * r}" for x, y in placed)
        self.add(None, f'<path class="cross" d="{path}"/>')

    def rule(self, value: float, style: str) -> None:
        """A vertical line through the whole panel at `value` of the horizontal axis."""
        if self.x.has(value):
            across = self.x.place(value) * self.inner_width
            self.add(None, f'<path class="{style}" d="M{across:.1f},0V{self.inner_height:.1f}"/>')

    def zone(self, low: float, high: float) -> None:
        """Shade the panel between two values of the horizontal axis."""
        first, last = (
            min(max(self.x.place(value), 0), 1) * self.inner_width if self.x.has(value) else edge
            for value, edge in ((low, 0.0), (high, self.inner_width))
        )
        self.add(
            None,
            f'<rect class="zone" x="{first:.1f}" y="0" width="{max(last - first, 0):.1f}" '
            f'height="{self.inner_height:.1f}"/>',
        )

    def add(self, series: int | None, element: str) -> None:
        """Put an element into the panel, as part of a series or of none."""
        self.marks.append(element if series is None else f'<g data-series="{series}">{element}</g>')

    def y_ticks(self) -> list[tuple[float, str]]:
        """The ticks of the vertical axis, as many as have room."""
        return self.y.ticks(max(3, int(self.inner_height / 45)))

    def group(self) -> str:
        """The panel's elements, from its upper left corner."""
        right, bottom = self.left + self.inner_width, self.top + self.inner_height
        parts = []
        start = max(EDGE, min([self.left, *(self.width - EDGE - text_width(text) for text in self.title_lines)]))
        for index, text in enumerate(self.title_lines, start=1):
            parts.append(f'<text class="title" x="{start:.1f}" y="{LINE_HEIGHT * index}">{escape(text)}</text>')
        for value, text in self.y_ticks():
            level = bottom - self.y.place(value) * self.inner_height
            if self.gridded:
                parts.append(f'<path class="grid" d="M{self.left:.1f},{level:.1f}H{right:.1f}"/>')
            place = f'x="{self.left - 6:.1f}" y="{level + 4:.1f}" text-anchor="end"'
            parts.append(f'<text class="tick" {place}>{escape(text)}</text>')
        for value, text in self.x.ticks(max(3, int(self.inner_width / 70))):
            across = self.left + self.x.place(value) * self.inner_width
            parts.append(f'<path class="axis" d="M{across:.1f},{bottom:.1f}v4"/>')
            parts.append(
                f'<text class="tick" x="{across:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{escape(text)}</text>'
            )
        parts.append(f'<path class="axis" d="M{self.left:.1f},{bottom:.1f}H{right:.1f}"/>')
        for index, text in enumerate(self.x_lines):
            across = centred(text, self.left + self.inner_width / 2, self.width)
            foot = self.height - 8 - LINE_HEIGHT * (len(self.x_lines) - 1 - index)
            parts.append(f'<text x="{across:.1f}" y="{foot}" text-anchor="middle">{escape(text)}</text>')
        for index, text in enumerate(self.y_lines):
            level = centred(text, self.top + self.inner_height / 2, self.height)
            turn = f"translate({13 + LINE_HEIGHT * index},{level:.1f}) rotate(-90)"
            parts.append(f'<text transform="{turn}" text-anchor="middle">{escape(text)}</text>')
        parts.append(
            f'<svg x="{self.left:.1f}" y="{self.top}" width="{self.inner_width:.1f}" '
            f'height="{self.inner_height:.1f}">{"".join(self.marks)}</svg>'
        )
        return "".join(parts)

    def svg(self) -> str:
        """The panel as an element of a page that has `page_style()`."""
        return (
            f'<svg class="chart panel" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.description or self.title)}">{self.group()}</svg>'
        )


def standalone(panels: Sequence[Panel], legend: Sequence[tuple[int, str]], key: Callable[[int], str] = swatch) -> str:
    """Panels side by side with their legend, as a file that needs no page: light colours, no CSS variables."""
    width, height = max(panel.width for panel in panels), max(panel.height for panel in panels)
    columns = min(SHEET // width, len(panels))
    rows = math.ceil(len(panels) / columns)
    keys, across, head = [], 12.0, 14
    for series, label in legend:
        room = 58 + 7.2 * len(label)
        if across + room > columns * width and across > 12:
            across, head = 12.0, head + 22
        keys.append(
            f'<svg x="{across:.0f}" y="{head}">{key(series)}</svg><text x="{across + 40:.0f}" y="{head + 12}">'
            f"{escape(label)}</text>"
        )
        across += room
    head = head + 30 if legend else 0
    body = "".join(
        f'<g transform="translate({index % columns * width},{head + index // columns * height})">{panel.group()}</g>'
        for index, panel in enumerate(panels)
    )
    style = re.sub(r"var\(--(\w+)\)", lambda match: LIGHT[match[1]], STYLE)
    size = f"{columns * width} {head + rows * height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {size}" '
        f'width="{columns * width}" height="{head + rows * height}"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{"".join(keys)}{body}</svg>\n'
    )
