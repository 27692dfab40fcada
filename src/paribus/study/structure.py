"""A study as its experiment declares it: question, factors, replicate, metrics, claims, planes. No torch, no scipy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product
from typing import Literal, cast

from paribus.errors import UserError, nearest
from paribus.study import declared
from paribus.study.claim_parsing import parse_claims, parse_condition
from paribus.study.claims import Claim
from paribus.study.levels import Cell, Condition, Level, Setting, canonical, describe, label, matches
from paribus.study.planes import Plane, parse_planes

Direction = Literal["minimise", "maximise", "neither"]
Scale = Literal["linear", "log"]
Replication = Literal["fresh", "resplit", "fixed"]


@dataclass(frozen=True)
class Factor:
    """Something that the study varies on purpose.

    Attributes:
        name: of a plain factor the config group or dotted key that it sets; of a bundle any word.
        levels: its levels, as written.
        settings: of a bundle, for each level in the order of `levels`, the config keys that it sets and their values;
            empty for a plain factor.
    """

    name: str
    levels: tuple[Level, ...]
    settings: tuple[Mapping[str, Setting], ...] = ()

    def sets(self, level: Level) -> Mapping[str, Setting]:
        """The config keys that `level` sets, and their values: `{name: level}` for a plain factor."""
        return self.settings[self.position(level)] if self.settings else {self.name: level}

    @property
    def keys(self) -> tuple[str, ...]:
        """Every config key that some level sets; what lies below them varies with the factor."""
        return tuple(dict.fromkeys(key for setting in self.settings for key in setting)) or (self.name,)

    def covers(self, key: str) -> bool:
        """Whether the dotted config `key` is one that the factor sets, or lies below one."""
        roots = [own.split("@")[-1].replace("/", ".") for own in self.keys]
        return any(key == root or key.startswith(root + ".") for root in roots)

    def position(self, level: Level) -> int:
        """Index of `level` in `levels`; ValueError if it is not one of them."""
        return [canonical(known) for known in self.levels].index(canonical(level))

    def known(self, level: Level, place: str) -> Level:
        """`level` as the study writes it; UserError, beginning with `place`, if it is not one of `levels`."""
        try:
            return self.levels[self.position(level)]
        except ValueError:
            names = [self.label(each) for each in self.levels]
            raise UserError(
                f"{place}: {label(level)!r} is no level of {self.name}, which has {', '.join(names)}."
                f"{nearest(label(level), names)}"
            ) from None

    def label(self, level: Level) -> str:
        """`level` as tables show it."""
        return label(level)


@dataclass(frozen=True)
class Replicate:
    """What repeats the whole comparison: a config key and its levels, `seed` 0 to 19."""

    key: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Metric:
    """A number that evaluators measure and arms are compared on.

    Attributes:
        direction: which way is better; `neither` for a number with a target, such as a bias.
        unit: for tables and axes.
        scale: `log` compares by ratio (of positive values), `linear` by difference.
        worst: what a run that diverged counts as; None for beyond every number, so that only medians can be compared.
    """

    name: str
    direction: Direction
    unit: str = ""
    scale: Scale = "linear"
    worst: float | None = None


@dataclass(frozen=True)
class Study:
    """A question and what answers it.

    Attributes:
        factors: what differs between trainings.
        within: what differs between rows of one training, such as a calibrator, and the levels to show.
        exclude: cells that are not run: those that match any of these.
        claims: what is expected; each gets a verdict.
        planes: pairs of metrics that the report draws against each other.
        replication: what another replicate means for the data, where the study overrules the records: `fresh` data,
            `resplit` of one data set, or `fixed` test part.
        declared_levels: where a command line asked for other levels, those that were declared, by the name of the
            factor or the replicate.
    """

    question: str
    factors: tuple[Factor, ...]
    replicate: Replicate
    metrics: tuple[Metric, ...]
    within: tuple[Factor, ...] = ()
    exclude: tuple[Condition, ...] = ()
    claims: tuple[Claim, ...] = ()
    planes: tuple[Plane, ...] = ()
    replication: Replication | None = None
    declared_levels: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

    def cells(self) -> tuple[Cell, ...]:
        """Every combination of levels of `factors` that is run, the last factor varying fastest."""
        return self._cells

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        names = [factor.name for factor in self.factors]
        every = (dict(zip(names, levels, strict=True)) for levels in product(*(each.levels for each in self.factors)))
        return tuple(cell for cell in every if not any(matches(cell, entry) for entry in self.exclude))

    @property
    def every_factor(self) -> dict[str, Factor]:
        """All factors, also the within-run ones, by name."""
        return {factor.name: factor for factor in (*self.factors, *self.within)}

    @property
    def within_names(self) -> tuple[str, ...]:
        """Names of the within-run factors."""
        return tuple(factor.name for factor in self.within)

    def factor(self, name: str, place: str = "the study") -> Factor:
        """The factor, within-run or not, of that name; UserError, beginning with `place`, if there is none."""
        factors = self.every_factor
        if name not in factors:
            raise UserError(f"{place}: {name!r} is no factor; there are {', '.join(factors)}.{nearest(name, factors)}")
        return factors[name]

    def metric(self, name: str, place: str = "the study") -> Metric:
        """The metric of that name; UserError, beginning with `place`, if there is none."""
        metrics = {metric.name: metric for metric in self.metrics}
        if name not in metrics:
            raise UserError(f"{place}: {name!r} is no metric; there are {', '.join(metrics)}.{nearest(name, metrics)}")
        return metrics[name]

    def narrowed(self, levels: Mapping[str, Sequence[Level]]) -> "Study":
        """This study with other levels of some factors or of the replicate, as `seed=0` on a command line asks.

        Claims stay as they are: one about a level that is gone will be "not evaluated". A plain factor may be given
        levels that were not declared; a bundle may not.
        """
        given = {name: declared.levels_of(list(values), name, f"{name}=...") for name, values in levels.items()}
        known = (*self.every_factor, self.replicate.key)
        for name in given:
            if name not in known:
                raise UserError(f"{name!r} is neither factor nor replicate ({', '.join(known)}).{nearest(name, known)}")
        replicate = replace(self.replicate, levels=given.get(self.replicate.key, self.replicate.levels))
        factors = tuple(_with_levels(factor, given.get(factor.name, factor.levels)) for factor in self.factors)
        within = tuple(_with_levels(factor, given.get(factor.name, factor.levels)) for factor in self.within)
        before = {name: each.levels for name, each in self.every_factor.items()}
        before |= {self.replicate.key: self.replicate.levels, **self.declared_levels}
        now = {each.name: each.levels for each in (*factors, *within)} | {replicate.key: replicate.levels}
        changed = {
            name: levels
            for name, levels in before.items()
            if {canonical(level) for level in levels} != {canonical(level) for level in now[name]}
        }
        return checked(replace(self, factors=factors, within=within, replicate=replicate, declared_levels=changed))


def _with_levels(factor: Factor, levels: tuple[Level, ...]) -> Factor:
    if not factor.settings:
        return replace(factor, levels=levels)
    kept = tuple(factor.known(level, f"bundle {factor.name}") for level in levels)
    return Factor(factor.name, kept, tuple(factor.sets(level) for level in kept))


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


def checked(study: Study) -> Study:
    """`study`, if its parts fit together; UserError if not."""
    names = [*(factor.name for factor in (*study.factors, *study.within)), study.replicate.key]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"study: {name!r} is declared {names.count(name)} times as factor, within or replicate")
    for one, other in combinations(study.factors, 2):
        if both := set(one.keys) & set(other.keys):
            raise UserError(f"study.factors: {one.name} and {other.name} both set {', '.join(sorted(both))}")
    for factor in study.factors:
        if study.replicate.key in factor.keys:
            raise UserError(f"study.factors: {factor.name} sets {study.replicate.key}, which is the replicate")
    if not study.cells():
        entries = "; ".join(describe(entry) for entry in study.exclude)
        raise UserError(f"study.exclude removes every cell of the study ({entries})")
    return study


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
