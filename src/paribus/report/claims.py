"""Verdicts for readers: the words, the numbers and the plot of paired differences that each rests on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from paribus.report.axes import Axis, covering
from paribus.report.chart import Panel
from paribus.report.summaries import count, exponential
from paribus.study.findings import Finding
from paribus.study.levels import label
from paribus.study.numbers import estimate, interval, number, p_text, percent
from paribus.study.telling import estimate_text as named_estimate
from paribus.study.verdicts import Verdict

BADGES = {
    "supported": "✓ supported",
    "refuted": "✗ refuted",
    "undecided": "? undecided",
    "not evaluated": "\N{EN DASH} not evaluated",
}
WIDTH = 380
MOST_ROWS = 12
"""Replicates that get a line of their own; more share the height."""


@dataclass(frozen=True)
class Detail:
    """A term and what is to be said about it."""

    term: str
    text: str


@dataclass(frozen=True)
class Card:
    """A verdict as the page shows it."""

    name: str
    style: str
    badge: str
    sentence: str
    estimate: str
    details: tuple[Detail, ...]
    chart: Panel | None
    caption: str


def card(verdict: Verdict, replicate: str, tell_limits: bool) -> Card:
    """The verdict's words, numbers and plot.

    Args:
        verdict: on a claim.
        replicate: the key that tells replicates apart, such as `seed`.
        tell_limits: whether the card says what the verdict is limited to, or the page does for all.
    """
    findings = [finding for finding in verdict.findings if finding.n]
    chart = None
    if len(findings) == 1:
        chart = replicate_plot(findings[0], replicate)
    elif findings:
        chart = pair_plot(findings)
    return Card(
        name=verdict.id,
        style=verdict.status.replace(" ", "-"),
        badge=BADGES[verdict.status],
        sentence=verdict.sentence,
        estimate="; ".join(map(named_estimate, findings)),
        details=tuple(details(verdict, tell_limits)),
        chart=chart,
        caption=caption(findings) if chart else "",
    )


def badges(ends: Mapping[str, int]) -> list[dict[str, str]]:
    """A badge for each status that any claim has, with the number of claims."""
    return [
        {"style": status.replace(" ", "-"), "text": f"{badge[:1]} {ends[status]} {badge[2:]}"}
        for status, badge in BADGES.items()
        if ends.get(status)
    ]


def details(verdict: Verdict, tell_limits: bool) -> list[Detail]:
    """What the verdict rests on, most important first."""
    items = [Detail("Why", verdict.reason)] if verdict.reason else []
    several = len(verdict.findings) > 1
    for finding in verdict.findings:
        if finding.estimate is not None:
            items.append(Detail(finding.name if several else estimate_name(finding), estimate_text(finding)))
    if len(verdict.findings) == 1:
        items += lone_details(verdict.findings[0])
    if verdict.p is not None:
        items.append(Detail("Test", test_text(verdict)))
    dropped = {f"{label(replicate)}: {why}" for f in verdict.findings for replicate, why in f.pairs.missing.items()}
    if dropped:
        items.append(Detail("Not paired", "; ".join(sorted(dropped)[:4]) + ("; ..." if len(dropped) > 4 else "")))
    diverged = sum(sum(finding.pairs.diverged) for finding in verdict.findings)
    if diverged:
        worst = verdict.findings[0].pairs.metric.worst
        told = "the worst possible value" if worst is None else number(worst)
        items.append(Detail("Diverged", f"{count(diverged, 'run')}, counted as {told}"))
    if verdict.limits and tell_limits:
        items.append(Detail("Limits", verdict.limits))
    return items


def test_text(verdict: Verdict) -> str:
    """The p-value, alone and among the study's claims."""
    alone, adjusted = p_text(verdict.p), p_text(verdict.p_adjusted)
    if verdict.p_adjusted is None:
        return alone
    return f"{alone}; {'the same' if adjusted == alone else adjusted} adjusted for all claims (Holm)"


def lone_details(finding: Finding) -> list[Detail]:
    """What is told of a claim that rests on one estimate."""
    items = []
    if finding.median is not None and finding.median_low is not None:
        items.append(
            Detail(
                "Median", f"{number(finding.median)} {interval(finding.median_low, finding.median_high)}, rank-based"
            )
        )
    paired = finding.scale != "mean"
    if paired and finding.effect is not None and math.isfinite(finding.effect) and finding.superiority is not None:
        text = f"{number(finding.effect)} standard deviations; larger in {percent(finding.superiority)} of the pairs"
        items.append(Detail("Effect", text))
    if paired and finding.detectable is not None and math.isfinite(finding.detectable):
        times = {"ratio": "a factor", "difference": "a distance"}[finding.scale]
        text = f"{times} of {number(finding.detectable)} beyond the claim's edge would be found 4 times in 5"
        items.append(Detail("Power", text))
    if finding.note or finding.skewed:
        skew = f"the differences are skewed ({number(finding.skewness, 2)})" if finding.skewed else ""
        items.append(Detail("Note", "; ".join(part for part in (finding.note, skew) if part)))
    return items


