"""Which factor is compared, which one runs along the horizontal axis, and which ones make panels."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from paribus.study.claims import Better, Ordered
from paribus.study.comparison import Result
from paribus.study.factors import Factor
from paribus.study.levels import Cell, Level, canonical, label
from paribus.study.structure import Study


@dataclass(frozen=True)
class Arrangement:
    """Roles of a study's factors in its figures and tables.

    Attributes:
        compared: its levels are the arms: one series each.
        across: a numeric factor for the horizontal axis.
        panels: the others; each combination of their levels is a panel.
    """

    compared: Factor | None
    across: Factor | None
    panels: tuple[Factor, ...]

    def series(self) -> list[tuple[int, Level]]:
        """The number and the level of each arm."""
        return list(enumerate(self.compared.levels)) if self.compared else [(0, None)]

    def panel_cells(self) -> list[Cell]:
        """Every combination of levels of the panels' factors."""
        return list(combinations(self.panels))

    def lookup(self, results: Iterable[Result]) -> "Lookup":
        """`results` by the levels of all these factors."""
        factors = [*self.panels, *(factor for factor in (self.across, self.compared) if factor)]
        return Lookup(results, [factor.name for factor in factors])


def arrange(study: Study) -> Arrangement:
    """The roles that the claims suggest: what most of them contrast is compared; else the first factor is."""
    factors = [factor for factor in (*study.within, *study.factors) if len(factor.levels) > 1]
    contrasts = contrasts_of(study)
    plain = [factor for factor in study.factors if len(factor.levels) > 1]
    compared = max(factors, key=lambda factor: contrasts[factor.name], default=None)
    if compared is None or not contrasts[compared.name]:
        compared = next(iter(plain or factors), None)
    rest = [factor for factor in (*plain, *study.within) if factor is not compared and len(factor.levels) > 1]
    numeric = [factor for factor in rest if is_numeric(factor)]
    across = max(numeric, key=lambda factor: len(factor.levels), default=None)
    if across is None and compared is not None and is_numeric(compared) and not rest:
        compared, across = None, compared
    return Arrangement(compared, across, tuple(factor for factor in rest if factor is not across))


def arrange_plane(study: Study, results: Sequence[Result]) -> Arrangement:
    """The roles in a plane of two metrics: a line runs along the numeric factor with the most levels.

    Of the others, what the claims contrast most is compared, else a numeric one with many levels, else the first. Data
    sets differ in scale, so that each has panels of its own.

    Args:
        study: whose factors these are.
        results: that are drawn; a within-run factor plays a role if they differ in it.
    """
    inner = [name for name in study.within_names if len({canonical(r.levels.get(name)) for r in results}) > 1]
    factors = [
        *(factor for factor in study.factors if len(factor.levels) > 1),
        *(factor for factor in study.within if factor.name in inner),
    ]
    contrasts = contrasts_of(study)
    numeric = [factor for factor in factors if is_numeric(factor)]
    across = max(numeric, key=lambda factor: (len(factor.levels), contrasts[factor.name]), default=None)
    rest = [factor for factor in factors if factor is not across]
    compared = max(
        (factor for factor in rest if not factor.covers("data")),
        key=lambda factor: (contrasts[factor.name], len(factor.levels) if is_numeric(factor) else 0),
        default=None,
    )
    return Arrangement(compared, across, tuple(factor for factor in rest if factor is not compared))


def contrasts_of(study: Study) -> Counter[str]:
    """How many of the study's claims set levels of each factor against each other."""
    return Counter(name for claim in study.claims for name in contrasted(claim))


def contrasted(claim: object) -> Iterator[str]:
    """The factors whose levels a claim sets against each other."""
    if isinstance(claim, Better):
        names = dict.fromkeys((*claim.arm, *claim.than))
        yield from (name for name in names if canonical(claim.arm.get(name)) != canonical(claim.than.get(name)))
    elif isinstance(claim, Ordered):
        yield claim.factor


def is_numeric(factor: Factor) -> bool:
    """Whether all levels are numbers, so that they have a place on an axis."""
    return not factor.settings and all(
        isinstance(level, int | float) and not isinstance(level, bool) for level in factor.levels
    )


def combinations(factors: Iterable[Factor]) -> Iterator[Cell]:
    """Every combination of levels, the last factor varying fastest."""
    factors = list(factors)
    for levels in product(*(factor.levels for factor in factors)):
        yield {factor.name: level for factor, level in zip(factors, levels, strict=True)}


class Lookup:
    """Results by the levels of some factors, found without a search.

    Args:
        results: the results of a comparison.
        names: the factors to look up by.
    """

    def __init__(self, results: Iterable[Result], names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.found: dict[tuple[object, ...], list[Result]] = {}
        for result in results:
            self.found.setdefault(self.key(result.levels), []).append(result)

    def key(self, cell: Cell) -> tuple[object, ...]:
        """What identifies `cell` among the results."""
        return tuple(canonical(cell.get(name)) for name in self.names)

    def at(self, cell: Cell) -> list[Result]:
        """The results that have exactly the levels of `cell`."""
        return self.found.get(self.key(cell), [])


def short(name: str, names: Iterable[str]) -> str:
    """The last part of a dotted name where that is enough to know it from `names`: `fraction`."""
    last = name.split(".")[-1]
    return last if sum(other.split(".")[-1] == last for other in set(names) | {name}) == 1 else name


def arm_legend(arrangement: Arrangement, drawn: Collection[int], study: Study) -> tuple[tuple[int, str], ...]:
    """Number and words of each arm that is drawn; empty where nothing is compared."""
    if arrangement.compared is None:
        return ()
    return tuple((n, arm_words(arm, arrangement, study)) for n, arm in arrangement.series() if n in drawn)


def arm_words(arm: Level, arrangement: Arrangement, study: Study) -> str:
    """An arm's level, with its factor's name where the level is a mere number; empty where nothing is compared."""
    factor = arrangement.compared
    if factor is None:
        return ""
    names = [each.name for each in (*study.factors, *study.within)]
    return f"{short(factor.name, names)}: {label(arm)}" if is_numeric(factor) else label(arm)
