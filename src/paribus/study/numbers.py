"""How numbers are written for readers, in the terminal and in the report."""

import math

MINUS, DASH, THIN = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{THIN SPACE}"


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


def estimate(value: float | None, low: float | None, high: float | None) -> str:
    """A number with as many decimals as both ends of its interval have, if more: `1.0002 [0.9978, 1.0062]`."""
    text, ends = number(value), interval(low, high)
    decimals = min(len(end.partition(".")[2]) for end in ends.strip("[]").split(", "))
    if value is None or not math.isfinite(value) or "e" in text + ends or decimals <= len(text.partition(".")[2]):
        return text
    return plain(value, decimals)


def plain(value: float, decimals: int) -> str:
    """A number with so many decimals, a true minus and thin spaces between thousands."""
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", THIN)


def p_text(p: float | None) -> str:
    """`p = 0.012`, `p < 0.0001`."""
    if p is None or math.isnan(p):
        return f"p {DASH}"
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def percent(share: float) -> str:
    """`95 %`, `99.67 %`: as many digits as tell it from certainty."""
    return f"{100 * share:.4g} %"
