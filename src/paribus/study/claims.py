"""What a study expects, as statements that data can support or refute. Plain Python, no scipy."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from paribus.study.levels import ANYWHERE, Cell, Condition, Level


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


@dataclass(frozen=True)
class Ordered:
    """On `metric`, each of `levels` of `factor` is better than the next."""

    kind: ClassVar[str] = "ordered"
    id: str
    metric: str
    factor: str
    levels: tuple[Level, ...]
    where: Condition = field(default_factory=lambda: ANYWHERE)


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


Claim = Better | Within | Ordered | Monotone
