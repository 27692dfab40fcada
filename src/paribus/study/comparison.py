"""From results to paired differences: which runs answer which cell, what is missing, and what the pairs shared."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paribus.errors import UserError, nearest
from paribus.study.factors import Metric
from paribus.study.levels import ANYWHERE, Cell, Condition, Level, canonical, describe, joined
from paribus.study.matching import cell_key, known_levels
from paribus.study.measured import Measured, Run, measured
from paribus.study.records import RunRecord
from paribus.study.results import Result, Stranger, place_name, placed
from paribus.study.structure import Study

if TYPE_CHECKING:
    import numpy as np

    from paribus.study.statistics import Array

__all__ = ["CellCount", "Comparison", "Pairs", "Result", "Stranger", "compare"]

REPLICATIONS = ("fresh", "fixed", "resplit")
"""What another replicate means for the data, from the most to the least independent."""

Sides = tuple[list[int], list[int]]
"""Rows of a `Measured` on either side, counterpart by counterpart."""


@dataclass(frozen=True)
class CellCount:
    """How the planned runs of one cell ended; `planned` is the sum of the others."""

    levels: Cell
    planned: int
    finished: int
    diverged: int
    failed: int
    interrupted: int
    not_run: int
    running: int = 0


@dataclass(frozen=True)
class Pairs:
    """The paired values of two arms, one pair a replicate.

    Attributes:
        metric: what is compared, with its scale.
        first, second: what the two sides are; `second` is empty for the values of one side alone.
        replicates: the replicates used: those with a value in every cell on both sides.
        first_values, second_values: the metric, [replicates]; averaged over `cells` cells (geometrically on a log
            scale); the metric's worst, or else infinite, where a run diverged; 0 for no second side.
        differences: [replicates] first - second, or log first - log second; not finite where just one diverged, 0
            where both did.
        cells: pairs of cells averaged in each replicate.
        missing: replicates not used, each with the reason.
        failed: runs among the missing that raised an exception or were interrupted.
        diverged: values among the used that are of runs that diverged, on each side.
        shared: the things that all the pairs shared, of `split`, `corruption`, `init/<part>`, `order`.
        unshared: those recorded that some pair did not share.
        narrowing: half-width of the paired interval over that of an unpaired one (Welch); None where undefined.
        replication: what another replicate means for the data: `fresh`, `resplit` or `fixed`.
        test_over_train: largest ratio of test to training examples among the runs; None where not recorded.
        problem: why there are no pairs; empty if there are.
    """

    metric: Metric
    first: Condition
    second: Condition
    replicates: tuple[Level, ...]
    first_values: "Array"
    second_values: "Array"
    differences: "Array"
    cells: int
    missing: Mapping[Level, str] = field(default_factory=dict)
    failed: int = 0
    diverged: tuple[int, int] = (0, 0)
    shared: tuple[str, ...] = ()
    unshared: tuple[str, ...] = ()
    narrowing: float | None = None
    replication: str = "fresh"
    test_over_train: float | None = None
    problem: str = ""


class Comparison:
    """The results of a study.

    Attributes:
        study: what was planned.
        results: one for each row of each record that belongs to a cell, and one for each record without rows.
        strangers: what belongs to none.
    """

    def __init__(self, study: Study, results: Iterable[Result], strangers: Iterable[Stranger] = ()) -> None:
        self.study = study
        self.results = tuple(results)
        self.strangers = tuple(strangers)
        self._positions = {level: index for index, level in enumerate(known_levels(study.replicate.levels))}
        self._runs: dict[Run, Result] = {}
        for result in self.results:
            training = tuple(canonical(result.levels[factor.name]) for factor in study.factors)
            self._runs.setdefault((training, self._positions[canonical(result.replicate)]), result)
        self._measured: dict[str, Measured] = {}

    def counts(self) -> tuple[CellCount, ...]:
        """How the runs of each cell ended, in the order of `study.cells()`."""
        planned = len(self._positions)
        counted = []
        for cell in self.study.cells():
            runs = (self._runs.get((cell_key(cell), index)) for index in range(planned))
            ends = Counter(run.status if run else "not_run" for run in runs)
            names = ("finished", "diverged", "failed", "interrupted", "not_run", "running")
            counted.append(CellCount(cell, planned, **{name: ends[name] for name in names}))
        return tuple(counted)

    def measured(self, metric: Metric) -> Measured:
        """The values of `metric`, gathered once."""
        if metric.name not in self._measured:
            self._measured[metric.name] = measured(self.study, metric, self.results, self._runs, self._positions)
        return self._measured[metric.name]

    def paired(self, metric: str, first: Condition, second: Condition | None, where: Condition = ANYWHERE) -> Pairs:
        """The metric of two arms by replicate, or of one arm where `second` is None.

        The unit of replication is the replicate. Cells that differ in factors that neither the arms nor `where` fix
        are paired cell by cell and averaged within each replicate: n stays the number of replicates. A replicate is
        used if it has a value in all these cells on both sides. Cells without a counterpart are not compared.

        Args:
            metric: name of a metric of the study.
            first, second: levels on either side, of the same factors.
            where: levels of other factors.
        """
        import numpy as np

        known = self.study.metric(metric)
        known = known if second is not None else replace(known, scale="linear")
        table = self.measured(known)
        sides, problem = self._match(table, known, first, first if second is None else second, where)
        if problem:
            return _no_pairs(known, first, second, problem)
        left = table.values[sides[0]]
        right = table.values[sides[1]] if second is not None else np.zeros_like(left)
        used = np.atleast_1d(~(np.isnan(left) | np.isnan(right)).any(0))
        return self._pairs(table, known, sides, used, first, second)

    def _pairs(
        self,
        table: Measured,
        metric: Metric,
        sides: Sides,
        used: "np.ndarray",
        first: Condition,
        second: Condition | None,
    ) -> Pairs:
        import numpy as np

        from paribus.study.statistics import narrowing

        left = table.values[sides[0]][:, used]
        right = table.values[sides[1]][:, used] if second is not None else np.zeros_like(left)
        logarithmic = metric.scale == "log"
        negative = [value for side in (left, right) for value in side[np.isfinite(side) & (side < 0)]]
        if logarithmic and negative:
            problem = f"{metric.name} is {negative[0]:g} in some run, and negative numbers have no ratio"
            return _no_pairs(metric, first, second, f"{problem}; declare scale: linear")
        scaled = [_logarithm(side) if logarithmic else side for side in (left, right)]
        differences, *means = (_cell_mean(side) for side in (_difference(*scaled), *scaled))
        values = [np.exp(side) if logarithmic else side for side in means]
        missing, failed = self._missing(table, sides, used)
        runs = [[(table.trainings[row], int(at)) for row in side for at in np.flatnonzero(used)] for side in sides]
        shared, unshared = self._shared(runs[0], runs[1]) if second is not None else ((), ())
        replication, ratio = self._replication([*runs[0], *runs[1]])
        spread = second is not None and used.sum() > 1 and bool(np.isfinite(means).all())
        diverged = [int(table.diverged[side][:, used].sum()) for side in sides]
        return Pairs(
            metric=metric,
            first=first,
            second=second or {},
            replicates=tuple(level for level, use in zip(self.study.replicate.levels, used, strict=True) if use),
            first_values=values[0],
            second_values=values[1],
            differences=differences,
            cells=len(sides[0]),
            missing=missing,
            failed=failed,
            diverged=(diverged[0], diverged[1] if second is not None else 0),
            shared=shared,
            unshared=unshared,
            narrowing=narrowing(means[0], means[1]) if spread else None,
            replication=replication,
            test_over_train=ratio,
            problem="" if used.any() else "no replicate has a value in every cell that is compared",
        )

    def _match(
        self, table: Measured, metric: Metric, first: Condition, second: Condition, where: Condition
    ) -> tuple[Sides, str]:
        """Rows of `table` on either side, counterpart by counterpart, or why there are none."""
        if not table.cells:
            return ([], []), self._nothing_measured(metric)
        found = []
        for side in (first, second):
            condition = joined((where, side))
            wanted = [(name, {canonical(level) for level in levels}) for name, levels in condition.items()]
            chosen = {
                tuple((name, level) for name, level in key.items() if name not in side): row
                for row, key in enumerate(table.keys)
                if all(name in key and key[name] in levels for name, levels in wanted)
            }
            if not chosen:
                return ([], []), f"the study has no {metric.name} where {describe(condition)}"
            found.append(chosen)
        both = [others for others in found[0] if others in found[1]]
        if not both:
            return ([], []), "the two arms have no cells that are alike in all other factors"
        return ([found[0][others] for others in both], [found[1][others] for others in both]), ""

    def _nothing_measured(self, metric: Metric) -> str:
        names = sorted({name for result in self.results for name in result.metrics})
        if not self.results:
            return "there are no results"
        return (
            f"no record has {metric.name}; they have {', '.join(names) or 'no metrics'}.{nearest(metric.name, names)}"
        )

    def _missing(self, table: Measured, sides: Sides, used: "np.ndarray") -> tuple[dict[Level, str], int]:
        """Why each replicate that is not used is not, and how many runs failed among those."""
        reasons: dict[Level, str] = {}
        failed: set[Run] = set()
        for index, level in enumerate(self.study.replicate.levels):
            absent = [] if used[index] else [row for side in sides for row in side if _is_nan(table.values[row, index])]
            for row in absent:
                run = self._runs.get((table.trainings[row], index))
                reasons.setdefault(level, f"{_ending(run)} where {place_name(table.cells[row])}")
                if run is not None and run.status in ("failed", "interrupted"):
                    failed.add((table.trainings[row], index))
        return reasons, len(failed)

    def _shared(self, first: Sequence[Run], second: Sequence[Run]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the hashes that are equal in all pairs of runs, and of the others."""
        pairs = [(self._runs[one].pairing, self._runs[other].pairing) for one, other in zip(first, second, strict=True)]
        names = sorted({name for pair in pairs for hashes in pair for name in hashes})
        equal = {name: all(name in one and one[name] == other.get(name) for one, other in pairs) for name in names}
        return tuple(name for name in names if equal[name]), tuple(name for name in names if not equal[name])

    def _replication(self, runs: Sequence[Run]) -> tuple[str, float | None]:
        """The least independent replication among `runs`, and the largest ratio of test to training examples."""
        results = [self._runs[run] for run in runs]
        kinds = {self.study.replication or result.replication for result in results}
        if unknown := kinds - set(REPLICATIONS):
            raise UserError(f"records have the replication {sorted(unknown)}; expected {', '.join(REPLICATIONS)}")
        sizes = [result.sizes for result in results]
        ratios = [size["test"] / size["train"] for size in sizes if size.get("train") and "test" in size]
        return max(kinds, key=REPLICATIONS.index, default="fresh"), max(ratios, default=None)


def compare(study: Study, records: Iterable[RunRecord]) -> Comparison:
    """Place `records` in the cells of `study`.

    Raises:
        UserError: two records answer for one cell and replicate.
    """
    return Comparison(study, *placed(study, records))


def _no_pairs(metric: Metric, first: Condition, second: Condition | None, problem: str) -> Pairs:
    import numpy as np

    none = np.zeros(0)
    return Pairs(metric, first, second or {}, (), none, none, none, 0, problem=problem)


def _logarithm(values: "Array") -> "Array":
    """Logarithms, with the worst value of a metric to be maximised below all others."""
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.log(np.where(values == -np.inf, 0.0, values))


def _difference(first: "Array", second: "Array") -> "Array":
    """first - second, and 0 where both diverged: neither is better."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, first - second)


def _cell_mean(values: "Array") -> "Array":
    """Mean over cells, and 0 where each side diverged in some cell: neither is better."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        mean = values.mean(0)
    return np.where(np.isnan(mean), 0.0, mean)


def _is_nan(value: float) -> bool:
    return value != value


def _ending(run: Result | None) -> str:
    if run is None:
        return "not run"
    if run.status == "finished":
        return "not measured"
    return f"{run.status}: {run.failure}" if run.failure else run.status
