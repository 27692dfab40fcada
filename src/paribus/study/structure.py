"""A study as its experiment declares it: question, factors, replicate, metrics, claims. Plain Python, no torch, no scipy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

from paribus.errors import UserError, nearest
from paribus.study.claims import Claim
from paribus.study.levels import Cell, Condition, Level, Setting, canonical, label, matches

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
        if not self.settings:
            return {self.name: level}
        return self.settings[self.position(level)]

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
    """

    name: str
    direction: Direction
    unit: str = ""
    scale: Scale = "linear"


@dataclass(frozen=True)
class Study:
    """A question and what answers it.

    Attributes:
        factors: what differs between trainings.
        within: what differs between rows of one training, such as a calibrator.
        exclude: cells that are not run: those that match any of these.
        claims: what is expected; each gets a verdict.
        replication: what another replicate means for the data, where the study overrules the records: `fresh` data,
            `resplit` of one data set, or `fixed` test part.
    """

    question: str
    factors: tuple[Factor, ...]
    replicate: Replicate
    metrics: tuple[Metric, ...]
    within: tuple[Factor, ...] = ()
    exclude: tuple[Condition, ...] = ()
    claims: tuple[Claim, ...] = ()
    replication: Replication | None = None

    def cells(self) -> tuple[Cell, ...]:
        """Every combination of levels of `factors` that is run, the last factor varying fastest."""
        names = [factor.name for factor in self.factors]
        every = (dict(zip(names, levels, strict=True)) for levels in product(*(each.levels for each in self.factors)))
        return tuple(cell for cell in every if not any(matches(cell, entry) for entry in self.exclude))

    def factor(self, name: str) -> Factor:
        """The factor, within-run or not, of that name; UserError if there is none."""
        raise NotImplementedError

    def metric(self, name: str) -> Metric:
        """The metric of that name; UserError if there is none."""
        raise NotImplementedError

    def narrowed(self, levels: Mapping[str, Sequence[Level]]) -> "Study":
        """This study with other levels of some factors or of the replicate, as `seed=0` on a command line asks.

        Claims stay as they are: one about a level that is gone will be "not evaluated". A plain factor may be given
        levels that were not declared; a bundle may not.
        """
        raise NotImplementedError


def parse_study(mapping: Mapping[str, object]) -> Study:
    """The study that `mapping` (the `study:` node as plain dicts and lists) declares; UserError if it is not one."""
    raise NotImplementedError


def ad_hoc_study(
    factors: Mapping[str, Sequence[Level]],
    replicate: Mapping[str, Sequence[Level]],
    metrics: Iterable[Metric],
    within: Mapping[str, Sequence[Level]] | None = None,
    question: str = "",
) -> Study:
    """A study without claims, for a sweep typed on the command line."""
    raise NotImplementedError
