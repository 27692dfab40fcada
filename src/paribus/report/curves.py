"""Learning curves by arm, with bands over replicates."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from paribus.report.arrangement import Arrangement
from paribus.report.axes import covering
from paribus.report.chart import Panel
from paribus.report.collect import Collected
from paribus.report.figures import Figure, panel_title
from paribus.report.runs import arm_results, chosen_cells, folders
from paribus.report.summaries import quantile
from paribus.study.levels import Level, label

MOST_PANELS, MOST_RUNS, MOST_STEPS = 4, 20, 120


def curve_figures(collected: Collected, arrangement: Arrangement) -> list[Figure]:
    """Learning curves by arm: the median over replicates, and the band that holds the middle 80 %."""
    panels: list[Panel] = []
    drawn: dict[int, Level] = {}
    column = ""
    cells = chosen_cells(collected, arrangement)
    for cell in cells[:MOST_PANELS]:
        arms = {
            series: [read_curves(path) for path in islice(folders(collected, results, "curves.csv"), MOST_RUNS)]
            for series, results in arm_results(collected, arrangement, cell).items()
        }
        column = column or common_column([curves for each in arms.values() for curves in each], collected)
        panel = curve_panel(arms, column, panel_title(cell, collected.study)) if column else None
        if panel:
            panels.append(panel)
            drawn.update({series: arm for series, arm in arrangement.series() if arms.get(series)})
    if not panels:
        return []
    own = (
        " Where arms minimise different objectives, each loss is in units of its own: compare shapes, not heights."
        if column.endswith("/loss") and len(drawn) > 1
        else ""
    )
    left = len(cells) - len(panels)
    return [
        Figure(
            name="learning-curves",
            title=f"{column} while training",
            caption=f"Line: median over at most {MOST_RUNS} replicates; band: 10 % to 90 % of them.{own}"
            + (f" {left} more panels are left out." if left > 0 else ""),
            panels=tuple(panels),
            legend=tuple((series, label(arm)) for series, arm in sorted(drawn.items()) if arm is not None),
        )
    ]


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


def common_column(curves: Sequence[Mapping[str, Mapping[float, float]]], collected: Collected) -> str:
    """What is drawn: a metric of the study on held-out data if all runs logged it, else a loss."""
    logged = [set(columns) for columns in curves if columns]
    common = set.intersection(*logged) if logged else set()
    metrics = [f"{part}/{metric.name}" for metric in collected.study.metrics for part in ("validation", "val")]
    wanted = (*metrics, "validation/loss", "val/loss", "train/loss", *sorted(common))
    return next((name for name in wanted if name in common and name != "epoch"), "")


def curve_panel(
    arms: Mapping[int, Sequence[Mapping[str, Mapping[float, float]]]], column: str, title: str
) -> Panel | None:
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
