"""Numbers that figures show: means with intervals over replicates, and how numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MINUS, DASH, THIN = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{THIN SPACE}"


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


def number(value: float | None, digits: int = 3) -> str:
    """A number for readers: three significant digits, a true minus, `∞`, or a dash for what is not defined."""
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if size and not 1e-4 <= size < 1e6:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(power)}".replace("-", MINUS)
    decimals = max(0, digits - 1 - (math.floor(math.log10(size)) if size else 0))
    return plain(value, decimals)


def interval(low: float | None, high: float | None) -> str:
    """`[0.31, 0.52]`: as many decimals as two digits of its width take, if both ends can do with them."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return DASH
    width = high - low
    decimals = 1 - math.floor(math.log10(width)) if 0 < width < math.inf else -1
    smallest = min((abs(end) for end in (low, high) if end), default=1.0)
    if not 0 <= decimals <= 6 or smallest < 10.0 ** (1 - decimals):
        return f"[{number(low)}, {number(high)}]"
    return f"[{plain(low, decimals)}, {plain(high, decimals)}]"


def plain(value: float, decimals: int) -> str:
    """A number with so many decimals, a true minus and thin spaces between thousands."""
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", THIN)


def p_text(p: float | None) -> str:
    """`p = 0.012`, `p < 0.001`."""
    if p is None or math.isnan(p):
        return f"p {DASH}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def percent(share: float) -> str:
    """`95 %`, `99.67 %`: as many digits as tell it from certainty."""
    return f"{100 * share:.4g} %"


def count(n: int, noun: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
