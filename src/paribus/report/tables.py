"""Flat tables: a row a result, a row a paired comparison."""

import csv
import io
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any

from paribus.report.collect import Collected
from paribus.report.summaries import exponential
from paribus.study.comparison import Result
from paribus.study.evidence import evidence
from paribus.study.findings import Finding
from paribus.study.levels import canonical, label
from paribus.study.structure import Study

Row = Mapping[str, Any]


def result_columns(study: Study) -> list[str]:
    """The columns of `results.csv`: factors, replicate, within-run factors, metrics, then how the run went."""
    return [
        *(factor.name for factor in study.factors),
        study.replicate.key,
        *(factor.name for factor in study.within),
        *(metric.name for metric in study.metrics),
        "status",
        "key",
        "seconds",
        "failure",
    ]


def result_rows(collected: Collected) -> list[Row]:
    """A row for each row of a record, and one for each record that has none, in the order of the study's levels."""
    study = collected.study
    rows: list[Row] = []
    for result in in_order(collected.comparison.results, study):
        row: dict[str, Any] = {name: label(level) for name, level in result.levels.items()}
        row[study.replicate.key] = label(result.replicate)
        row.update({metric.name: result.metrics.get(metric.name, "") for metric in study.metrics})
        row.update(status=result.status, key=result.key, seconds=result.seconds, failure=result.failure)
        rows.append(row)
    return rows


def in_order(results: Sequence[Result], study: Study) -> list[Result]:
    """`results` in the order of the levels of the factors, then of the replicates."""
    levels = [(factor.name, factor.levels) for factor in (*study.factors, *study.within)]
    ranks = [(name, {canonical(level): rank for rank, level in enumerate(each)}) for name, each in levels]
    replicates = {canonical(level): rank for rank, level in enumerate(study.replicate.levels)}

    def place(result: Result) -> tuple[int, ...]:
        own = (rank.get(canonical(result.levels.get(name)), -1) for name, rank in ranks)
        return (*own, replicates.get(canonical(result.replicate), len(replicates)))

    return sorted(results, key=place)


def comparison_rows(findings: Mapping[str, Sequence[Finding]]) -> list[Row]:
    """A row for each level against the baseline in each cell, by metric; intervals on the scale of the estimate.

    `low` and `high` hold over the whole table of the metric together; `low_95` and `high_95` for this row alone.
    """
    rows: list[Row] = []
    for metric, table in findings.items():
        for finding in table:
            pairs = finding.pairs
            first, second = (
                {k: "|".join(map(label, v)) for k, v in side.items()} for side in (pairs.first, pairs.second)
            )
            differs = {name for name in {**first, **second} if first.get(name) != second.get(name)}
            low, high = evidence(pairs).interval(0.05) if finding.n > 1 else (nan, nan)
            back = exponential if finding.scale == "ratio" else float
            rows.append(
                {
                    "metric": metric,
                    "arm": ", ".join(f"{name}={first[name]}" for name in first if name in differs),
                    "baseline": ", ".join(f"{name}={second[name]}" for name in second if name in differs),
                    **{name: level for name, level in first.items() if name not in differs},
                    "scale": finding.scale,
                    "estimate": finding.estimate,
                    "low_95": None if isnan(low) else back(low),
                    "high_95": None if isnan(high) else back(high),
                    "low": finding.low,
                    "high": finding.high,
                    "level": finding.level,
                    "p": finding.p,
                    "n": finding.n,
                    "median": finding.median,
                    "effect": finding.effect,
                    "superiority": finding.superiority,
                    "narrowing": pairs.narrowing,
                    "shared": " ".join(pairs.shared),
                    "missing": len(pairs.missing),
                    "diverged": sum(pairs.diverged),
                    "method": finding.method,
                    "note": finding.note,
                }
            )
    return rows


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows as text; a number keeps all its digits, what is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if row.get(name) is None else row[name] for name in columns] for row in rows)
    return text.getvalue()


def columns_of(rows: Sequence[Row], first: Sequence[str]) -> list[str]:
    """`first`, then every other column that some row has, in the order of its first appearance."""
    return list(dict.fromkeys([*first, *(name for row in rows for name in row)]))
