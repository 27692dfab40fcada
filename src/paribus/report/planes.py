"""Planes: one metric against another, a line for each arm, so that a reader sees what is traded for what."""

from collections.abc import Sequence

from paribus.report.arrangement import Arrangement, arm_legend, arm_words, arrange_plane, combinations
from paribus.report.axes import Axis
from paribus.report.collect import Collected
from paribus.report.figures import (
    MOST_PANELS,
    MOST_SERIES,
    Figure,
    cut_note,
    left_out_note,
    metric_axis,
    panel_title,
    undrawn_note,
)
from paribus.report.plane_panel import PlanePanel, point_hint
from paribus.report.plane_points import PlanePoint, Total, measured, plane_points, total_of
from paribus.study.comparison import Comparison
from paribus.study.factors import Metric, Plane
from paribus.study.levels import Cell, label
from paribus.study.numbers import MINUS, interval, number
from paribus.study.structure import Study

MOST_FIGURES = 6
CORNERS = {
    ("minimise", "minimise"): "the lower left corner is the best",
    ("minimise", "maximise"): "the upper left corner is the best",
    ("maximise", "minimise"): "the lower right corner is the best",
    ("maximise", "maximise"): "the upper right corner is the best",
    ("neither", "minimise"): "lower is better",
    ("neither", "maximise"): "higher is better",
    ("minimise", "neither"): "further left is better",
    ("maximise", "neither"): "further right is better",
}


def plane_figures(collected: Collected) -> list[Figure]:
    """For each plane of the study a figure for each data set, whose panels have axes in common."""
    comparison = collected.comparison
    figures = []
    for plane in comparison.study.planes:
        arrangement = arrange_plane(comparison.study, measured(comparison, plane))
        points = plane_points(comparison, arrangement, plane)
        frames = combinations(factor for factor in arrangement.panels if factor.covers("data"))
        framed = [(frame, own) for frame in frames if (own := [point for point in points if within(point, frame)])]
        for order, (frame, own) in enumerate(framed[:MOST_FIGURES], start=1):
            left_out = left_out_note(len(framed) - MOST_FIGURES, "figure")
            figures.append(plane_figure(comparison, arrangement, plane, order, frame, own, left_out))
    return figures


def within(point: PlanePoint, frame: Cell) -> bool:
    """Whether a point's panel has the levels of `frame`."""
    return all(point.panel[name] == level for name, level in frame.items())


def plane_figure(
    comparison: Comparison,
    arrangement: Arrangement,
    plane: Plane,
    order: int,
    frame: Cell,
    points: Sequence[PlanePoint],
    note: str,
) -> Figure:
    """The panels of one data set.

    Args:
        comparison: that the points are of.
        arrangement: roles of the factors.
        plane: its two metrics.
        order: number of the figure among those of the plane.
        frame: the levels that its panels have in common.
        points: all that it draws.
        note: what is to be said below it besides what it leaves out itself.
    """
    study = comparison.study
    metrics = study.metric(plane.x), study.metric(plane.y)
    total = total_of(comparison, plane)
    arms = list(dict.fromkeys((point.series, point.arm) for point in points))
    used = dict(arms[:MOST_SERIES])
    points = [point for point in points if point.series in used]
    axes = (  # with room for the words at the outermost points
        metric_axis([point.x for point in points], metrics[0], 0.1),
        metric_axis([point.y for point in points], metrics[1], 0.1),
    )
    panels: dict[str, list[PlanePoint]] = {}
    for point in points:
        inner = {name: level for name, level in point.panel.items() if name not in frame}
        panels.setdefault(panel_title(inner, study), []).append(point)
    shown = list(panels.items())[:MOST_PANELS]
    drawn = tuple(
        plane_panel(own, axes, title, arrangement, study, plane, total, shown[0][1] if index else ())
        for index, (title, own) in enumerate(shown)
    )
    notes = [
        cut_note(drawn),
        undrawn_note(sum(point.left_out for point in points), {metric.scale for metric in metrics}),
        left_out_note(len(panels) - MOST_PANELS, "panel"),
        left_out_note(len(arms) - MOST_SERIES, "arm"),
        note,
    ]
    return Figure(
        name=f"plane-{plane.name}-{order}",
        title=", ".join(part for part in (f"The {plane.name} plane", panel_title(frame, study)) if part),
        caption=how_to_read(arrangement, metrics, total),
        note=" ".join(each for each in notes if each),
        panels=drawn,
        legend=arm_legend(arrangement, used, study) if arrangement.across else (),
        columns=columns(arrangement, plane),
        rows=tuple(table_row(point, arrangement) for point in points),
    )


