"""What a study expects, as statements that data can support or refute. Plain Python, no scipy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from paribus.errors import UserError, nearest
from paribus.study import declared
from paribus.study.levels import ANYWHERE, Cell, Condition, Level, canonical, describe, joined, label, matches

if TYPE_CHECKING:
    from paribus.study.structure import Factor, Metric, Study


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

    def contrasts(self, metric: "Metric") -> tuple[Contrast, ...]:
        """The gain of the arm, which is to be more than `by`."""
        return (gain(metric, self.arm, self.than, self.by),)

    def sentence(self, metric: "Metric") -> str:
        """The claim in plain English."""
        text = f"{arm_name(self.arm)} has {better_word(metric)} {metric.name} than {arm_name(self.than)}"
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

    def contrasts(self, metric: "Metric") -> tuple[Contrast, ...]:
        """The mean, which is to be close to `value`."""
        return (Contrast(f"mean {metric.name}", {}, None, self.value - self.tolerance, self.value + self.tolerance),)

    def sentence(self, metric: "Metric") -> str:
        """The claim in plain English."""
        source = f" ({self.source})" if self.source else ""
        return f"the mean {metric.name} lies within {self.tolerance:g} of {self.value:g}{place_name(self.where)}{source}"


@dataclass(frozen=True)
class Ordered:
    """On `metric`, each of `levels` of `factor` is better than the next."""

    kind: ClassVar[str] = "ordered"
    id: str
    metric: str
    factor: str
    levels: tuple[Level, ...]
    where: Condition = field(default_factory=lambda: ANYWHERE)

    def contrasts(self, metric: "Metric") -> tuple[Contrast, ...]:
        """The gain of each level over the next, which is to be positive."""
        nothing = 1.0 if metric.scale == "log" else 0.0
        return tuple(
            gain(metric, {self.factor: good}, {self.factor: bad}, nothing) for good, bad in pairwise(self.levels)
        )

    def sentence(self, metric: "Metric") -> str:
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

    def contrasts(self, metric: "Metric") -> tuple[Contrast, ...]:
        """The step between adjacent levels, which is to go one way."""
        steps = pairwise(self.levels if self.trend == "increasing" else self.levels[::-1])
        return tuple(excess(metric, {self.factor: more}, {self.factor: less}) for less, more in steps)

    def sentence(self, metric: "Metric") -> str:
        """The claim in plain English."""
        verb = "increases" if self.trend == "increasing" else "decreases"
        order = ", ".join(map(label, self.levels))
        return f"{metric.name} {verb} with {self.factor} at each step of {order}{place_name(self.where)}"


Claim = Better | Within | Ordered | Monotone


def gain(metric: "Metric", arm: Cell, than: Cell, by: float) -> Contrast:
    """How much better `arm` is than `than`: larger is better whichever way the metric goes."""
    return excess(metric, than, arm, by) if metric.direction == "minimise" else excess(metric, arm, than, by)


def excess(metric: "Metric", more: Cell, less: Cell, by: float | None = None) -> Contrast:
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


def better_word(metric: "Metric") -> str:
    """`lower` or `higher`."""
    return "lower" if metric.direction == "minimise" else "higher"


def place_name(where: Condition) -> str:
    """`where objective=huber`, with a space before it, or nothing."""
    return f" where {describe(where)}" if where else ""


def parse_claims(nodes: object, study: "Study") -> tuple[Claim, ...]:
    """The claims that `nodes`, the list under `claims:`, makes about `study`."""
    if nodes in (None, [], ()):
        return ()
    claims = tuple(parse_claim(node, study) for node in declared.list_of(nodes, "study.claims", "[{id: ...}]"))
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise UserError(f"study.claims has the id {name!r} {ids.count(name)} times; ids tell claims apart")
    return claims


def parse_claim(node: object, study: "Study") -> Claim:
    """One claim about `study`, or what is wrong with it."""
    example = "{id: wins, kind: better, metric: mae, arm: {objective: absolute}, than: {objective: squared}}"
    mapping = declared.mapping_of(node, "a claim of study.claims", example)
    name = declared.text_of(mapping.get("id"), "a claim's id")
    place = f"claim {name!r}"
    kind = declared.one_of(mapping.get("kind"), f"{place}: kind", list(READERS))
    required, optional, read = READERS[kind]
    declared.keys_of(mapping, place, ("id", "kind", "metric", *required), ("where", *optional))
    metric = study.metric(declared.text_of(mapping["metric"], f"{place}: metric"), place)
    where = parse_condition(mapping.get("where") or {}, f"{place}: where", study.every_factor)
    claim = read(name, mapping, metric, where, study)
    for contrast in claim.contrasts(metric):
        for side in (contrast.first, contrast.second or {}):
            overlap = side.keys() & where.keys()
            if overlap:
                raise UserError(f"{place}: where speaks of {', '.join(sorted(overlap))}, which the claim compares")
            training = {key: levels for key, levels in joined((side, where)).items() if key not in study.within_names}
            if not any(matches(cell, training) for cell in study.cells()):
                raise UserError(f"{place}: no cell of the study has {describe(training)}; study.exclude removes them")
    return claim


def read_better(name: str, node: Mapping[str, object], metric: "Metric", where: Condition, study: "Study") -> Better:
    """A claim that one arm is better than another."""
    place = f"claim {name!r}"
    needs_direction(metric, place)
    arm = parse_arm(node["arm"], f"{place}: arm", study.every_factor)
    than = parse_arm(node["than"], f"{place}: than", study.every_factor)
    if arm.keys() != than.keys():
        raise UserError(
            f"{place} compares {describe(only(arm))} with {describe(only(than))}; both arms must give a level of the "
            "same factors, so that all else is equal"
        )
    if canonical(arm) == canonical(than):
        raise UserError(f"{place} compares the arm {describe(only(arm))} with itself")
    nothing = 1.0 if metric.scale == "log" else 0.0
    by = nothing if node.get("by") is None else declared.number_of(node["by"], f"{place}: by")
    if metric.scale == "log" and by <= 0:
        raise UserError(f"{place}: by is {by:g}; on {metric.name}, of scale log, it is a ratio and must be positive")
    return Better(name, metric.name, arm, than, by, where)


def read_within(name: str, node: Mapping[str, object], metric: "Metric", where: Condition, study: "Study") -> Within:
    """A claim about the value of a mean."""
    place = f"claim {name!r}"
    value = declared.number_of(node["value"], f"{place}: value")
    tolerance = declared.number_of(node["tolerance"], f"{place}: tolerance")
    if tolerance <= 0:
        raise UserError(f"{place}: tolerance is {tolerance:g}; expected a positive number")
    source = declared.text_of(node["source"], f"{place}: source") if node.get("source") is not None else ""
    return Within(name, metric.name, value, tolerance, where, source)


def read_ordered(name: str, node: Mapping[str, object], metric: "Metric", where: Condition, study: "Study") -> Ordered:
    """A claim about the order of a factor's levels."""
    place = f"claim {name!r}"
    needs_direction(metric, place)
    factor = study.factor(declared.text_of(node["factor"], f"{place}: factor"), place)
    return Ordered(name, metric.name, factor.name, several_levels(node["levels"], place, factor), where)


