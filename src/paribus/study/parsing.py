"""A study from the `study:` node of an experiment, or from a sweep typed on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import cast

from paribus.errors import UserError
from paribus.study import declared
from paribus.study.claim_parsing import parse_claims, parse_condition
from paribus.study.factors import Direction, Factor, Metric, Replicate, Replication, Scale
from paribus.study.levels import Condition, Level, Setting, canonical, label
from paribus.study.plane_parsing import parse_planes
from paribus.study.structure import Study, checked

KEYS = ("question", "factors", "replicate", "metrics")
OPTIONAL_KEYS = ("within", "exclude", "claims", "planes", "replication")


def parse_study(mapping: Mapping[str, object]) -> Study:
    """The study that `mapping` (the `study:` node as plain dicts and lists) declares; UserError if it is not one."""
    node = declared.mapping_of(mapping, "study", "{question: ..., factors: ..., replicate: ..., metrics: ...}")
    declared.keys_of(node, "study", KEYS, OPTIONAL_KEYS)
    factors = declared.mapping_of(node["factors"], "study.factors", "{objective: [squared, huber]}")
    within = declared.mapping_of(node.get("within") or {}, "study.within", "{calibrator: [none, temperature]}")
    metrics = declared.mapping_of(node["metrics"], "study.metrics", "{mae: {direction: minimise}}")
    if not metrics:
        raise UserError("study.metrics is empty; expected at least one, e.g. {mae: {direction: minimise}}")
    study = Study(
        question=declared.text_of(node["question"], "study.question"),
        factors=tuple(_factor(name, value) for name, value in factors.items()),
        replicate=_replicate(node["replicate"]),
        metrics=tuple(_metric(name, value) for name, value in metrics.items()),
        within=tuple(
            Factor(name, declared.levels_of(value, f"study.within.{name}", "[none, temperature]"))
            for name, value in within.items()
        ),
        replication=_replication(node.get("replication")),
    )
    study = replace(study, exclude=_exclusions(node.get("exclude"), study))
    return replace(
        checked(study), claims=parse_claims(node.get("claims"), study), planes=parse_planes(node.get("planes"), study)
    )


def ad_hoc_study(
    factors: Mapping[str, Sequence[Level]],
    replicate: Mapping[str, Sequence[Level]],
    metrics: Iterable[Metric],
    within: Mapping[str, Sequence[Level]] | None = None,
    question: str = "",
) -> Study:
    """A study without claims, for a sweep typed on the command line."""
    if len(replicate) != 1:
        raise UserError(f"the replicate is {dict(replicate)}; expected one key, e.g. seed=0,1,2")
    (key, levels), *_ = replicate.items()
    plain = [Factor(name, declared.levels_of(list(each), name, f"{name}=a,b")) for name, each in factors.items()]
    inner = [Factor(name, declared.levels_of(list(each), name, "a,b")) for name, each in (within or {}).items()]
    return checked(
        Study(
            question=question or f"What does a change of {' and of '.join(factors)} do?",
            factors=tuple(plain),
            replicate=Replicate(key, declared.levels_of(list(levels), key, f"{key}=0,1,2")),
            metrics=tuple(metrics),
            within=tuple(inner),
        )
    )


def _factor(name: str, node: object) -> Factor:
    place = f"study.factors.{name}"
    if not isinstance(node, Mapping):
        return Factor(name, declared.levels_of(node, place, "[squared, huber]"))
    if not node:
        raise UserError(f"{place} is an empty mapping; expected levels, e.g. {{line: {{data: line, network: linear}}}}")
    levels = tuple(declared.level_of(level, place) for level in node)
    declared.refuse_twins(levels, place)
    settings = tuple(_settings(value, f"{place}.{label(level)}") for level, value in node.items())
    for (one, left), (other, right) in combinations(zip(levels, settings, strict=True), 2):
        if canonical(left) == canonical(right):
            raise UserError(f"{place}: the levels {label(one)} and {label(other)} set the same values: one arm twice")
    return Factor(name, levels, settings)


def _settings(node: object, place: str) -> dict[str, Setting]:
    mapping = declared.mapping_of(node, place, "{data: line, network: linear}")
    if not mapping:
        raise UserError(f"{place} sets nothing; write down the values that the level has, even if they are the default")
    return {key: declared.setting_of(value, f"{place}.{key}") for key, value in mapping.items()}


def _replicate(node: object) -> Replicate:
    mapping = declared.mapping_of(node, "study.replicate", "{seed: 20}")
    if len(mapping) != 1:
        raise UserError(
            f"study.replicate has the keys {', '.join(mapping) or 'of nothing'}; expected one, e.g. seed: 20"
        )
    (key, value), *_ = mapping.items()
    place = f"study.replicate.{key}"
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise UserError(f"{place} is {value}; expected a number of replicates of 1 or more, or a list")
        return Replicate(key, tuple(range(value)))
    if isinstance(value, str | float | bool) or value is None:
        raise UserError(f"{place} is {declared.shown(value)}; expected a whole number, or a list of levels")
    return Replicate(key, declared.levels_of(value, place, "[0, 1, 2]"))


def _metric(name: str, node: object) -> Metric:
    place = f"study.metrics.{name}"
    mapping = declared.mapping_of(node, place, "{direction: minimise, unit: nats, scale: log}")
    declared.keys_of(mapping, place, ("direction",), ("unit", "scale", "worst"))
    direction = declared.one_of(mapping["direction"], f"{place}.direction", ("minimise", "maximise", "neither"))
    scale = declared.one_of(mapping.get("scale", "linear"), f"{place}.scale", ("linear", "log"))
    unit = declared.text_of(mapping["unit"], f"{place}.unit") if mapping.get("unit") else ""
    worst = declared.number_of(mapping["worst"], f"{place}.worst") if mapping.get("worst") is not None else None
    if scale == "log" and worst is not None and worst <= 0:
        raise UserError(f"{place}.worst is {worst:g}; expected a number above 0, since scale: log compares by ratios")
    return Metric(name, cast(Direction, direction), unit, cast(Scale, scale), worst)


def _replication(node: object) -> Replication | None:
    if node is None:
        return None
    return cast(Replication, declared.one_of(node, "study.replication", ("fresh", "resplit", "fixed")))


def _exclusions(node: object, study: Study) -> tuple[Condition, ...]:
    if node in (None, [], ()):
        return ()
    entries = declared.list_of(node, "study.exclude", "[{objective: huber, network: linear}]")
    factors = {factor.name: factor for factor in study.factors}
    conditions = tuple(parse_condition(entry, "study.exclude", factors) for entry in entries)
    if not all(conditions):
        raise UserError("study.exclude has an empty entry, which would remove every cell")
    return conditions