def plane_panel(
    points: Sequence[PlanePoint],
    axes: tuple[Axis, Axis],
    title: str,
    arrangement: Arrangement,
    study: Study,
    plane: Plane,
    total: Total | None,
    faint: Sequence[PlanePoint],
) -> PlanePanel:
    """One panel: in full words at the ends of the first line, which tells what the numbers at the others are."""
    across = arrangement.across
    first = [index for index, point in enumerate(points) if point.series == points[0].series]
    ends = {first[0], first[-1]} if across else set()
    name = across.name.split(".")[-1] if across else ""
    levels = [label(point.across) if across else arm_words(point.arm, arrangement, study) for point in points]
    words = [f"{name} = {level}" if index in ends else level for index, level in enumerate(levels)]
    hints = []
    for point, level in zip(points, levels, strict=True):
        arm = arm_words(point.arm, arrangement, study) if across and arrangement.compared else ""
        where = ", ".join(part for part in (arm, f"{name} = {level}" if across else level) if part)
        hints.append(point_hint(point, where, plane.x, plane.y))
    spoken = ". ".join([f"{plane.y} against {plane.x}", *([title] if title else []), *hints])
    return PlanePanel(*axes, points, words, hints, title, spoken, total, faint)


def how_to_read(arrangement: Arrangement, metrics: tuple[Metric, Metric], total: Total | None) -> str:
    """What the marks mean and where good points lie."""
    x, y = metrics
    across = arrangement.across
    name = across.name.split(".")[-1] if across else ""
    of = " of the arm named beside it" if arrangement.compared and not across else ""
    at = f" at the {name} written beside it" if across else ""
    told = [f"Each point is the mean{of} over replicates{at}, with 95 % intervals both ways."]
    if across:
        told.append(f"A line follows {'one arm' if arrangement.compared else 'them'} as {name} grows.")
    if corner := CORNERS.get((x.direction, y.direction)):
        told.append(f"{corner[0].upper()}{corner[1:]}.")
    if total:
        sign = MINUS if total.sign < 0 else ""
        told.append(
            f"Grey diagonals join points of equal {total.name} ({x.name} + {y.name} = {sign}{total.name}): a step "
            "along one only trades, a step across one gains or loses."
        )
    if any(not factor.covers("data") for factor in arrangement.panels):
        told.append("Panels of one figure have the same axes, and repeat the lines of the first in thin grey.")
    return " ".join(told)


def columns(arrangement: Arrangement, plane: Plane) -> tuple[str, ...]:
    """The head of a figure's table."""
    factors = (*arrangement.panels, arrangement.compared, arrangement.across)
    names = (factor.name for factor in factors if factor)
    return (*names, plane.x, "95 % interval", plane.y, "95 % interval", "n")


def table_row(point: PlanePoint, arrangement: Arrangement) -> tuple[str, ...]:
    """The numbers of a point."""
    inner = ((arrangement.compared, point.arm), (arrangement.across, point.across))
    return (
        *(label(point.panel[factor.name]) for factor in arrangement.panels),
        *(label(level) for factor, level in inner if factor),
        *(text for each in (point.x, point.y) for text in (number(each.mean, 4), interval(each.low, each.high))),
        str(point.x.n),
    )