def read_monotone(
    name: str, node: Mapping[str, object], metric: "Metric", where: Condition, study: "Study"
) -> Monotone:
    """A claim about a trend; without `levels` it runs over all, numbers in ascending order."""
    place = f"claim {name!r}"
    factor = study.factor(declared.text_of(node["factor"], f"{place}: factor"), place)
    trend = declared.one_of(node["trend"], f"{place}: trend", ("increasing", "decreasing"))
    if node.get("levels") is not None:
        levels = several_levels(node["levels"], place, factor)
    else:
        numbers = [canonical(level) for level in factor.levels]
        ascending = all(isinstance(number, float) for number in numbers)
        levels = tuple(sorted(factor.levels, key=lambda level: canonical(level))) if ascending else factor.levels  # type: ignore[type-var, arg-type, return-value]
        several_levels(levels, place, factor)
    return Monotone(
        name, metric.name, factor.name, levels, "increasing" if trend == "increasing" else "decreasing", where
    )


READERS = {
    "better": (("arm", "than"), ("by",), read_better),
    "within": (("value", "tolerance"), ("source",), read_within),
    "ordered": (("factor", "levels"), (), read_ordered),
    "monotone": (("factor", "trend"), ("levels",), read_monotone),
}
"""For each kind of claim the keys it needs, those it may have, and what reads it."""


def needs_direction(metric: "Metric", place: str) -> None:
    """Refuse to call an arm better on a metric that has no better side."""
    if metric.direction == "neither":
        raise UserError(f"{place}: the direction of {metric.name} is neither, so no arm is better on it")


def several_levels(node: object, place: str, factor: "Factor") -> tuple[Level, ...]:
    """At least two levels of `factor`, in the order given."""
    levels = declared.levels_of(node, f"{place}: levels", "[first, second]")
    if len(levels) < 2:
        raise UserError(f"{place}: levels has {len(levels)} entry; expected two or more levels of {factor.name}")
    return tuple(factor.known(level, place) for level in levels)


def parse_arm(node: object, place: str, factors: Mapping[str, "Factor"]) -> Cell:
    """One level for each of some factors."""
    condition = parse_condition(node, place, factors)
    if not condition:
        raise UserError(f"{place} is empty; expected a level of some factor, e.g. {{objective: huber}}")
    for name, levels in condition.items():
        if len(levels) > 1:
            raise UserError(f"{place} has {len(levels)} levels of {name}; an arm has one")
    return {name: levels[0] for name, levels in condition.items()}


def parse_condition(node: object, place: str, factors: Mapping[str, "Factor"]) -> Condition:
    """Factors with a level or a list of levels each, all of which the study declares."""
    condition: dict[str, tuple[Level, ...]] = {}
    for name, value in declared.mapping_of(node, place, "{objective: huber}").items():
        if name not in factors:
            known = ", ".join(factors)
            raise UserError(f"{place} names {name!r}, which is no factor of the study ({known}).{hint(name, factors)}")
        levels = value if isinstance(value, list | tuple) else [value]
        example = f"{{{name}: {label(factors[name].levels[0])}}}"
        read = declared.levels_of(levels, f"{place}: {name}", example)
        condition[name] = tuple(factors[name].known(level, place) for level in read)
    return condition


def hint(name: str, factors: Mapping[str, "Factor"]) -> str:
    """The nearest factor, also one of which `name` is the last part."""
    ends = [full for full in factors if full.split(".")[-1] == name]
    return f" Did you mean {ends[0]!r}?" if ends else nearest(name, factors)