def estimate_name(finding: Finding) -> str:
    """What kind of number the estimate is."""
    return {"ratio": "Ratio", "difference": "Difference", "mean": "Mean"}[finding.scale]


def estimate_text(finding: Finding) -> str:
    """The estimate with its interval, the interval's confidence and n."""
    return (
        f"{estimate(finding.estimate, finding.low, finding.high)} {interval(finding.low, finding.high)} "
        f"({percent(finding.level)} interval, n = {finding.n})"
    )


def values(finding: Finding) -> list[float]:
    """The finding's value of each replicate, on the scale of its estimate."""
    back = exponential if finding.scale == "ratio" else float
    return [back(value) for value in map(float, finding.pairs.differences)] if finding.scale != "mean" else [
        float(value) for value in finding.pairs.first_values
    ]  # fmt: skip


def shown(finding: Finding) -> list[float]:
    """Every value that belongs on the axis of a finding's plot."""
    edges = [edge for edge in (finding.region_low, finding.region_high, null(finding)) if edge is not None]
    return [*values(finding), *(v for v in (finding.low, finding.high) if v is not None), *edges]


def null(finding: Finding) -> float | None:
    """The value of no difference; none where a mean is estimated."""
    return {"ratio": 1.0, "difference": 0.0}.get(finding.scale)


def horizontal(findings: list[Finding]) -> Axis:
    """The axis of estimates: ratios are drawn on a log axis."""
    first = findings[0]
    names = {finding.name for finding in findings}
    unit = f" ({first.pairs.metric.unit})" if first.pairs.metric.unit and first.scale != "ratio" else ""
    kind = {"ratio": "ratio of ", "difference": "difference in ", "mean": ""}[first.scale]
    name = f": {first.name}" if len(names) == 1 and first.scale != "mean" else ""
    return covering(
        [value for finding in findings for value in shown(finding)],
        f"{kind}{first.pairs.metric.name}{name}{unit}",
        first.scale == "ratio",
        signed=first.scale == "difference",
    )


def mark_region(panel: Panel, finding: Finding) -> None:
    """Shade what the claim says, with a line at each edge, and draw the line of no difference."""
    nothing = null(finding)
    panel.zone(finding.region_low, finding.region_high)
    if nothing is not None:
        panel.rule(nothing, "zero")
    for edge in (finding.region_low, finding.region_high):
        if math.isfinite(edge) and edge != nothing:
            panel.rule(edge, "margin")


def mark_estimate(panel: Panel, finding: Finding, level: float, series: int) -> None:
    """The interval as a thick bar and the estimate as a marker."""
    if finding.low is not None and finding.high is not None:
        panel.bar(finding.low, finding.high, level, f"thick stroke{series}", estimate_text(finding))
    if finding.estimate is not None:
        panel.mark(finding.estimate, level, series, estimate_text(finding), 6)


def replicate_plot(finding: Finding, replicate: str) -> Panel:
    """A dot for each replicate below the estimate and its interval."""
    replicates = [label(replicate) for replicate in finding.pairs.replicates]
    spaced = len(replicates) <= MOST_ROWS
    marks = [(0.0, "estimate")] + ([(-1.5 - place, name) for place, name in enumerate(replicates)] if spaced else [])
    step = 1.0 if spaced else (MOST_ROWS - 1) / (len(replicates) - 1)
    lowest = -1.5 - step * (len(replicates) - 1)
    y = Axis(lowest - 0.8, 1.0, replicate, marks=tuple(marks))
    panel = Panel(
        horizontal([finding]),
        y,
        description=f"{finding.name} by replicate. {estimate_text(finding)}",
        width=WIDTH,
        height=round(96 + 15 * (1 - lowest)),
    )
    mark_region(panel, finding)
    panel.dots([(value, -1.5 - step * place) for place, value in enumerate(values(finding))], "dot", 3.4)
    mark_estimate(panel, finding, 0.0, 0)
    return panel


def pair_plot(findings: list[Finding]) -> Panel:
    """A row for each pair: its replicates as dots, the estimate and its interval above them."""
    marks = [(-float(place), finding.name) for place, finding in enumerate(findings)]
    y = Axis(-len(findings) + 0.4, 0.6, marks=tuple(marks))
    told = "; ".join(f"{finding.name}: {estimate_text(finding)}" for finding in findings)
    panel = Panel(horizontal(findings), y, description=told, width=WIDTH, height=70 + 46 * len(findings))
    mark_region(panel, findings[0])
    for place, finding in enumerate(findings):
        panel.dots([(value, -place - 0.24) for value in values(finding)], "dot", 2.8)
        mark_estimate(panel, finding, -float(place), 0)
    return panel


def caption(findings: list[Finding]) -> str:
    """What the plot cannot show."""
    infinite = sum(not math.isfinite(value) for finding in findings for value in values(finding))
    return f"{count(infinite, 'pair')} at infinity not drawn: a run diverged." if infinite else ""
