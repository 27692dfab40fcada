"""Numbers that figures show: means with intervals over replicates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Summary:
    """A mean over replicates with its 95 % interval.

    Attributes:
        mean, low, high: NaN where undefined: no value for the mean, fewer than two for the interval.
        n: finite values used.
        left_out: values that were not finite, or not positive where a geometric mean is asked for.
    """

    mean: float
    low: float
    high: float
    n: int
    left_out: int = 0


def mean_interval(values: Sequence[float], scale: Literal["linear", "log"] = "linear") -> Summary:
    """Student's interval for the mean; on the log scale, for the geometric mean."""
    from scipy.special import stdtrit

    log = scale == "log"
    used = [math.log(v) if log else float(v) for v in values if math.isfinite(v) and (v > 0 or not log)]
    n, left_out = len(used), len(values) - len(used)
    if not used:
        return Summary(math.nan, math.nan, math.nan, 0, left_out)
    mean = math.fsum(used) / n
    back = exponential if log else float
    if n == 1:
        return Summary(back(mean), math.nan, math.nan, 1, left_out)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in used) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * spread / math.sqrt(n)
    return Summary(back(mean), back(mean - half), back(mean + half), n, left_out)


def exponential(value: float) -> float:
    """e to the power of `value`; infinite where that is no float."""
    return math.exp(value) if value < 709.7 else math.inf


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted, finite `values` lie, interpolated; NaN of none."""
    ordered = sorted(value for value in values if math.isfinite(value))
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def count(n: int, noun: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
