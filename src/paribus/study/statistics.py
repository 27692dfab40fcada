"""Intervals, tests and sample sizes for a paired difference. `docs/statistics.md` reports how they were checked.

The interval of a mean is the union of two: Student's, and Student's after Hall's transformation, which removes the
skewness of the studentised mean (Hall 1992, "On the removal of skewness by transformation", JRSS B 54). A small
sample of a skewed population looks less skewed than the population is just when its mean is furthest off; so the
transformation is given the sample skewness moved by `caution` towards the side that would make the test err.

With z = (mean - edge) / deviation, e = 1 / sqrt(n) and g that skewness, the transformed score is

    h(z) = (z + g z^2 / 3 + g^2 z^3 / 27) / e + g e / 6

referred to Student's t with n - 1 degrees of freedom. Where replicates share data, Nadeau and Bengio's larger standard
error widens the whole interval by its ratio to e: the correction for skewness is of the spread that the sample shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FAMILY_ERROR = 0.05
"""Probability, at most, that any verdict of a study is wrong."""

POWER = 0.8
"""Probability with which the smallest detectable effect is found."""

NEARLY_NONE = -1e-6
"""The least skewness that is corrected for, so that the inverse transformation need not divide by 0."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What the test of a mean needs of a sample; arrays over samples, or numbers.

    Attributes:
        n: size of the sample, 2 or more.
        mean: its mean.
        deviation: its standard deviation, n - 1 in the denominator.
        skewness: G1 = sqrt(n (n - 1)) / (n - 2) m3 / m2^1.5, and 0 for n = 2 or a constant sample.
        error: standard error of the mean in deviations: sqrt(1/n), or more where replicates share data.
    """

    n: int
    mean: Array
    deviation: Array
    skewness: Array
    error: float


def moments(values: ArrayLike, test_over_train: float = 0.0) -> Moments:
    """Moments of samples along the last axis, [..., n].

    Args:
        test_over_train: examples to test on over examples to train on, where replicates re-split one data set: the
            variance of the mean is then taken as s^2 (1/n + test/train) (Nadeau and Bengio 2003, "Inference for the
            generalization error").
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.shape[-1]
    mean = sample.mean(-1)
    centred = sample - mean[..., None]
    second, third = (centred**2).mean(-1), (centred**3).mean(-1)
    with np.errstate(all="ignore"):
        skewness = np.nan_to_num(third / second**1.5) * np.sqrt(n * (n - 1)) / (n - 2) if n > 2 else 0 * mean
    return Moments(n, mean, np.sqrt(second * n / (n - 1)), skewness, float(np.sqrt(1 / n + test_over_train)))


def caution(n: int) -> float:
    """How far the sample skewness is moved to the harmful side: .5 from n = 20, less below; chosen by simulation."""
    return 0.5 * float(np.sqrt(min(n, 20) / 20))


def interval(sample: Moments, alpha: float) -> tuple[Array, Array]:
    """Bounds of the mean at confidence 1 - alpha."""
    low = sample.mean - sample.deviation * reach(sample.skewness, sample.n, sample.error, alpha)
    return low, sample.mean + sample.deviation * reach(-sample.skewness, sample.n, sample.error, alpha)


def reach(skewness: ArrayLike, n: int, error: float, alpha: float) -> Array:
    """Distance from the mean to the lower bound, in deviations: the larger of Student's and the transformed one."""
    student = stats.t.ppf(1 - alpha / 2, n - 1)
    independent = 1 / np.sqrt(n)
    g = np.minimum(np.asarray(skewness) - caution(n), NEARLY_NONE)
    transformed = 3 / g * (np.cbrt(1 + g * (student * independent - g * independent**2 / 6)) - 1)
    return np.maximum(student * independent, transformed) * error / independent


def p_value(sample: Moments, edge: float) -> Array:
    """Two-sided p value of "the mean is `edge`": the smallest alpha whose interval leaves `edge` out."""
    independent = 1 / np.sqrt(sample.n)
    z = (sample.mean - edge) / sample.deviation * independent / sample.error
    g = np.minimum(np.sign(z) * sample.skewness - caution(sample.n), NEARLY_NONE)
    z = np.abs(z)
    transformed = (z + g * z**2 / 3 + g**2 * z**3 / 27) / independent + g * independent / 6
    score = np.minimum(z / independent, transformed)
    return np.minimum(1.0, 2 * stats.t.sf(score, sample.n - 1))


def student_interval(sample: Moments, alpha: float) -> tuple[Array, Array]:
    """Student's interval of the mean, without the correction for skewness."""
    half = stats.t.ppf(1 - alpha / 2, sample.n - 1) * sample.deviation * sample.error
    return sample.mean - half, sample.mean + half


def median(values: ArrayLike) -> float:
    """The median; the lower of the middle two where these are opposite infinities."""
    sample = np.asarray(values, dtype=np.float64)
    lower, upper = (float(np.quantile(sample, 0.5, method=side)) for side in ("inverted_cdf", "higher"))
    return lower if np.isinf(lower) or np.isinf(upper) else float(np.median(sample))


def median_rank(n: int, alpha: float) -> int:
    """Largest k such that the k-th smallest and the k-th largest of n bound the median at 1 - alpha; 0 if none do."""
    rank = int(stats.binom.ppf(alpha / 2, n, 0.5))
    return rank + 1 if stats.binom.cdf(rank, n, 0.5) <= alpha / 2 else rank


def median_interval(values: ArrayLike, alpha: float) -> tuple[float, float] | None:
    """Bounds of the median at confidence of at least 1 - alpha, exact for every population; None for too small n.

    Infinite values count as what they are: beyond all others.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    rank = median_rank(len(ordered), alpha)
    return (float(ordered[rank - 1]), float(ordered[-rank])) if rank else None


def sign_p_value(values: ArrayLike, edge: float) -> float:
    """Two-sided p value of "the median is `edge`" by the signs; a value on the edge counts for neither side."""
    sample = np.asarray(values, dtype=np.float64)
    most = max(int((sample > edge).sum()), int((sample < edge).sum()))
    return min(1.0, 2 * float(stats.binom.sf(most - 1, len(sample), 0.5)))


@dataclass(frozen=True)
class Holm:
    """Holm's step-down procedure over a family of tests (Holm 1979).

    Attributes:
        adjusted: p values to compare with the family's error.
        levels: for each test the share of the error that it is tested at, where the procedure stops it.
    """

    adjusted: tuple[float, ...]
    levels: tuple[float, ...]


def holm(p_values: Sequence[float], error: float = FAMILY_ERROR) -> Holm:
    """Adjust `p_values`; a test is rejected just when its adjusted p is at most `error`, or its p at most its level."""
    count = len(p_values)
    adjusted, levels = [1.0] * count, [error] * count
    running, stopped = 0.0, 0.0
    for step, index in enumerate(sorted(range(count), key=lambda each: p_values[each])):
        running = max(running, min(1.0, (count - step) * p_values[index]))
        adjusted[index] = running
        levels[index] = stopped or error / (count - step)
        if p_values[index] > levels[index] and not stopped:
            stopped = levels[index]
    return Holm(tuple(adjusted), tuple(levels))


SIMULATED = 1000
"""Largest sample whose detectable effect is simulated; beyond, it falls with the square root."""


@lru_cache(maxsize=256)
def detectable(n: int, alpha: float, test_over_train: float = 0.0) -> float:
    """Smallest distance from the edge, in deviations, that `interval` shows with probability `POWER`.

    For normal differences, by simulation: with a sample's mean m and deviation s (true ones 0 and 1), an effect d is
    shown just when d > s reach - m, so it is a quantile of that. Simulation error about 1 %.
    """
    if n > SIMULATED:
        shrunk = np.sqrt((1 / n + test_over_train) / (1 / SIMULATED + test_over_train))
        return float(detectable(SIMULATED, alpha, test_over_train) * shrunk)
    mean, deviation, skewness = _normal_samples(n)
    error = float(np.sqrt(1 / n + test_over_train))
    return float(np.quantile(deviation * reach(skewness, n, error, alpha) - mean * error * np.sqrt(n), POWER))


@lru_cache(maxsize=64)
def _normal_samples(n: int) -> tuple[Array, Array, Array]:
    draws = max(2000, min(10_000, 1_000_000 // n))
    sample = moments(np.random.default_rng(n).standard_normal((draws, n)))
    return sample.mean, sample.deviation, sample.skewness


SIZES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 40, 50, 60, 75, 100, 140, 200, 300, 500, 1000)


def replicates_for(effect: float, alpha: float, test_over_train: float = 0.0) -> int | None:
    """About how many replicates show an `effect` (in deviations) with probability `POWER`; None if a million do not."""
    if not effect > 0 or not np.isfinite(effect):
        return None
    first, last = 0, len(SIZES)
    while first < last:
        middle = (first + last) // 2
        enough = detectable(SIZES[middle], alpha, test_over_train) <= effect
        first, last = (first, middle) if enough else (middle + 1, last)
    if first == 0:
        return SIZES[0]
    if first < len(SIZES):
        above, below = (detectable(SIZES[index], alpha, test_over_train) for index in (first - 1, first))
        share = np.log(above / effect) / np.log(above / below)
        return int(np.ceil(SIZES[first - 1] * (SIZES[first] / SIZES[first - 1]) ** share - 1e-9))
    variance = (effect / detectable(SIMULATED, alpha, test_over_train)) ** 2 * (1 / SIMULATED + test_over_train)
    return int(np.ceil(1 / (variance - test_over_train))) if variance - test_over_train >= 1e-6 else None


def skewed(values: ArrayLike) -> bool:
    """Whether the skewness is significant at .05 (D'Agostino's test); False below n = 8, where the test fails."""
    sample = np.asarray(values, dtype=np.float64)
    return len(sample) >= 8 and bool(stats.skewtest(sample).pvalue < 0.05)


def constant(values: ArrayLike, size: float) -> bool:
    """Whether the values differ by no more than the rounding of numbers of magnitude `size`."""
    return bool(np.ptp(np.asarray(values, dtype=np.float64)) <= 16 * np.finfo(np.float64).eps * size)


def superiority(values: ArrayLike) -> float:
    """Share of positive values, zeros halved: the probability that the first of a pair is larger."""
    sample = np.asarray(values, dtype=np.float64)
    return float(((sample > 0) + 0.5 * (sample == 0)).mean())


def narrowing(first: ArrayLike, second: ArrayLike) -> float | None:
    """Half-width of Student's paired 95 % interval over that of Welch's unpaired one; None without a spread."""
    one, other = moments(first), moments(second)
    paired = moments(np.asarray(first) - np.asarray(second))
    variances = np.array([one.deviation, other.deviation]) ** 2 / one.n
    if not variances.sum() > 0:
        return None
    freedom = variances.sum() ** 2 / (variances**2).sum() * (one.n - 1)
    half = stats.t.ppf(0.975, one.n - 1) * paired.deviation * paired.error
    return float(half / (stats.t.ppf(0.975, freedom) * np.sqrt(variances.sum())))
