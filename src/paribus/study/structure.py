"""A study as its experiment declares it: question, factors, replicate, metrics, claims, planes. No torch, no scipy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product

from paribus.errors import UserError, nearest
from paribus.study import declared
from paribus.study.claims import Claim
from paribus.study.factors import Factor, Metric, Plane, Replicate, Replication
from paribus.study.levels import Cell, Condition, Level, canonical, describe, matches


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
