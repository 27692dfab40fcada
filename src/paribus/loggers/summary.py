"""What a whole study shows: its verdicts, its results, its comparisons, its failures, its figures, its page."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.loggers.exhibit import Exhibit, Picture, Table
from paribus.report import ReportFiles
from paribus.study.factors import Metric
from paribus.study.telling import estimate_text
from paribus.study.verdicts import Verdict

VERDICT_COLUMNS = ("verdict", "claim", "metric", "sentence", "estimate", "low", "high", "adjusted p", "n", "reason")
FIGURES = "figures"
SCALE = 2.0
"""Pixels for each of a figure's own."""


def summary_exhibit(files: ReportFiles) -> Exhibit:
    """The files of a report in the form that loggers show."""
    results, comparisons = csv_table(files.results), csv_table(files.comparisons)
    status = results.columns.index("status")
    failures = [row for row in results.rows if row[status] != "finished"]
    tables = {
        "verdicts": Table(VERDICT_COLUMNS, [cells for verdict in files.verdicts for cells in verdict_rows(verdict)]),
        "results": results,
        "comparisons": comparisons,
        "failures": Table(results.columns, failures),
    }
    return Exhibit(
        tables,
        {f"{FIGURES}/{path.stem}": Picture(as_png(path), path.stem) for path in files.figures},
        {"report": files.page},
    )


def verdict_rows(verdict: Verdict) -> list[list[Any]]:
    """A row for each finding of a verdict; one for a claim that could not be evaluated."""
    said = [verdict.status, verdict.id, verdict.metric, verdict.sentence]
    rows = [
        [*said, estimate_text(each), finite(each.low), finite(each.high), verdict.p_adjusted, each.n, verdict.reason]
        for each in verdict.findings
    ]
    return rows or [[*said, "", None, None, None, 0, verdict.reason]]


def csv_table(path: Path) -> Table:
    """A CSV file of the report; cells are numbers where all of their column are."""
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    columns = [numbers_or_texts(cells) for cells in zip(*rows, strict=True)]  # none where there is no row
    return Table(tuple(header), [list(row) for row in zip(*columns, strict=True)])


def numbers_or_texts(cells: Sequence[str]) -> list[float | None] | list[str]:
    """A column as numbers, None where it is empty or not finite; as it is, if some cell is not a number."""
    try:
        return [finite(float(cell)) if cell else None for cell in cells]
    except ValueError:
        return list(cells)


def finite(value: float | None) -> float | None:
    """The number, or None for what tables elsewhere cannot hold."""
    return value if value is not None and math.isfinite(value) else None


def figure_name(metric: Metric) -> str:
    """What the report's figure of a metric is called."""
    return f"{FIGURES}/metric-{metric.name}"


def as_png(path: Path) -> bytes:
    """A figure as pixels."""
    if path.suffix == ".png":
        return path.read_bytes()
    import vl_convert

    return bytes(vl_convert.svg_to_png(path.read_text(), scale=SCALE))


def summary_config(name: str, study: Mapping[str, Any] | None) -> dict[str, Any]:
    """The config of a study's summary."""
    return {"name": name, "seed": 0, "study": study}
