"""A difference with its interval, and what that says about the region that a claim places it in."""

from dataclasses import dataclass
from math import exp, inf, isfinite, log
from typing import Literal

from paribus.study import statistics
from paribus.study.claims import Contrast
from paribus.study.comparison import Pairs
from paribus.study.evidence import Evidence, MeanEvidence, evidence

Terms = Literal["ratio", "difference", "mean"]


@dataclass(frozen=True)
class Finding:
    """One difference (or one mean) with its interval, and what the interval says about a region.

    Attributes:
        name: what is estimated, e.g. `squared / absolute`.
        pairs: the paired values behind it (for a mean, `second_values` are 0), for plots.
        scale: `ratio`, `difference` or `mean`; estimate, interval and region are in these terms.
        estimate: geometric mean of the ratios, or mean; the median where a run diverged. None where undefined.
        low, high: the interval at `level`, the one that the verdict goes by; a bound is infinite where diverged runs
            make it so, and both are None where the sample says nothing.
        level: confidence of the interval, 1 - .05 / (what Holm's procedure asks).
        region_low, region_high: what the claim says the truth lies between.
        p: two-sided p value of the test of the nearer edge of the region (of the farther, if inside a bounded one).
        n: replicates used.
        median, median_low, median_high: median and its order-statistic interval at `level`; None where n is too small.
        effect: standardised effect, mean difference over its standard deviation (d_z).
        superiority: share of pairs in which the first value is larger, ties halved.
        detectable: smallest departure from the region's edge that is found with probability .8, a ratio or difference.
        replicates_needed: about how many replicates would decide; None if decided, or if no number would.
        skewness: of the differences; `skewed` where it is significant (two-sided, .05).
        method: the procedure in words, e.g. "t on paired log-ratios, corrected for skewness".
        note: what is special: identical arms, too few replicates, diverged runs; empty if nothing.
    """

    name: str
    pairs: Pairs
    scale: Terms
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
class Tested:
    """A contrast with its evidence; edges in the terms of the evidence, logarithms under scale log.

    Attributes:
        low, high: the region's edges.
        inside: p value for the truth being inside the region; 1 if the estimate is not.
        outside: p value for its being outside; 1 if the estimate is not.
    """

    contrast: Contrast
    pairs: Pairs
    evidence: Evidence
    low: float
    high: float
    inside: float
    outside: float


def tested(contrast: Contrast, pairs: Pairs) -> Tested:
    """Weigh `pairs`, of which there is at least one, against the region of `contrast`."""
    found = evidence(pairs)
    low, high = contrast.low, contrast.high
    if scale_of(pairs) == "ratio":
        low, high = (log(edge) if edge < inf else inf for edge in (low, high))
    within = low < found.estimate and (found.estimate < high or high == inf)
    edges = [edge for edge in (low, high) if isfinite(edge)]
    inside = max(found.p_value(edge) for edge in edges) if within else 1.0
    outside = 1.0 if within else found.p_value(low if found.estimate <= low else high)
    return Tested(contrast, pairs, found, low, high, inside, outside)


def scale_of(pairs: Pairs) -> Terms:
    """The terms that an estimate from `pairs` is told in."""
    if not pairs.second:
        return "mean"
    return "ratio" if pairs.metric.scale == "log" else "difference"


def finding(weighed: Tested, alpha: float, decided: bool = False) -> Finding:
    """What `weighed` amounts to at confidence 1 - alpha; without a number of replicates needed if it is decided."""
    pairs, found = weighed.pairs, weighed.evidence
    scale = scale_of(pairs)
    low, high = found.interval(alpha)
    edges = [edge for edge in (weighed.low, weighed.high) if isfinite(edge)]
    nearest = min(edges, key=lambda edge: abs(edge - found.estimate))
    shared_data = pairs.replication == "resplit" or len(pairs.replicates) < 2
    bounds = None if shared_data else statistics.median_interval(pairs.differences, alpha)
    moments = found.moments if isinstance(found, MeanEvidence) else None
    detectable = found.detectable(alpha)
    return Finding(
        name=weighed.contrast.name,
        pairs=pairs,
        scale=scale,
        estimate=told(found.estimate, scale),
        low=told(low, scale) if low > -inf or high < inf else None,
        high=told(high, scale) if low > -inf or high < inf else None,
        level=1 - alpha,
        region_low=weighed.contrast.low,
        region_high=weighed.contrast.high,
        p=min(weighed.inside, weighed.outside),
        n=len(pairs.replicates),
        median=told(statistics.median(pairs.differences), scale),
        median_low=None if bounds is None else told(bounds[0], scale),
        median_high=None if bounds is None else told(bounds[1], scale),
        effect=float(moments.mean / moments.deviation) if moments and scale != "mean" else None,
        superiority=statistics.superiority(pairs.differences) if scale != "mean" else None,
        detectable=None if detectable is None else told(detectable, scale),
        replicates_needed=None if decided else found.replicates_needed(nearest, alpha),
        skewness=float(moments.skewness) if moments else None,
        skewed=moments is not None and statistics.skewed(pairs.differences),
        method=found.method,
        note=found.note,
    )


def empty_finding(contrast: Contrast, pairs: Pairs) -> Finding:
    """What is known where there are no pairs: why."""
    return Finding(
        name=contrast.name,
        pairs=pairs,
        scale=scale_of(pairs),
        estimate=None,
        low=None,
        high=None,
        level=1 - statistics.FAMILY_ERROR,
        region_low=contrast.low,
        region_high=contrast.high,
        p=1.0,
        n=0,
        note=pairs.problem,
    )


def told(value: float, scale: Terms) -> float:
    """An estimate in the terms of `scale`: logarithms become ratios."""
    if scale != "ratio":
        return value
    return exp(value) if value < 700 else inf
