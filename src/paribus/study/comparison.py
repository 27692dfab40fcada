"""From records to paired differences: which runs answer which cell, what is missing, and what the pairs shared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.study.levels import ANYWHERE, Cell, Condition, Level
from paribus.study.records import RunRecord, Status
from paribus.study.structure import Factor, Metric, Study

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class Result:
    """One row of a record, placed in the study.

    Attributes:
        levels: a level for each factor, and for those within-run factors that the row speaks of.
        replicate: the level of the study's replicate.
        metrics: as measured; empty where the run failed.
        key: the record's train key.
        failure: what stopped the run, in a line; empty if it finished.
    """

    levels: Cell
    replicate: Level
    metrics: Mapping[str, float]
    status: Status
    key: str
    pairing: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    replication: str = "fresh"
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Stranger:
    """A record, or a row of one, that belongs to no cell of the study, and why."""

    key: str
    reason: str


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


@dataclass(frozen=True)
class Pairs:
    """The paired values of two arms, one pair a replicate.

    Attributes:
        metric: what is compared, with its scale.
        first, second: what the two sides are.
        replicates: the replicates used: those with a value in every cell on both sides.
        first_values, second_values: the metric, [replicates]; averaged over `cells` cells (geometrically on a log
            scale); worst possible (infinite) where a run diverged.
        differences: [replicates] first - second, or log first - log second; not finite where just one diverged, 0
            where both did.
        cells: pairs of cells averaged in each replicate.
        missing: replicates not used, each with the reason.
        failed: runs among the missing that raised an exception or were interrupted.
        diverged: runs among the used that diverged, on each side.
        shared: the things that all the pairs shared, of `split`, `corruption`, `init/<part>`, `order`.
        unshared: those recorded that some pair did not share.
        narrowing: half-width of the paired interval over that of an unpaired one (Welch); None where undefined.
        replication: what another replicate means for the data: `fresh`, `resplit` or `fixed`.
        test_over_train: largest ratio of test to training examples among the runs; None where not recorded.
    """

    metric: Metric
    first: Condition
    second: Condition
    replicates: tuple[Level, ...]
    first_values: "numpy.ndarray"
    second_values: "numpy.ndarray"
    differences: "numpy.ndarray"
    cells: int
    missing: Mapping[Level, str] = field(default_factory=dict)
    failed: int = 0
    diverged: tuple[int, int] = (0, 0)
    shared: tuple[str, ...] = ()
    unshared: tuple[str, ...] = ()
    narrowing: float | None = None
    replication: str = "fresh"
    test_over_train: float | None = None


class Comparison:
    """The results of a study.

    Attributes:
        study: what was planned.
        results: one for each row of each record that belongs to a cell, and one for each record without rows.
        strangers: what belongs to none.
    """

    study: Study
    results: tuple[Result, ...]
    strangers: tuple[Stranger, ...]

    def __init__(self, study: Study, results: Iterable[Result], strangers: Iterable[Stranger] = ()) -> None:
        raise NotImplementedError

    def counts(self) -> tuple[CellCount, ...]:
        """How the runs of each cell ended, in the order of `study.cells()`."""
        raise NotImplementedError

    def paired(self, metric: str, first: Condition, second: Condition, where: Condition = ANYWHERE) -> Pairs:
        """The metric of two arms by replicate; factors that no condition fixes are averaged over."""
        raise NotImplementedError


def compare(study: Study, records: Iterable[RunRecord]) -> Comparison:
    """Place `records` in the cells of `study`.

    Raises:
        UserError: two records answer for one cell and replicate.
    """
    raise NotImplementedError


def results_from_csv(path: Path, study: Study) -> Comparison:
    """A table of results made elsewhere: a column for each factor, for the replicate and for each metric."""
    raise NotImplementedError
