"""Verdicts on a study's claims, with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from paribus.study.comparison import Comparison, Pairs
from paribus.study.structure import Study

Answer = Literal["supported", "refuted", "undecided", "not evaluated"]


@dataclass(frozen=True)
class Finding:
    """One difference (or one mean) with its interval, and what the interval says about a region.

    Attributes:
        name: what is estimated, e.g. `squared / absolute`.
        pairs: the paired values behind it (for a mean, `second_values` are 0), for plots.
        scale: `ratio`, `difference` or `mean`; estimate, interval and region are in these terms.
        estimate: geometric mean of the ratios, or mean; the median where a run diverged. None where undefined.
        low, high: the interval at `level`, the one that the verdict goes by.
        level: confidence of the interval, 1 - .05 / (what Holm's procedure asks).
        region_low, region_high: what the claim says the truth lies between.
        p: two-sided p value of the test of the nearer edge of the region.
        n: replicates used.
        median, median_low, median_high: median and its order-statistic interval at `level`; None for n < 6.
        effect: standardised effect, mean difference over its standard deviation (d_z), from the region's edge 0.
        superiority: share of pairs in which the first value is larger, ties halved.
        detectable: smallest departure from the region's edge that is found with probability .8, as a ratio or difference.
        replicates_needed: about how many replicates would decide; None if decided, or if no number would.
        skewness: of the differences; `skewed` where it is significant (two-sided, .05).
        method: the procedure in words, e.g. "paired t on log-ratios, corrected for skewness".
        note: what is special: identical arms, too few replicates, diverged runs; empty if nothing.
    """

    name: str
    pairs: Pairs
    scale: Literal["ratio", "difference", "mean"]
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    region_low: float
    region_high: float
    p: float
    n: int
    median: float | None = None
    median_low: float | None = None
    median_high: float | None = None
    effect: float | None = None
    superiority: float | None = None
    detectable: float | None = None
    replicates_needed: int | None = None
    skewness: float | None = None
    skewed: bool = False
    method: str = ""
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the data say about one claim.

    Attributes:
        id, kind, metric: of the claim.
        sentence: the claim in plain English.
        status: supported, refuted, undecided, or not evaluated.
        reason: why, in a sentence.
        p, p_adjusted: of the claim, before and after Holm's adjustment over all claims.
        level: confidence of the intervals of its findings.
        findings: one for `better` and `within`, one for each adjacent pair of `ordered` and `monotone`; empty if the
            claim could not be evaluated.
        limits: what the verdict is limited to, e.g. to this test part; empty if to nothing.
    """

    id: str
    kind: str
    metric: str
    sentence: str
    status: Answer
    reason: str
    p: float | None
    p_adjusted: float | None
    level: float
    findings: tuple[Finding, ...] = ()
    limits: str = ""


def judge(study: Study, comparison: Comparison) -> list[Verdict]:
    """A verdict on each claim, in their order."""
    raise NotImplementedError


def pairwise(study: Study, comparison: Comparison, metric: str, factor: str) -> list[Finding]:
    """Each level of `factor` against its first, in every cell of the other factors; Holm over the table."""
    raise NotImplementedError


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 all supported (or no claims), 1 any refuted or not evaluated, 3 some undecided and none of those."""
    raise NotImplementedError


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts for a terminal, at most 120 columns wide."""
    raise NotImplementedError


def to_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Plain lists and dicts of every field but the raw values; infinities as None."""
    raise NotImplementedError
