"""What runs that each did something or did not say about the share that does, on one side or between paired sides."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from paribus.study import statistics
from paribus.study.statistics import Array

HALVINGS = 60
"""Of the interval in which a p value is looked for."""


@dataclass(frozen=True)
class ShareEvidence:
    """Outcomes 0 and 1 of one side: the share of 1, by Clopper and Pearson's exact interval.

    Attributes:
        values: `[n]`, 0 or 1.
    """

    values: Array
    method: str = "exact binomial (Clopper-Pearson)"
    note: str = ""

    @property
    def estimate(self) -> float:
        """The share of 1."""
        return float(self.values.mean())

    def p_value(self, edge: float) -> float:
        """Twice the smaller tail of the binomial distribution with this share; nothing lies outside of [0, 1]."""
        if not 0 <= edge <= 1:
            return 0.0
        ones, n = int(self.values.sum()), len(self.values)
        return float(min(1.0, 2 * min(stats.binom.cdf(ones, n, edge), stats.binom.sf(ones - 1, n, edge))))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of the share."""
        return clopper_pearson(int(self.values.sum()), len(self.values), alpha)

    def detectable(self, alpha: float) -> float | None:
        """It depends on the share itself."""
        return None

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """By the normal approximation, if the share is what it seems; None for a share of 0 or 1."""
        variance = self.estimate * (1 - self.estimate)
        return _replicates(edge * (1 - edge), variance, self.estimate - edge, alpha) if variance else None


@dataclass(frozen=True)
class PairedShareEvidence:
    """Outcomes 0 and 1 of two sides, paired: the difference of the shares.

    That there is none is tested exactly by McNemar's test, which also judges what lies beyond 0. Other differences are
    bounded by Clopper and Pearson's intervals for the shares of pairs that differ one way and the other, at half the
    error each: exact, and wider than need be.

    Attributes:
        values: differences, `[n]`: -1, 0 or 1.
    """

    values: Array
    method: str = "McNemar's exact test of paired outcomes"
    note: str = ""

    @property
    def up(self) -> int:
        """Pairs of which the first alone is 1."""
        return int((self.values > 0).sum())

    @property
    def down(self) -> int:
        """Pairs of which the second alone is 1."""
        return int((self.values < 0).sum())

    @property
    def estimate(self) -> float:
        """The difference of the shares."""
        return float(self.values.mean())

    def p_value(self, edge: float) -> float:
        """That of no difference where the edge is 0 or lies beyond it, if that is smaller."""
        none = float(min(1.0, 2 * stats.binom.cdf(min(self.up, self.down), self.up + self.down, 0.5)))
        if edge == 0:
            return none
        within, outside = 0.0, 1.0  # the confidence's complement at which the bounds leave the edge out, and do not
        for _ in range(HALVINGS):
            middle = (within + outside) / 2
            low, high = self._bounds(middle)
            within, outside = (middle, outside) if low <= edge <= high else (within, middle)
        beyond = edge * self.estimate < 0
        return min(outside, none) if beyond else outside

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of the difference; one of them is 0 where it alone is what McNemar's test leaves out."""
        low, high = self._bounds(alpha)
        if self.p_value(0.0) < alpha:
            low, high = (max(low, 0.0), high) if self.estimate > 0 else (low, min(high, 0.0))
        return low, high

    def _bounds(self, alpha: float) -> tuple[float, float]:
        n = len(self.values)
        up, down = (clopper_pearson(count, n, alpha / 2) for count in (self.up, self.down))
        return max(up[0] - down[1], -1.0), min(up[1] - down[0], 1.0)

    def detectable(self, alpha: float) -> float | None:
        """It depends on the shares themselves."""
        return None

    def replicates_needed(self, edge: float, alpha: float) -> int | None:
        """By the normal approximation, if the shares of pairs that differ are what they seem.

        Connor, Sample size for testing differences in proportions for the paired-sample design (1987).
        """
        differing = (self.up + self.down) / len(self.values)
        return _replicates(differing, differing - self.estimate**2, self.estimate - edge, alpha)


def clopper_pearson(ones: int, n: int, alpha: float) -> tuple[float, float]:
    """The exact interval of a binomial share at confidence 1 - alpha."""
    low = float(stats.beta.ppf(alpha / 2, ones, n - ones + 1)) if ones else 0.0
    high = float(stats.beta.ppf(1 - alpha / 2, ones + 1, n - ones)) if ones < n else 1.0
    return low, high


def are_outcomes(sides: Array, declared: bool) -> bool:
    """Whether values are outcomes 0 and 1; all alike, if the metric declares what a run that diverged counts as."""
    return bool(np.isin(sides, (0.0, 1.0)).all()) and (declared or len(np.unique(sides)) == 2)


def _replicates(at_edge: float, variance: float, effect: float, alpha: float) -> int | None:
    """How many make an effect found with probability .8, of these variances where there is none and where it is."""
    if effect == 0:
        return None
    quantile, power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(statistics.POWER)
    root = quantile * np.sqrt(max(at_edge, variance)) + power * np.sqrt(max(variance, 0.0))
    return int(np.ceil((root / effect) ** 2))
