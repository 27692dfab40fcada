"""What single runs fitted, drawn over their data."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.report.arrangement import Arrangement, Lookup, arm_legend, arm_words
from paribus.report.axes import covering
from paribus.report.chart import Panel
from paribus.report.collect import Collected
from paribus.report.drawings import read_drawing
from paribus.report.figures import Figure, panel_title
from paribus.report.palette import COLOURS
from paribus.report.runs import arm_results, chosen_cells, chosen_note, folders
from paribus.report.summaries import quantile
from paribus.study.levels import Cell, canonical, label
from paribus.study.records import FIT_FILE

MOST_PANELS, MOST_POINTS = 6, 300
SMALL = 340

Fit = Mapping[str, Any]


def fit_figures(collected: Collected, arrangement: Arrangement) -> list[Figure]:
    """Fits of one replicate: curves of all arms over the data of one input, or predictions against targets."""
    curves: list[Panel] = []
    scatters: list[Panel] = []
    series_of: set[int] = set()
    lookup = arrangement.lookup(collected.comparison.results)
    chosen = {tuple(map(canonical, cell.values())) for cell in chosen_cells(arrangement)}
    for cell in every_cell(arrangement):
        fits = cell_fits(collected, arrangement, lookup, cell)
        title = panel_title(cell, collected.study)
        lines = {series: fit for series, fit in fits.items() if fit.get("kind") == "curve"}
        if lines and len(curves) < MOST_PANELS:
            curves.append(curve_fit_panel(lines, title))
            series_of |= set(lines)
        if tuple(map(canonical, cell.values())) in chosen:
            for series, fit in fits.items():
                if fit.get("kind") == "scatter" and len(scatters) < MOST_PANELS:
                    arm = arm_words(arrangement.series()[series][1], arrangement, collected.study)
                    scatters.append(scatter_panel(fit, series, ", ".join(part for part in (arm, title) if part)))
    replicate = f"{collected.study.replicate.key} {label(collected.study.replicate.levels[0])}"
    figures = []
    if curves:
        legend = arm_legend(arrangement, series_of, collected.study)
        caption = f"Dots: training data; crosses: outliers. Lines: what each arm fitted. First replicate ({replicate})."
        figures.append(Figure("fits", "Fitted curves", caption, tuple(curves), legend, capped(curves)))
    if scatters:
        note = f"{chosen_note(arrangement)} {capped(scatters)}".strip()
        caption = f"Predictions for held-out data; on the line they are exact. The first replicate ({replicate})."
        figures.append(Figure("predictions", "Predictions against targets", caption, tuple(scatters), note=note))
    return figures


def capped(panels: Sequence[Panel]) -> str:
    """A note where there may be more than is drawn."""
    return f"At most {MOST_PANELS} panels are drawn." if len(panels) == MOST_PANELS else ""


def every_cell(arrangement: Arrangement) -> list[Cell]:
    """Every combination of the panels' factors and the numeric one."""
    across = arrangement.across
    if across is None:
        return arrangement.panel_cells()
    return [{**cell, across.name: level} for cell in arrangement.panel_cells() for level in across.levels]


def cell_fits(collected: Collected, arrangement: Arrangement, lookup: Lookup, cell: Cell) -> dict[int, Fit]:
    """The fit of each arm in `cell` for the first replicate that left one."""
    fits = {}
    for series, results in arm_results(lookup, arrangement, cell).items():
        ordered = sorted(results, key=lambda result: collected.study.replicate.levels.index(result.replicate))
        path = next(iter(folders(collected, ordered, FIT_FILE)), None)
        if path:
            fits[series] = read_fit(path)
    return {series: fit for series, fit in fits.items() if fit}


def read_fit(path: Path) -> Fit:
    """The fit in `path`; empty if it is not one."""
    wanted = {"curve": ("x", "y", "grid", "prediction"), "scatter": ("target", "prediction")}
    fit = read_drawing(path, *wanted)
    return fit if fit and all(isinstance(fit.get(name), list) and fit[name] for name in wanted[fit["kind"]]) else {}


def curve_fit_panel(fits: Mapping[int, Fit], title: str) -> Panel:
    """The data of one run, outliers marked, and every arm's curve."""
    data = next(iter(fits.values()))
    points = list(zip(data["x"], data["y"], data.get("outlier") or [False] * len(data["x"]), strict=True))
    stride = math.ceil(len(points) / MOST_POINTS)
    points = points[::stride]
    x = covering([*data["x"], *data["grid"]], "input", pad=0.03)
    panel = Panel(
        x, covering([y for _, y, _ in points], "target"), title, f"Fits over the data. {title}", width=SMALL, height=250
    )
    panel.dots([(a, b) for a, b, outlier in points if not outlier])
    panel.crosses([(a, b) for a, b, outlier in points if outlier])
    for series, fit in fits.items():
        panel.line(fit["grid"], fit["prediction"], series)
        end = len(fit["grid"]) * (2 * list(fits).index(series) + 1) // (2 * len(fits))
        panel.mark(fit["grid"][end], fit["prediction"][end], series)
    return panel


def scatter_panel(fit: Fit, series: int, title: str) -> Panel:
    """Predictions against targets, with the line on which they are equal."""
    pairs = list(zip(fit["target"], fit["prediction"], strict=True))
    pairs = pairs[:: math.ceil(len(pairs) / MOST_POINTS)]
    axis = covering(fit["target"], "target")
    predictions = covering(
        [*fit["target"], *(quantile(fit["prediction"], share) for share in (0.01, 0.99))], "prediction"
    )
    panel = Panel(axis, predictions, title, f"Predictions against targets. {title}", width=SMALL, height=250)
    panel.add(None, diagonal(panel))
    panel.dots(pairs, f"point fill{series % COLOURS}")
    return panel


def diagonal(panel: Panel) -> str:
    """The line on which prediction and target are equal."""
    (first, start), (last, end) = (panel.at(value, value) for value in (panel.x.low, panel.x.high))
    return f'<path class="zero" d="M{first:.1f},{start:.1f}L{last:.1f},{end:.1f}"/>'
