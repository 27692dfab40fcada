"""What a study expects, as statements that data can support or refute. Plain Python, no scipy."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Literal

from paribus.study.factors import Metric
from paribus.study.levels import ANYWHERE, Cell, Condition, Level, describe, label


@dataclass(frozen=True)
class Contrast:
    """A number that is estimated and the region that a claim places it in.

    The number is the ratio first / second of the metric's (geometric) means under scale log, else their difference
    first - second; without a second side it is the mean.

    Attributes:
        name: the number in words, e.g. `squared / absolute`.
        first, second: the cells on either side, without the claim's `where`.
        low, high: the claim says that the number lies between these.
    """

    name: str
    first: Condition
    second: Condition | None
    low: float
    high: float


@dataclass(frozen=True)
class Better:
    """Arm `arm` is better than `than` on `metric` by more than `by`: a ratio under scale log, else a difference."""

    kind: ClassVar[str] = "better"
    id: str
    metric: str
    arm: Cell
    than: Cell
    by: float
    where: Condition = field(default_factory=lambda: ANYWHERE)

    def contrasts(self, metric: Metric) -> tuple[Contrast, ...]:
        """The gain of the arm, which is to be more than `by`."""
        return (gain(metric, self.arm, self.than, self.by),)

    def sentence(self, metric: Metric) -> str:
        """The claim in plain English."""
        arm, than = (arm_name(each) if speaks(each) else describe(only(each)) for each in (self.arm, self.than))
        text = f"{arm} has {better_word(metric)} {metric.name} than {than}"
        if metric.scale == "log" and self.by != 1:
            text += f", by a factor of more than {self.by:g}"
        if metric.scale == "linear" and self.by != 0:
            text += f", by more than {self.by:g}{' ' + metric.unit if metric.unit else ''}"
        return text + place_name(self.where)


@dataclass(frozen=True)
class Within:
    """The mean of `metric` lies within `tolerance` of `value`, a number from theory or from a published `source`."""

    kind: ClassVar[str] = "within"
    id: str
    metric: str
    value: float
    tolerance: float
    where: Condition = field(default_factory=lambda: ANYWHERE)
    source: str = ""

    def contrasts(self, metric: Metric) -> tuple[Contrast, ...]:
        """The mean, which is to be close to `value`."""
        return (Contrast(f"mean {metric.name}", {}, None, self.value - self.tolerance, self.value + self.tolerance),)

    def sentence(self, metric: Metric) -> str:
        """The claim in plain English."""
        source = f" ({self.source})" if self.source else ""
        return (
            f"the mean {metric.name} lies within {self.tolerance:g} of {self.value:g}{place_name(self.where)}{source}"
        )


@dataclass(frozen=True)
class Ordered:
    """On `metric`, each of `levels` of `factor` is better than the next."""

    kind: ClassVar[str] = "ordered"
    id: str
    metric: str
    factor: str
    levels: tuple[Level, ...]
    where: Condition = field(default_factory=lambda: ANYWHERE)

    def contrasts(self, metric: Metric) -> tuple[Contrast, ...]:
        """The gain of each level over the next, which is to be positive."""
        nothing = 1.0 if metric.scale == "log" else 0.0
        return tuple(
            gain(metric, {self.factor: good}, {self.factor: bad}, nothing) for good, bad in pairwise(self.levels)
        )

    def sentence(self, metric: Metric) -> str:
        """The claim in plain English."""
        order = ", then ".join(map(label, self.levels))
        return f"on {metric.name}, from best to worst: {order}{place_name(self.where)}"


@dataclass(frozen=True)
class Monotone:
    """`metric` rises (or falls) from each level of `factor` to the next."""

    kind: ClassVar[str] = "monotone"
    id: str
    metric: str
    factor: str
    levels: tuple[Level, ...]
    trend: Literal["increasing", "decreasing"]
    where: Condition = field(default_factory=lambda: ANYWHERE)

    def contrasts(self, metric: Metric) -> tuple[Contrast, ...]:
        """The step between adjacent levels, which is to go one way."""
        steps = pairwise(self.levels if self.trend == "increasing" else self.levels[::-1])
        return tuple(excess(metric, {self.factor: more}, {self.factor: less}) for less, more in steps)

    def sentence(self, metric: Metric) -> str:
        """The claim in plain English."""
        verb = "increases" if self.trend == "increasing" else "decreases"
        order = ", ".join(map(label, self.levels))
        return f"{metric.name} {verb} with {self.factor} at each step of {order}{place_name(self.where)}"


Claim = Better | Within | Ordered | Monotone


def gain(metric: Metric, arm: Cell, than: Cell, by: float) -> Contrast:
    """How much better `arm` is than `than`: larger is better whichever way the metric goes."""
    return excess(metric, than, arm, by) if metric.direction == "minimise" else excess(metric, arm, than, by)


def excess(metric: Metric, more: Cell, less: Cell, by: float | None = None) -> Contrast:
    """How much larger the metric is in `more` than in `less`, to be more than `by` (than nothing by default)."""
    nothing, sign = (1.0, "/") if metric.scale == "log" else (0.0, "-")
    name = f"{arm_name(more)} {sign} {arm_name(less)}"
    return Contrast(name, only(more), only(less), nothing if by is None else by, math.inf)


def only(cell: Cell) -> Condition:
    """The condition that a cell has these levels."""
    return {name: (level,) for name, level in cell.items()}


def arm_name(arm: Cell) -> str:
    """`absolute`, or `objective=absolute, network=mlp` where several factors tell the arm."""
    return label(next(iter(arm.values()))) if len(arm) == 1 else describe(only(arm))


def speaks(arm: Cell) -> bool:
    """Whether an arm's levels are words, which say what they are of without their factor's name."""
    return all(isinstance(level, str) for level in arm.values())


def better_word(metric: Metric) -> str:
    """`lower` or `higher`."""
    return "lower" if metric.direction == "minimise" else "higher"


def place_name(where: Condition) -> str:
    """`where objective=huber`, with a space before it, or nothing."""
    return f" where {describe(where)}" if where else ""
