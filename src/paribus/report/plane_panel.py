"""The drawing of a plane: lines of arms with intervals both ways, their levels in words, diagonals of equal sums."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from paribus.report.axes import Axis, linear_ticks
from paribus.report.chart import Panel
from paribus.report.labels import Box, Place, Segment, place_labels
from paribus.report.lettering import text_width
from paribus.report.palette import COLOURS
from paribus.report.plane_points import PlanePoint, Total
from paribus.study.numbers import interval, number

WIDTH, HEIGHT = 460, 400
LINE_HEIGHT = 12.0
RADIUS = 4.2
MOST_DIAGONALS = 6


class PlanePanel(Panel):
    """One metric against another.

    Args:
        x, y: the axes.
        points: of the panel, arm by arm, each in the order in which a line joins them.
        words: what each point says of itself, beside its mark.
        hints: what the pointer shows at each.
        title: of the panel.
        description: for readers who cannot see it.
        total: a metric that is the sum of both, whose equal values are joined by grey diagonals.
        faint: points of another panel, whose lines are repeated in grey for comparison.
    """

    def __init__(
        self,
        x: Axis,
        y: Axis,
        points: Sequence[PlanePoint],
        words: Sequence[str],
        hints: Sequence[str],
        title: str = "",
        description: str = "",
        total: Total | None = None,
        faint: Sequence[PlanePoint] = (),
    ) -> None:
        super().__init__(x, y, title, description, WIDTH, HEIGHT)
        self.gridded = total is None
        places = [self.at(point.x.mean, point.y.mean) for point in points]
        names = self._diagonals(total, places) if total else []
        for own in by_arm(faint):
            self.add(own[0].series, f'<path class="ghost" d="{self._path(own)}"/>')
        for own in by_arm(points):
            self.line([point.x.mean for point in own], [point.y.mean for point in own], own[0].series)
        for point in points:
            self.whisker(point.x.mean, point.y.low, point.y.high, point.series)
            self.level_whisker(point.x.low, point.x.high, point.y.mean, point.series)
        for point, hint in zip(points, hints, strict=True):
            self.mark(point.x.mean, point.y.mean, point.series, hint, RADIUS)
        self._words(points, places, words, names)

    def _path(self, points: Sequence[PlanePoint]) -> str:
        """A line through the points, with a small circle at each."""
        places = [self.at(point.x.mean, point.y.mean) for point in points]
        line = "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
        return f"M{line}" + "".join(f"M{x - 2:.1f},{y:.1f}a2,2 0 1 0 4,0a2,2 0 1 0 -4,0" for x, y in places)

    def _diagonals(self, total: Total, places: Sequence[Place]) -> list[Box]:
        """Lines on which the sum of both metrics is equal, each with its value; the boxes of the values."""
        boxes: list[Box] = []
        lowest, highest = self.x.low + self.y.low, self.x.high + self.y.high
        for value in linear_ticks(lowest, highest, MOST_DIAGONALS):
            start, end = max(self.x.low, value - self.y.high), min(self.x.high, value - self.y.low)
            if end - start < 0.05 * (self.x.high - self.x.low):
                continue
            (x0, y0), (x1, y1) = self.at(start, value - start), self.at(end, value - end)
            self.add(None, f'<path class="iso" d="M{x0:.1f},{y0:.1f}L{x1:.1f},{y1:.1f}"/>')
            text = f"{total.name} {number(total.sign * value, 2)}"
            ends = [self._end(x0, y0, text), self._end(x1, y1, text)]
            far = max(ends, key=lambda box: min((math.dist(box.middle, place) for place in places), default=0.0))
            if not any(far.overlap(other) for other in boxes):
                boxes.append(far)
                self._text(far, text, "isolabel")
        return boxes

    def _end(self, x: float, y: float, text: str) -> Box:
        """The box of a diagonal's value at one of its ends, inside the panel."""
        wide = 0.86 * text_width(text)
        left = min(max(x - wide / 2, 2.0), self.inner_width - wide - 2)
        top = min(max(y - LINE_HEIGHT / 2, 2.0), self.inner_height - LINE_HEIGHT - 2)
        return Box(left, top, left + wide, top + LINE_HEIGHT)

    def _words(
        self, points: Sequence[PlanePoint], places: Sequence[Place], words: Sequence[str], taken: Sequence[Box]
    ) -> None:
        """What each point says, where it covers no mark; a thin line leads to words that found no room close by."""
        marks = [Box(x - RADIUS - 1, y - RADIUS - 1, x + RADIUS + 1, y + RADIUS + 1) for x, y in places]
        sizes = [(text_width(text) + 3, LINE_HEIGHT) for text in words]
        lines = list(self._lines(points, places))
        boxes = place_labels(places, sizes, self.inner_width, self.inner_height, [*marks, *taken], lines)
        for point, place, text, box in zip(points, places, words, boxes, strict=True):
            if box is None or not text:
                continue
            near = min(max(place[0], box.left), box.right), min(max(place[1], box.top), box.bottom)
            if math.dist(near, place) > 4 * RADIUS:
                leader = f"M{place[0]:.1f},{place[1]:.1f}L{near[0]:.1f},{near[1]:.1f}"
                self.add(point.series, f'<path class="leader stroke{point.series % COLOURS}" d="{leader}"/>')
            self._text(box, text, f"said ink{point.series % COLOURS}", point.series)

    def _lines(self, points: Sequence[PlanePoint], places: Sequence[Place]) -> Iterable[Segment]:
        """The lines and intervals that words had better not cross."""
        for (one, start), (other, end) in pairwise(zip(points, places, strict=True)):
            if one.series == other.series:
                yield start, end
        for point, (x, y) in zip(points, places, strict=True):
            if math.isfinite(point.x.low + point.x.high) and self.x.has(point.x.low):
                yield (self.at(point.x.low, point.y.mean)[0], y), (self.at(point.x.high, point.y.mean)[0], y)
            if math.isfinite(point.y.low + point.y.high) and self.y.has(point.y.low):
                yield (x, self.at(point.x.mean, point.y.low)[1]), (x, self.at(point.x.mean, point.y.high)[1])

    def _text(self, box: Box, text: str, style: str, series: int | None = None) -> None:
        across, down = box.middle[0], box.bottom - 2.5
        self.add(
            series,
            f'<text class="{style}" x="{across:.1f}" y="{down:.1f}" text-anchor="middle">{escape(text)}</text>',
        )


def by_arm(points: Sequence[PlanePoint]) -> list[list[PlanePoint]]:
    """The points of each arm, in their order."""
    arms: dict[int, list[PlanePoint]] = {}
    for point in points:
        arms.setdefault(point.series, []).append(point)
    return list(arms.values())


def point_hint(point: PlanePoint, where: str, x: str, y: str) -> str:
    """What a mark says when the pointer rests on it."""
    told = (
        f"{name} {number(mean.mean)} {interval(mean.low, mean.high)}" for name, mean in ((x, point.x), (y, point.y))
    )
    return f"{where + ': ' if where else ''}{', '.join(told)}, n = {point.x.n}"
