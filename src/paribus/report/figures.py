"""The main figures: a metric by factor and arm, with intervals over replicates."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from paribus.report.arrangement import Arrangement, arm_words, short
from paribus.report.axes import Axis, covering
from paribus.report.chart import Panel
from paribus.report.palette import COLOURS, swatch
from paribus.report.png import Png
from paribus.report.summaries import Summary, count, exponential, mean_interval
from paribus.study.comparison import Comparison
from paribus.study.factors import Factor, Metric, Scale
from paribus.study.levels import Cell, Level, label
from paribus.study.numbers import interval, number
from paribus.study.structure import Study

MOST_METRICS, MOST_PANELS, MOST_SERIES = 3, 12, 8
FAR = 4
CUT = "An arrow: the interval goes on beyond the axis; the numbers of this figure have its end."


@dataclass(frozen=True)
class Image:
    """A picture of one arm.

    Attributes:
        name: of its file.
        label: the arm, in words.
        description: what it shows, for readers who cannot see it.
        times: how many times its size it is shown.
    """

    name: str
    label: str
    description: str
    png: Png
    times: int


@dataclass(frozen=True)
class Figure:
    """Panels with one legend, or pictures.

    Attributes:
        name: of its file.
        caption: how to read it; stands above the panels.
        note: what it leaves out; stands below them.
        legend: number and label of each series.
        images: pictures instead of panels.
        swatch: draws a series for the legend.
        columns, rows: the numbers that are drawn, as texts.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...] = ()
    legend: tuple[tuple[int, str], ...] = ()
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    images: tuple[Image, ...] = ()
    swatch: Callable[[int], str] = swatch


@dataclass(frozen=True)
class Point:
    """One mean in a figure: where it stands and what it is."""

    panel: Cell
    series: int
    arm: Level
    words: str
    across: Level
    summary: Summary


def metric_figures(comparison: Comparison, arrangement: Arrangement) -> list[Figure]:
    """A figure for each of the first metrics that any run measured."""
    measured = {name for result in comparison.results for name, value in result.metrics.items() if math.isfinite(value)}
    metrics = [metric for metric in comparison.study.metrics if metric.name in measured]
    figures = [metric_figure(comparison, arrangement, metric) for metric in metrics[:MOST_METRICS]]
    return [figure for figure in figures if figure.panels]


def metric_figure(comparison: Comparison, arrangement: Arrangement, metric: Metric) -> Figure:
    """The metric's mean by arm (series), numeric factor (horizontally) and the other factors (panels)."""
    study = comparison.study
    points = [point for point in means(comparison, arrangement, metric) if point.summary.n]
    shown = list(dict.fromkeys(panel_title(point.panel, study) for point in points))
    arms = [(series, arm) for series, arm in arrangement.series() if any(point.series == series for point in points)]
    used = {series for series, _ in arms[:MOST_SERIES]}
    points = [p for p in points if p.series in used]
    draw = draw_across if arrangement.across else draw_arms
    panels = tuple(
        draw([p for p in points if panel_title(p.panel, study) == title], arrangement, metric, title)
        for title in shown[:MOST_PANELS]
    )
    notes = [
        "Intervals of arms may overlap although their paired difference is clear: the comparisons below decide.",
        cut_note(panels),
        undrawn_note(sum(point.summary.left_out for point in points), {metric.scale}),
        left_out_note(len(shown) - MOST_PANELS, "panel"),
        left_out_note(len(arms) - MOST_SERIES, "arm"),
    ]
    across = arrangement.across
    legend = tuple({point.series: point.words for point in points if point.words}.items())
    inside = [factor.name for factor in (across, arrangement.compared) if factor]
    columns = (*(factor.name for factor in arrangement.panels), *inside, "mean", "95 % interval", "n")
    rows = [
        (
            *(label(point.panel[factor.name]) for factor in arrangement.panels),
            *([label(point.across)] if across else []),
            *([label(point.arm)] if arrangement.compared else []),
            number(point.summary.mean, 4),
            interval(point.summary.low, point.summary.high),
            str(point.summary.n),
        )
        for point in points
    ]
    return Figure(
        name=f"metric-{metric.name}",
        title=figure_title(arrangement, metric),
        caption=f"{'Geometric mean' if metric.scale == 'log' else 'Mean'} over replicates with its 95 % interval "
        f"({'log axis, ' if metric.scale == 'log' else ''}{better_way(metric)}).",
        note=" ".join(note for note in notes if note),
        panels=panels,
        legend=legend if across else (),
        columns=columns,
        rows=tuple(rows),
    )


def left_out_note(excess: int, noun: str) -> str:
    """Says how many panels or arms are not drawn; empty if all are."""
    return f"{count(excess, f'more {noun}')} left out; results.csv has all." if excess > 0 else ""


def undrawn_note(values: int, scales: Collection[Scale]) -> str:
    """Says how many values have no place on an axis of these scales; empty if all have."""
    why = f"not finite{' or not positive' if 'log' in scales else ''}"
    return f"{count(values, 'value')} not drawn, since {why}." if values else ""


def cut_note(panels: Iterable[Panel]) -> str:
    """Says what an arrow at an interval means; empty if there is none."""
    return CUT if any(panel.cut for panel in panels) else ""


def figure_title(arrangement: Arrangement, metric: Metric) -> str:
    """The metric by the factors that the figure shows inside its panels."""
    factors = [factor.name.split(".")[-1] for factor in (arrangement.compared, arrangement.across) if factor]
    return metric_title(metric) + (f" by {' and '.join(factors)}" if factors else "")


