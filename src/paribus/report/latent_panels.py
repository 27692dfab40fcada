"""Drawings of codes: where examples of each class lie, and how much each feature carries."""

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from paribus.report.axes import Axis, covering
from paribus.report.chart import Panel
from paribus.report.labels import Box
from paribus.report.latent import Bars
from paribus.report.lettering import text_width, titled
from paribus.report.palette import COLOURS, speck, speck_style
from paribus.report.summaries import quantile
from paribus.study.numbers import number

WIDTH, HEIGHT = 300, 280
MOST_POINTS = 600
MOST_NAMES = 20
LABEL_GAP = 6
"""Between the labels of two bars, at least."""


class CodeMap(Panel):
    """Codes in two dimensions, a colour for each class, in units that are alike both ways.

    Args:
        points: x, y and number of the class of each example; of more than `MOST_POINTS`, evenly spaced ones.
        classes: names of the classes.
        title: stands above the panel.
        description: for readers who cannot see it.
    """

    def __init__(
        self, points: Sequence[tuple[float, float, int]], classes: Sequence[str], title: str, description: str
    ) -> None:
        x, y = (covering([point[axis] for point in points]) for axis in (0, 1))
        super().__init__(x, y, title, description, WIDTH, HEIGHT)
        self.gridded = False
        unit = max((x.high - x.low) / self.inner_width, (y.high - y.low) / self.inner_height)
        self.x, self.y = widened(x, unit * self.inner_width), widened(y, unit * self.inner_height)
        shown = points[:: math.ceil(len(points) / MOST_POINTS)]
        by_class = {label: [(x, y) for x, y, own in points if own == label] for label in range(len(classes))}
        for label in by_class:
            places = [self.at(x, y) for x, y, own in shown if own == label]
            path = "".join(f"M{across:.1f},{down:.1f}{speck(label)}" for across, down in places)
            if path:
                self.add(label, f'<path class="{speck_style(label)}" d="{path}"/>')
        if len(classes) <= MOST_NAMES:
            self._names(by_class, classes)

    def _names(self, by_class: dict[int, list[tuple[float, float]]], classes: Sequence[str]) -> None:
        """Each class's name in its midst, unless another's stands there."""
        taken: list[Box] = []
        for label, points in by_class.items():
            if not points:
                continue
            x, y = self.at(*(quantile([point[axis] for point in points], 0.5) for axis in (0, 1)))
            half = text_width(classes[label]) / 2
            box = Box(x - half, y - 8, x + half, y + 8)
            if not any(box.overlap(other) for other in taken):
                taken.append(box)
                place = f'x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle"'
                self.add(label, f'<text class="said" {place}>{escape(classes[label])}</text>')


class BarPanel(Panel):
    """A bar for each value, in order.

    Args:
        bars: what is drawn; there are labels under as many bars as have room for them.
        low, high: what the vertical axis has to cover besides zero.
        series: whose colour the bars have.
        title: stands above the panel.
        description: for readers who cannot see it.
    """

    def __init__(self, bars: Bars, low: float, high: float, series: int, title: str, description: str) -> None:
        y = covering([0.0, low, high])
        y = replace(y, low=y.low if low < 0 else 0.0)
        super().__init__(Axis(0.4, len(bars.values) + 0.6), y, title, description, WIDTH, 200)
        self.x = replace(self.x, marks=self._marks(bars))
        _, base = self.at(1, 0)
        for place, (value, name) in enumerate(zip(bars.values, bars.names(), strict=True), start=1):
            (left, level), (right, _) = self.at(place - 0.38, value), self.at(place + 0.38, value)
            across = f'x="{left:.1f}" width="{right - left:.1f}"'
            down = f'y="{min(level, base):.1f}" height="{abs(level - base):.1f}"'
            hint = titled(f"{name}: {number(value)}")
            self.add(None, f'<rect class="fill{series % COLOURS}" {across} {down}>{hint}</rect>')

    def _marks(self, bars: Bars) -> tuple[tuple[float, str], ...]:
        """Evenly spaced names: about eight numbers, or as many labels as have room side by side and in the panel."""
        names = bars.names()
        stride, first = math.ceil(len(names) / 8), 1
        if bars.labels:
            slot = self.at(2, 0)[0] - self.at(1, 0)[0]
            stride = math.ceil((max(map(text_width, names)) + LABEL_GAP) / slot)
            first = 1 + (min(stride, len(names)) - 1) // 2
        marks = []
        for place in range(first, len(names) + 1, stride):
            across, half = self.left + self.at(place, 0)[0], text_width(names[place - 1]) / 2
            if half <= across <= self.width - half:
                marks.append((float(place), names[place - 1]))
        return tuple(marks)


def widened(axis: Axis, span: float) -> Axis:
    """The axis with more room on both sides, so that it covers `span`."""
    more = (span - (axis.high - axis.low)) / 2
    return replace(axis, low=axis.low - more, high=axis.high + more)
