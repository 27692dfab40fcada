"""Learning curves by arm, with bands over replicates."""

import csv
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from paribus.report.arrangement import Arrangement, arm_legend
from paribus.report.axes import covering
from paribus.report.chart import Panel
from paribus.report.collect import Collected
from paribus.report.figures import Figure, panel_title
from paribus.report.runs import arm_results, chosen_cells, chosen_note, folders
from paribus.report.summaries import count, quantile
from paribus.study.records import CURVES_FILE
from paribus.study.structure import Study

TRAINING = ("train/loss", "train/reconstruction", "train/discriminator", "train/generator")
"""Phases of the families, whose losses are drawn."""
MOST_PANELS, MOST_RUNS, MOST_STEPS = 4, 20, 120


Curves = Mapping[str, Mapping[float, float]]


def curve_figures(collected: Collected, arrangement: Arrangement) -> list[Figure]:
    """Learning curves by arm on held-out data and on training data, as far as all runs logged them."""
    cells = chosen_cells(arrangement)
    lookup = arrangement.lookup(collected.comparison.results)
    panels: list[tuple[str, dict[int, list[Curves]]]] = []
    for cell in cells[:MOST_PANELS]:
        arms: dict[int, list[Curves]] = {
            series: [read_curves(path) for path in islice(folders(collected, results, CURVES_FILE), MOST_RUNS)]
            for series, results in arm_results(lookup, arrangement, cell).items()
        }
        if any(arms.values()):
            panels.append((panel_title(cell, collected.study), arms))
    logged = [set(curves) for _, arms in panels for each in arms.values() for curves in each if curves]
    columns = shown_columns(set.intersection(*logged) if logged else set(), collected.study)
    left_out = len(cells) - len(panels)
    figures = [curve_figure(column, panels, arrangement, left_out, collected.study) for column in columns]
    return [figure for figure in figures if figure.panels]


def curve_figure(
    column: str,
    cells: Sequence[tuple[str, Mapping[int, Sequence[Curves]]]],
    arrangement: Arrangement,
    left_out: int,
    study: Study,
) -> Figure:
    """One column by step: the median over replicates, and the band that holds the middle 80 %."""
    panels = [panel for title, arms in cells if (panel := curve_panel(arms, column, title))]
    drawn = {series for _, arms in cells for series, runs in arms.items() if runs}
    told = [f"Line: median over at most {MOST_RUNS} replicates; band: 10 % to 90 % of them."]
    if column.endswith("/loss") and len(drawn) > 1:
        told.append("Where arms minimise different objectives, each loss is in units of its own: "
                    "compare shapes, not heights.")  # fmt: skip
    more = f"{count(left_out, 'more panel')} left out." if left_out > 0 else ""
    return Figure(
        name=f"curves-{column.replace('/', '-')}",
        title=f"{column} while training",
        caption=" ".join(told),
        note=f"{more}{chosen_note(arrangement)}".strip(),
        panels=tuple(panels),
        legend=arm_legend(arrangement, drawn, study),
    )


def shown_columns(logged: Collection[str], study: Study) -> list[str]:
    """Of the columns that all runs logged: a metric or the loss on held-out data, and the phases' training losses."""
    metrics = [f"val/{metric.name}" for metric in study.metrics]
    held_out = next((name for name in (*metrics, "val/loss") if name in logged), None)
    return [name for name in (held_out, *TRAINING) if name in logged and name is not None]


def read_curves(path: Path) -> dict[str, dict[float, float]]:
    """For each column of `curves.csv`, its values by step; empty cells are skipped, what is no number is NaN."""
    columns: dict[str, dict[float, float]] = {}
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            step = as_number(row.get("step"))
            if math.isnan(step):
                continue
            for name, cell in row.items():
                if name and name != "step" and isinstance(cell, str) and cell.strip():
                    columns.setdefault(name, {})[step] = as_number(cell)
    return columns


def as_number(text: object) -> float:
    """The number that `text` writes; NaN if it writes none."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def curve_panel(arms: Mapping[int, Sequence[Curves]], column: str, title: str) -> Panel | None:
    """The median and the band of each arm; None where no run logged the column."""
    lines: dict[int, list[tuple[float, float, float, float]]] = {}
    for series, runs in arms.items():
        values: dict[float, list[float]] = {}
        for curves in runs:
            for step, value in curves.get(column, {}).items():
                values.setdefault(step, []).append(value)
        shared = sorted(step for step, each in values.items() if 2 * len(each) >= len(runs))
        kept = shared[:: math.ceil(len(shared) / MOST_STEPS)] if shared else []
        lines[series] = [(step, *band(values[step])) for step in kept]
    medians = [row[2] for rows in lines.values() for row in rows if math.isfinite(row[2])]
    if len(medians) < 2:
        return None
    log = min(medians) > 0 and max(medians) > 10 * min(medians)
    ends = [value for rows in lines.values() for row in rows for value in row[1:]]
    x = covering([row[0] for rows in lines.values() for row in rows], "step", pad=0.02)
    panel = Panel(x, covering(robust(ends, medians), column, log), title, f"{column} against step. {title}")
    for series, rows in lines.items():
        steps = [row[0] for row in rows]
        panel.band(steps, [row[1] for row in rows], [row[3] for row in rows], series)
    for series, rows in lines.items():
        panel.line([row[0] for row in rows], [row[2] for row in rows], series)
        if rows:
            panel.mark(rows[-1][0], rows[-1][2], series, radius=4.5)
    return panel


def band(values: Sequence[float]) -> tuple[float, float, float]:
    """The 10 %, 50 % and 90 % quantiles."""
    return quantile(values, 0.1), quantile(values, 0.5), quantile(values, 0.9)


def robust(ends: Iterable[float], medians: Sequence[float]) -> list[float]:
    """The medians, and the bands' ends as far as they do not dwarf them."""
    reach = max(medians) - min(medians)
    return [*medians, *(e for e in ends if min(medians) - reach <= e <= max(medians) + reach)]
