"""The table of paired comparisons: each arm against the baseline, a row a cell."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.report.arrangement import Arrangement, short
from paribus.report.figures import better_way, metric_title
from paribus.study.comparison import Comparison
from paribus.study.factors import Factor, Metric
from paribus.study.findings import Finding
from paribus.study.levels import Condition, canonical, label
from paribus.study.numbers import estimate, interval, percent
from paribus.study.verdicts import pairwise

MOST_CELLS = 40


@dataclass(frozen=True)
class Entry:
    """One comparison: estimate, interval, whether the difference is clear (`better`, `worse`, `differs`), a note."""

    text: str
    detail: str
    tone: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A cell and the comparisons in it."""

    labels: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ContrastTable:
    """Arms against the baseline for one metric; the first `labels` columns name the cell."""

    title: str
    caption: str
    columns: tuple[str, ...]
    labels: int
    rows: tuple[Line, ...]
    note: str = ""


def all_findings(comparison: Comparison, arrangement: Arrangement) -> dict[str, list[Finding]]:
    """For each metric, each level of the compared factor against its first in each cell of the others."""
    factor = arrangement.compared or arrangement.across
    if factor is None:
        return {}
    tables = {
        metric.name: pairwise(comparison.study, comparison, metric.name, factor.name)
        for metric in comparison.study.metrics
    }
    return {name: findings for name, findings in tables.items() if any(finding.n for finding in findings)}


def contrast_table(metric: Metric, findings: Sequence[Finding], factor: Factor, names: Sequence[str]) -> ContrastTable:
    """The findings of one metric as a table of cells by arms."""
    baseline = factor.levels[0]
    cells: dict[tuple[object, ...], tuple[Condition, dict[object, Finding]]] = {}
    for finding in findings:
        cell = {name: levels for name, levels in finding.pairs.first.items() if name != factor.name}
        key = tuple((name, tuple(map(canonical, levels))) for name, levels in cell.items())
        cells.setdefault(key, (cell, {}))[1][canonical(arm_of(finding, factor))] = finding
    arms = [level for level in factor.levels[1:] if any(canonical(level) in found for _, found in cells.values())]
    cell_names = list(dict.fromkeys(name for cell, _ in cells.values() for name in cell))
    measured = [finding for finding in findings if finding.n]
    usual = Counter(finding.n for finding in measured).most_common(1)[0][0]
    rows = tuple(
        Line(
            tuple(" or ".join(map(label, cell.get(name, ("\N{EN DASH}",)))) for name in cell_names),
            tuple(entry(found.get(canonical(arm)), metric, usual) for arm in arms),
        )
        for cell, found in list(cells.values())[:MOST_CELLS]
    )
    level = max((finding.level for finding in measured), default=0.95)
    what = "Ratio of" if metric.scale == "log" else "Difference in"
    way = f"{metric.name}, {better_way(metric)}"
    versus = "divided by" if metric.scale == "log" else "minus"
    return ContrastTable(
        title=f"{metric_title(metric)}: {short(factor.name, names)} against {label(baseline)}",
        caption=f"{what} {way}: each {short(factor.name, names)} {versus} {label(baseline)}, paired by replicate, "
        f"n = {usual} unless stated. "
        f"Intervals hold together over the {len(measured)} comparisons of this table "
        f"(Holm; up to {percent(level)} each). Coloured, ▲ better and ▼ worse (◆ where neither way is): the interval "
        f"excludes no difference. The claims above are tested apart from this table, fewer at a time, so "
        f"that a claim can be clear where the same comparison is not clear here.",
        columns=(*(short(name, names) for name in cell_names), *map(label, arms)),
        labels=len(cell_names),
        rows=rows,
        note=f"{len(cells) - MOST_CELLS} more cells are left out; comparisons.csv has all."
        if len(cells) > MOST_CELLS
        else "",
    )


def arm_of(finding: Finding, factor: Factor) -> object:
    """The level of `factor` that is not the baseline."""
    sides = [side[factor.name][0] for side in (finding.pairs.first, finding.pairs.second)]
    return next((level for level in sides if canonical(level) != canonical(factor.levels[0])), sides[0])


def entry(finding: Finding | None, metric: Metric, usual: int) -> Entry:
    """A comparison as a cell of the table; n is told where it is not the `usual` one."""
    if finding is None or finding.estimate is None:
        return Entry("\N{EN DASH}", "", "", finding.note if finding else "")
    nothing = 1.0 if finding.scale == "ratio" else 0.0
    low, high = finding.low, finding.high
    sign = 0 if low is None or high is None else (low > nothing) - (high < nothing)
    good = {"minimise": -1, "maximise": 1}.get(metric.direction, 0)
    tone = "" if not sign else "differs" if not good else "better" if sign == good else "worse"
    symbol = {"better": "▲ ", "worse": "▼ ", "differs": "◆ "}.get(tone, "")
    n = "" if finding.n == usual else f" n = {finding.n}"
    shown = "no interval" if low is None or high is None else interval(low, high)
    return Entry(symbol + estimate(finding.estimate, low, high), shown + n, tone, finding.note)
