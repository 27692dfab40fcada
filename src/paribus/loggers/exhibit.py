"""What a run left to be looked at, in a form that any logger can show: tables, charts of tables, pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from paribus.report.diagrams import run_diagrams
from paribus.report.fits import read_fit
from paribus.report.latent import Latent
from paribus.report.pictures import times
from paribus.study.levels import label
from paribus.study.records import FIT_FILE, RunRecord


@dataclass(frozen=True)
class Chart:
    """How a table is drawn: `y` against `x`. Of several `y` each is a line of its own."""

    kind: Literal["line", "scatter", "bar"]
    title: str
    x: str
    y: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table, and how it is drawn if it is."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    chart: Chart | None = None

    def column(self, name: str) -> list[Any]:
        """The cells of a column."""
        return [row[self.columns.index(name)] for row in self.rows]


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Exhibit:
    """Tables, pictures and pages of HTML, by name."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    pages: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, record: RunRecord, folder: Path) -> "Exhibit":
        """What the run in `folder` left; what is damaged is left out, as in the report."""
        rows = {"evaluation/rows": rows_table(record)} if record.rows else {}
        path = folder / FIT_FILE
        if not path.exists() or record.status != "finished":
            return cls(rows)
        latent = Latent.read(path)
        tables = rows | reliability_tables(path) | fit_tables(path) | (latent_tables(latent) if latent else {})
        pictures = {
            f"pictures/{words.name}": Picture(png.enlarged(times(png)), f"{words.title}. {words.caption}")
            for words, png in (latent.pictures if latent else {}).items()
        }
        return cls(tables, pictures)


def rows_table(record: RunRecord) -> Table:
    """The record's rows: a column for each within-run factor and each metric."""
    levels = list(dict.fromkeys(name for row in record.rows for name in row.levels))
    metrics = list(dict.fromkeys(name for row in record.rows for name in row.metrics))
    rows = [
        [*(label(row.levels.get(name)) for name in levels), *(row.metrics.get(name) for name in metrics)]
        for row in record.rows
    ]
    return Table((*levels, *metrics), rows)


def reliability_tables(path: Path) -> dict[str, Table]:
    """A reliability diagram for each level of the within-run factor: accuracy by confidence, and the diagonal."""
    columns = ("low", "high", "count", "confidence", "accuracy", "calibrated")
    return {
        f"reliability/{level}": Table(
            columns,
            [[each.low, each.high, each.count, each.confidence, each.accuracy, each.confidence] for each in found.bins],
            Chart("line", f"Reliability: {level}", "confidence", ("accuracy", "calibrated")),
        )
        for level, found in run_diagrams(path).items()
    }


def fit_tables(path: Path) -> dict[str, Table]:
    """What a regression fitted: its curve and the data under it, or predictions against targets."""
    fit = read_fit(path)
    if fit.get("kind") == "curve":
        data = list(zip(fit["x"], fit["y"], fit.get("outlier") or [False] * len(fit["x"]), strict=False))
        curve = list(zip(fit["grid"], fit["prediction"], strict=False))
        return {
            "fit/curve": Table(("x", "prediction"), curve, Chart("line", "Fitted curve", "x", ("prediction",))),
            "fit/data": Table(("x", "y", "outlier"), data, Chart("scatter", "Training data", "x", ("y",))),
        }
    if fit.get("kind") == "scatter":
        pairs = list(zip(fit["target"], fit["prediction"], strict=False))
        chart = Chart("scatter", "Predictions against targets", "target", ("prediction",))
        return {"fit/predictions": Table(("target", "prediction"), pairs, chart)}
    return {}


def latent_tables(latent: Latent) -> dict[str, Table]:
    """Maps of codes as points with their classes, and bars."""
    maps = {
        f"maps/{words.name}": Table(
            ("x", "y", "class"),
            [[x, y, codes.classes[number]] for x, y, number in codes.points],
            Chart("scatter", words.title, "x", ("y",)),
        )
        for words, codes in latent.maps.items()
    }
    charts = {
        f"bars/{words.name}": Table(
            ("place", "value"),
            [[label, value] for label, value in zip(bars.names(), bars.values, strict=True)],
            Chart("bar", words.title, "place", ("value",)),
        )
        for words, bars in latent.bars.items()
    }
    return maps | charts
