"""Reading a study's claims and conditions from its declaration. Plain Python, no scipy."""

from collections.abc import Callable, Mapping

from paribus.errors import UserError, nearest
from paribus.study import declared
from paribus.study.claims import Better, Claim, Monotone, Ordered, Within, only
from paribus.study.factors import Factor, Metric
from paribus.study.levels import Cell, Condition, Level, canonical, describe, joined, label, matches
from paribus.study.structure import Study


def parse_claims(nodes: object, study: Study) -> tuple[Claim, ...]:
    """The claims that `nodes`, the list under `claims:`, makes about `study`."""
    if nodes in (None, [], ()):
        return ()
    claims = tuple(parse_claim(node, study) for node in declared.list_of(nodes, "study.claims", "[{id: ...}]"))
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise UserError(f"study.claims has the id {name!r} {ids.count(name)} times; ids tell claims apart")
    return claims


def parse_claim(node: object, study: Study) -> Claim:
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


def read_better(name: str, node: Mapping[str, object], metric: Metric, where: Condition, study: Study) -> Better:
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


def read_within(name: str, node: Mapping[str, object], metric: Metric, where: Condition, study: Study) -> Within:
    """A claim about the value of a mean."""
    place = f"claim {name!r}"
    value = declared.number_of(node["value"], f"{place}: value")
    tolerance = declared.number_of(node["tolerance"], f"{place}: tolerance")
    if tolerance <= 0:
        raise UserError(f"{place}: tolerance is {tolerance:g}; expected a positive number")
    source = declared.text_of(node["source"], f"{place}: source") if node.get("source") is not None else ""
    return Within(name, metric.name, value, tolerance, where, source)


def read_ordered(name: str, node: Mapping[str, object], metric: Metric, where: Condition, study: Study) -> Ordered:
    """A claim about the order of a factor's levels."""
    place = f"claim {name!r}"
    needs_direction(metric, place)
    factor = study.factor(declared.text_of(node["factor"], f"{place}: factor"), place)
    return Ordered(name, metric.name, factor.name, several_levels(node["levels"], place, factor), where)


def read_monotone(name: str, node: Mapping[str, object], metric: Metric, where: Condition, study: "Study") -> Monotone:
    """A claim about a trend over numbers; without `levels` it runs over all, in ascending order."""
    place = f"claim {name!r}"
    factor = study.factor(declared.text_of(node["factor"], f"{place}: factor"), place)
    trend = declared.one_of(node["trend"], f"{place}: trend", ("increasing", "decreasing"))
    if node.get("levels") is not None:
        levels = several_levels(node["levels"], place, factor)
    else:
        levels = several_levels(list(factor.levels), place, factor)
    if texts := [label(level) for level in levels if not isinstance(canonical(level), float)]:
        raise UserError(
            f"{place}: {factor.name} has the level {texts[0]!r}, which is no number, so nothing can rise or fall with "
            "it; for an order of levels use kind: ordered, with the levels from best to worst"
        )
    if node.get("levels") is None:
        levels = tuple(sorted(levels, key=lambda level: canonical(level)))  # type: ignore[arg-type, return-value]
    return Monotone(
        name, metric.name, factor.name, levels, "increasing" if trend == "increasing" else "decreasing", where
    )


READERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., Claim]]] = {
    "better": (("arm", "than"), ("by",), read_better),
    "within": (("value", "tolerance"), ("source",), read_within),
    "ordered": (("factor", "levels"), (), read_ordered),
    "monotone": (("factor", "trend"), ("levels",), read_monotone),
}
"""For each kind of claim the keys it needs, those it may have, and what reads it."""


def needs_direction(metric: Metric, place: str) -> None:
    """Refuse to call an arm better on a metric that has no better side."""
    if metric.direction == "neither":
        raise UserError(f"{place}: the direction of {metric.name} is neither, so no arm is better on it")


def several_levels(node: object, place: str, factor: Factor) -> tuple[Level, ...]:
    """At least two levels of `factor`, in the order given."""
    levels = declared.levels_of(node, f"{place}: levels", "[first, second]")
    if len(levels) < 2:
        raise UserError(f"{place}: levels has {len(levels)} entry; expected two or more levels of {factor.name}")
    return tuple(factor.known(level, place) for level in levels)


def parse_arm(node: object, place: str, factors: Mapping[str, Factor]) -> Cell:
    """One level for each of some factors."""
    condition = parse_condition(node, place, factors)
    if not condition:
        raise UserError(f"{place} is empty; expected a level of some factor, e.g. {{objective: huber}}")
    for name, levels in condition.items():
        if len(levels) > 1:
            raise UserError(f"{place} has {len(levels)} levels of {name}; an arm has one")
    return {name: levels[0] for name, levels in condition.items()}


def parse_condition(node: object, place: str, factors: Mapping[str, Factor]) -> Condition:
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


def hint(name: str, factors: Mapping[str, Factor]) -> str:
    """The nearest factor, also one of which `name` is the last part."""
    ends = [full for full in factors if full.split(".")[-1] == name]
    return f" Did you mean {ends[0]!r}?" if ends else nearest(name, factors)