def means(comparison: Comparison, arrangement: Arrangement, metric: Metric) -> Iterable[Point]:
    """The mean of every drawn cell."""
    lookup = arrangement.lookup(comparison.results)
    for panel in arrangement.panel_cells():
        for series, arm in arrangement.series():
            words = arm_words(arm, arrangement, comparison.study)
            for across in arrangement.across.levels if arrangement.across else [None]:
                cell = dict(panel)
                if arrangement.compared:
                    cell[arrangement.compared.name] = arm
                if arrangement.across:
                    cell[arrangement.across.name] = across
                values = [r.metrics[metric.name] for r in lookup.at(cell) if metric.name in r.metrics]
                yield Point(panel, series, arm, words, across, mean_interval(values, metric.scale))


def draw_across(points: Sequence[Point], arrangement: Arrangement, metric: Metric, title: str) -> Panel:
    """Means against the numeric factor, a line for each arm."""
    factor = arrangement.across
    assert factor is not None
    x = numeric_axis(factor)
    y = covering(
        on_axis([point.summary for point in points], metric.scale), metric_title(metric), metric.scale == "log"
    )
    panel = Panel(x, y, title, f"{metric_title(metric)} against {factor.name}. {title}")
    used = list(dict.fromkeys(point.series for point in points))
    for order, series in enumerate(used):
        mine = [point for point in points if point.series == series]
        shift = 5.0 * (order - (len(used) - 1) / 2) if len(used) > 1 else 0.0
        places = [(float(point.across), point.summary) for point in mine]  # type: ignore[arg-type]
        panel.line([place for place, _ in places], [summary.mean for _, summary in places], series, shift)
        for place, summary in places:
            panel.whisker(place, summary.low, summary.high, series, shift)
            panel.mark(
                place, summary.mean, series, hint(mine[0].words, f"{factor.name}={place:g}", summary), 4.2, shift
            )
    return panel


def draw_arms(points: Sequence[Point], arrangement: Arrangement, metric: Metric, title: str) -> Panel:
    """Means of the arms below each other, where no factor is numeric."""
    rows = len(points)
    marks = [(float(rows - index), point.words or "all runs") for index, point in enumerate(points)]
    panel = Panel(
        covering(
            on_axis([point.summary for point in points], metric.scale), metric_title(metric), metric.scale == "log"
        ),
        Axis(0.4, rows + 0.6, "", marks=marks),
        title,
        f"{metric_title(metric)} of each arm. {title}",
        height=70 + 30 * rows,
    )
    for (level, text), point in zip(marks, points, strict=True):
        panel.bar(point.summary.low, point.summary.high, level, f"whisker stroke{point.series % COLOURS}")
        panel.mark(point.summary.mean, level, point.series, hint(text, "", point.summary), 5)
    return panel


def numeric_axis(factor: Factor) -> Axis:
    """The axis of a numeric factor: a tick at each level, logarithmic where the levels span ratios."""
    levels = sorted(float(level) for level in factor.levels)  # type: ignore[arg-type]
    log = levels[0] > 0 and levels[-1] / levels[0] >= 20
    axis = covering(levels, factor.name.split(".")[-1], log, pad=0.09)
    marks = tuple((level, label(level)) for level in levels) if len(levels) <= 8 else ()
    return Axis(axis.low, axis.high, axis.label, axis.log, marks)


def metric_axis(summaries: Sequence[Summary], metric: Metric, pad: float = 0.06) -> Axis:
    """The axis of a metric, on the metric's scale."""
    return covering(on_axis(summaries, metric.scale), metric_title(metric), metric.scale == "log", pad)


def on_axis(summaries: Sequence[Summary], scale: Scale) -> list[float]:
    """Every value that has to be on the axis.

    An interval's end sets its scale too, but for one so far away that the other intervals and the means would be small
    beside it: farther than `FAR` times the larger of their spread and the median interval's half.
    """
    log = scale == "log"
    to, back = (math.log, exponential) if log else (float, float)
    drawn = [each for each in summaries if math.isfinite(each.mean)]
    means = [to(each.mean) for each in drawn]
    if not means:
        return []
    ends = [
        to(end) for each in drawn for end in (each.low, each.high) if math.isfinite(end) and (end > 0 or to is float)
    ]
    halves = [abs(to(each.high) - to(each.mean)) for each in drawn if math.isfinite(each.high)]
    room = FAR * max(max(means) - min(means), median_low(halves or [0.0]))
    return [*map(back, means), *(back(end) for end in ends if min(means) - room <= end <= max(means) + room)]


def hint(arm: str, where: str, summary: Summary) -> str:
    """What a mark says when the pointer rests on it."""
    names = ", ".join(part for part in (arm, where) if part)
    text = f"{number(summary.mean)} {interval(summary.low, summary.high)}, n = {summary.n}"
    return f"{names}: {text}" if names else text


def metric_title(metric: Metric) -> str:
    """The metric and its unit."""
    return f"{metric.name} ({metric.unit})" if metric.unit else metric.name


def better_way(metric: Metric) -> str:
    """Which way is better, in words."""
    ways = {"minimise": "lower is better", "maximise": "higher is better"}
    return ways.get(metric.direction, "neither way is better")


def panel_title(cell: Cell, study: Study) -> str:
    """The levels of a panel; a bundle's or group's level alone where it speaks for itself."""
    names = [factor.name for factor in (*study.factors, *study.within)]
    return ", ".join(f"{short(name, names)}: {label(level)}" for name, level in cell.items())
