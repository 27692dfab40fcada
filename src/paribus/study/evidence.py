"""What a sample of paired differences says about where their mean, or else their median, lies."""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf, log2
from typing import Protocol

import numpy as np
from scipy import stats

from paribus.study import statistics
from paribus.study.comparison import Pairs
from paribus.study.outcomes import PairedShareEvidence, ShareEvidence, are_outcomes
from paribus.study.statistics import Array, Moments

IDENTICAL = "no difference: the arms are identical in every replicate"


class Evidence(Protocol):
    """A sample with the procedure that suits it."""

    @property
    def estimate(self) -> float:
        """The mean, or the median."""

    @property
    def method(self) -> str:
        """The procedure in words."""

    @property
    def note(self) -> str:
        """What is special about the sample; empty if nothing."""

    def p_value(self, edge: float) -> float:
        """Two-sided p value of "it lies on `edge`"."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds at confidence 1 - alpha: they leave out just the edges with a p value below alpha."""

    def detectable(self, alpha: float) -> float | None:
        """Smallest distance from an edge that is found with probability .8; None where no model says."""

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """About how many replicates would tell the estimate from `edge`; None if no number would."""


@dataclass(frozen=True)
class MeanEvidence:
    """Finite differences with a spread: their mean, by t corrected for skewness."""

    values: Array
    test_over_train: float
    method: str
    note: str = ""

    @cached_property
    def moments(self) -> Moments:
        """Of the differences."""
        return statistics.moments(self.values, self.test_over_train)

    @property
    def estimate(self) -> float:
        """The mean."""
        return float(self.moments.mean)

    def p_value(self, edge: float) -> float:
        """Two-sided p value of "the mean is `edge`"."""
        return float(statistics.p_value(self.moments, edge))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of the mean."""
        low, high = statistics.interval(self.moments, alpha)
        return float(low), float(high)

    def detectable(self, alpha: float) -> float | None:
        """For normal differences that spread as these do."""
        return statistics.detectable(len(self.values), alpha, self.test_over_train) * float(self.moments.deviation)

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """If mean and spread are what they seem."""
        effect = abs(self.estimate - edge) / float(self.moments.deviation)
        return statistics.replicates_for(effect, alpha, self.test_over_train)


@dataclass(frozen=True)
class SignEvidence:
    """Differences without a usable mean or spread: their median, by the signs."""

    values: Array
    method: str
    note: str

    @property
    def estimate(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def p_value(self, edge: float) -> float:
        """Two-sided p value of "the median is `edge`"."""
        return statistics.sign_p_value(self.values, edge)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Order statistics that bound the median; unbounded where there are too few."""
        return statistics.median_interval(self.values, alpha) or (-inf, inf)

    def detectable(self, alpha: float) -> float | None:
        """Undefined without a model of the spread."""
        return None

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """By the normal approximation to the count of signs, if their shares are what they seem."""
        share = max((self.values > edge).mean(), (self.values < edge).mean())
        if share <= 0.5:
            return None
        quantile, power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(statistics.POWER)
        approximate = (quantile / 2 + power * np.sqrt(share * (1 - share))) / (share - 0.5)
        return max(ceil(approximate**2), ceil(log2(2 / alpha)))


@dataclass(frozen=True)
class NoEvidence:
    """Differences that no procedure here can judge; the note says why."""

    values: Array
    method: str
    note: str

    @property
    def estimate(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def p_value(self, edge: float) -> float:
        """Nothing is rejected."""
        return 1.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """Nothing is left out."""
        return -inf, inf

    def detectable(self, alpha: float) -> float | None:
        """Undefined."""
        return None

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """Unknown."""
        return None


def evidence(pairs: Pairs) -> Evidence:
    """The procedure that suits `pairs`, of which there is at least one."""
    values = pairs.differences
    what = "values" if not pairs.second else "log-ratios" if pairs.metric.scale == "log" else "differences"
    if len(values) < 2:
        return NoEvidence(values, "none", "too few replicates: one has no spread")
    resplit = pairs.replication == "resplit"
    if resplit and pairs.test_over_train is None:
        return NoEvidence(values, "none", "replicates re-split one data set, and the records lack its parts' sizes")
    if not resplit and _are_outcomes(pairs):
        same = pairs.second and np.array_equal(pairs.first_values, pairs.second_values)
        return PairedShareEvidence(values, note=IDENTICAL if same else "") if pairs.second else ShareEvidence(values)
    special = _special(pairs)
    if special and resplit:
        return NoEvidence(values, "none", f"{special}, and signs of replicates that re-split one data set say little")
    if special:
        return SignEvidence(values, f"exact sign test of the median of {what}", special)
    if resplit:
        method = f"t on paired {what}, Nadeau-Bengio variance for re-split data, corrected for skewness"
        return MeanEvidence(values, pairs.test_over_train or 0.0, method)
    return MeanEvidence(values, 0.0, f"t on {'paired ' if pairs.second else ''}{what}, corrected for skewness")


def _are_outcomes(pairs: Pairs) -> bool:
    """Whether each run did something or did not; of several cells, shares are averaged like any number."""
    sides = np.concatenate([pairs.first_values, pairs.second_values] if pairs.second else [pairs.first_values])
    return pairs.metric.scale == "linear" and pairs.cells == 1 and are_outcomes(sides, pairs.metric.worst is not None)


def _special(pairs: Pairs) -> str:
    """Why the mean of `pairs` has no t test; empty if it has."""
    values = pairs.differences
    if any(pairs.diverged) and pairs.metric.worst is None:
        return "some runs diverged, and worst values have no mean"
    if not np.isfinite(values).all():
        return f"{pairs.metric.name} is 0 in some run, and a ratio to 0 has no mean"
    sides = np.concatenate([pairs.first_values, pairs.second_values])
    sizes = np.abs(np.log(sides[sides > 0])) if pairs.metric.scale == "log" else np.abs(sides)
    size = float(sizes.max(initial=1.0 if pairs.metric.scale == "log" else 0.0))
    if not statistics.constant(values, size):
        return ""
    if pairs.second and np.array_equal(pairs.first_values, pairs.second_values):
        return IDENTICAL
    return "zero variance: the same in every replicate"
