"""The values of one metric as a table of cells by replicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from paribus.errors import UserError
from paribus.study.factors import Metric
from paribus.study.levels import Cell, canonical
from paribus.study.matching import cell_key
from paribus.study.results import Result
from paribus.study.structure import Study

if TYPE_CHECKING:
    import numpy as np

    from paribus.study.statistics import Array

Training = tuple[object, ...]
"""The canonical levels of a training's factors, in the study's order."""

Run = tuple[Training, int]
"""A training and the position of its replicate."""

Inner = tuple[tuple[str, object], ...]
"""Names and canonical levels of a row's within-run factors."""


@dataclass(frozen=True)
class Measured:
    """The values of one metric.

    Attributes:
        cells: those that it has values in, or should have: a level for each factor and for the within-run factors
            that rows with this metric speak of.
        keys: the same with canonical levels.
        trainings: for each cell the training behind it.
        values: [cells, replicates]; NaN where missing; the metric's worst where a run diverged, or else the worst
            infinity.
        diverged: [cells, replicates], whether that is why.
    """

    cells: tuple[Cell, ...]
    keys: tuple[Mapping[str, object], ...]
    trainings: tuple[Training, ...]
    values: "Array"
    diverged: "np.ndarray"


def measured(
    study: Study, metric: Metric, results: Sequence[Result], runs: Mapping[Run, Result], positions: Mapping[object, int]
) -> Measured:
    """Gather `metric` from `results`.

    Args:
        runs: one result of each run.
        positions: the position of each replicate by its canonical level.

    Raises:
        UserError: a run has two values for one cell.
    """
    import numpy as np

    names = [factor.name for factor in study.factors]
    inner: dict[Inner, Cell] = {}
    found: dict[tuple[Training, Inner, int], float] = {}
    for result in results:
        if metric.name not in result.metrics:
            continue
        part = {name: level for name, level in result.levels.items() if name not in names}
        part_key = tuple(sorted((name, canonical(level)) for name, level in part.items()))
        inner.setdefault(part_key, part)
        place = (
            tuple(canonical(result.levels[name]) for name in names),
            part_key,
            positions[canonical(result.replicate)],
        )
        value = result.metrics[metric.name]
        if place in found and not same(found[place], value):
            raise UserError(
                f"run {result.key} has two values of {metric.name}, {found[place]:g} and {value:g}, for one cell; "
                "if they differ in a within-run factor, declare it under study.within"
            )
        found[place] = value
    cells = [(cell, cell_key(cell), part_key) for cell in study.cells() for part_key in inner]
    values = np.full((len(cells), len(positions)), np.nan)
    diverged = np.zeros(values.shape, bool)
    beyond = -np.inf if metric.direction == "maximise" else np.inf
    for row, (_, training, part_key) in enumerate(cells):
        for index in range(len(positions)):
            measurement = found.get((training, part_key, index))
            if measurement is None:
                run = runs.get((training, index))
                diverged[row, index] = run is not None and run.status == "diverged"
            else:
                values[row, index] = measurement
                diverged[row, index] = not isfinite(measurement)
    if diverged.any():
        _refuse_better_than_measured(metric, values[~diverged & ~np.isnan(values)])
    values[diverged] = beyond if metric.worst is None else metric.worst
    every = tuple({**cell, **inner[part_key]} for cell, _, part_key in cells)
    keys = tuple({name: canonical(level) for name, level in cell.items()} for cell in every)
    return Measured(every, keys, tuple(training for _, training, _ in cells), values, diverged)


def _refuse_better_than_measured(metric: Metric, found: "Array") -> None:
    """Refuse a worst value that would let runs that diverged win."""
    if metric.worst is None or metric.direction == "neither" or not len(found):
        return
    least_good = float(found.max() if metric.direction == "minimise" else found.min())
    if (metric.worst - least_good) * (1 if metric.direction == "minimise" else -1) < 0:
        raise UserError(
            f"study.metrics.{metric.name}.worst is {metric.worst:g}, which is better than the {least_good:g} of a run "
            "that did not diverge; expected a value that none can be worse than"
        )


def same(one: float, other: float) -> bool:
    """Whether two measurements are equal, NaN to NaN too."""
    return one == other or (one != one and other != other)
