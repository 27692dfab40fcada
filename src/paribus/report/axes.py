"""Axes of charts: from values to places between 0 and 1, and the ticks a reader expects."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A range of values with its name.

    Attributes:
        low, high: ends of the range; positive where `log`.
        label: what is shown along it, with its unit.
        log: equal ratios are equal lengths.
        marks: values that get a tick each, with their texts; empty for ticks at round numbers.
        signed: the values are changes, so that positive ones show a plus sign.
    """

    low: float
    high: float
    label: str = ""
    log: bool = False
    marks: Sequence[tuple[float, str]] = ()
    signed: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`; outside of them beyond."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def has(self, value: float) -> bool:
        """Whether `value` can be placed at all."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def ends(self, low: float, high: float) -> list[tuple[float, int]]:
        """Where an interval's ends are drawn, each with the way in which it goes on beyond the axis: -1, 1, or 0."""
        first = self.place(low) if self.has(low) else -math.inf
        last = self.place(high) if self.has(high) else math.inf
        drawn = [min(max(place, 0.0), 1.0) for place in (first, last)]
        return [(drawn[0], -1 if first < -1e-9 else 0), (drawn[1], 1 if last > 1 + 1e-9 else 0)]

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """About `count` values within the range and their texts."""
        if self.marks:
            return [(value, text) for value, text in self.marks if -1e-9 <= self.place(value) <= 1 + 1e-9]
        values = log_ticks(self.low, self.high, count) if self.log else linear_ticks(self.low, self.high, count)
        return [(value, ("+" if self.signed and value > 0 else "") + tick_text(value)) for value in values]


def covering(
    values: Iterable[float], label: str = "", log: bool = False, pad: float = 0.06, signed: bool = False
) -> Axis:
    """The axis that shows all finite `values` with some room on both sides."""
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(finite), max(finite)) if finite else (1.0, 10.0)
    if log:
        room = max((high / low) ** pad, 1.01) if high > low else 1.5
        return Axis(low / room, high * room, label, True, (), signed)
    room = (high - low) * pad or abs(high) * 0.1 or 1.0
    return Axis(low - room, high + room, label, False, (), signed)


def linear_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten between `low` and `high`."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda size: abs(math.log(size / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12 - math.floor(math.log10(step))) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there is room; round numbers where the range is short."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**power for power in decades for digit in digits]
        inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= count + 2:
            break
    if len(inside) < 3:
        return linear_ticks(low, high, count)
    stride = math.ceil(len(inside) / (count + 2))
    return inside[::stride]


def tick_text(value: float) -> str:
    """A short text for a tick: `0.25`, `3`, `1e-05`."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "\N{MINUS SIGN}")
