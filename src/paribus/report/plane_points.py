"""What a plane draws: the means of two metrics in each cell, and the metric that is their sum."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from paribus.report.arrangement import Arrangement
from paribus.report.summaries import Summary, mean_interval
from paribus.study.comparison import Comparison, Result
from paribus.study.factors import Metric, Plane
from paribus.study.levels import Cell, Level

CLOSE = 1e-3
"""How near a metric has to be to the sum of two others, relative to their sizes, to be that sum."""


@dataclass(frozen=True)
class PlanePoint:
    """One cell's means of both metrics over the replicates that have both.

    Attributes:
        panel: levels of the factors that make panels.
        series, arm: number and level of the arm.
        across: level of the numeric factor.
        x, y: means with their intervals.
        left_out: replicates whose values have no place on the axes.
    """

    panel: Cell
    series: int
    arm: Level
    across: Level
    x: Summary
    y: Summary
    left_out: int


@dataclass(frozen=True)
class Total:
    """A metric that is `sign` times the sum of a plane's two."""

    name: str
    sign: int


def measured(comparison: Comparison, plane: Plane) -> list[Result]:
    """The results that have both metrics."""
    return [result for result in comparison.results if {plane.x, plane.y} <= result.metrics.keys()]


def plane_points(comparison: Comparison, arrangement: Arrangement, plane: Plane) -> list[PlanePoint]:
    """The points of every panel, arm by arm, in ascending order of the numeric factor."""
    x, y = (comparison.study.metric(name) for name in (plane.x, plane.y))
    lookup = arrangement.lookup(measured(comparison, plane))
    points = []
    for cell, panel, series, arm, level in cells(arrangement):
        both = [(result.metrics[x.name], result.metrics[y.name]) for result in lookup.at(cell)]
        used = [(one, other) for one, other in both if has_place(one, x) and has_place(other, y)]
        if used:
            across, up = (mean_interval([pair[axis] for pair in used], (x, y)[axis].scale) for axis in (0, 1))
            points.append(PlanePoint(panel, series, arm, level, across, up, len(both) - len(used)))
    return points


def cells(arrangement: Arrangement) -> Iterator[tuple[Cell, Cell, int, Level, Level]]:
    """Every cell with its panel, the number and level of its arm, and its level of the numeric factor, ascending."""
    compared, across = arrangement.compared, arrangement.across
    levels = sorted(across.levels, key=float) if across else [None]  # type: ignore[arg-type]
    for panel, (series, arm), level in product(arrangement.panel_cells(), arrangement.series(), levels):
        inner = {factor.name: own for factor, own in ((compared, arm), (across, level)) if factor}
        yield {**panel, **inner}, panel, series, arm, level


def has_place(value: float, metric: Metric) -> bool:
    """Whether a value can be drawn on the metric's axis."""
    return math.isfinite(value) and (value > 0 or metric.scale == "linear")


def total_of(comparison: Comparison, plane: Plane) -> Total | None:
    """The metric that every run measured as the sum of the plane's two, or as its negative; None if there is none.

    Both must be linear and in one unit, so that a sum means something.
    """
    x, y = (comparison.study.metric(name) for name in (plane.x, plane.y))
    if x.unit != y.unit or not x.unit or "log" in (x.scale, y.scale):
        return None
    runs = [
        result.metrics
        for result in measured(comparison, plane)
        if math.isfinite(result.metrics[plane.x]) and math.isfinite(result.metrics[plane.y])
    ]
    declared = [metric.name for metric in comparison.study.metrics]
    names = dict.fromkeys([*declared, *(name for metrics in runs for name in metrics)])
    candidates = (Total(name, sign) for name in names if name not in (x.name, y.name) for sign in (-1, 1))
    return next((each for each in candidates if runs and is_total(each, plane, runs)), None)


def is_total(total: Total, plane: Plane, runs: Sequence[Mapping[str, float]]) -> bool:
    """Whether the metric has that value in all `runs`."""
    for metrics in runs:
        x, y = metrics[plane.x], metrics[plane.y]
        if not abs(metrics.get(total.name, math.nan) - total.sign * (x + y)) <= CLOSE * (abs(x) + abs(y)):
            return False
    return True
