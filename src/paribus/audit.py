"""`paribus audit`: some recorded runs again, each alone, to see that being trained together changed nothing."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from paribus.build import build_family, build_training
from paribus.curves import Curves
from paribus.errors import NonFiniteLoss, UserError
from paribus.job import Job, prepared_data, run_job
from paribus.population.members import Member, Population
from paribus.population.optimizers import NotStackable
from paribus.study.records import RunRecord, read_records

TOLERANCE = 1e-3
"""Largest relative difference of a metric: float32 rounding after thousands of steps stays well below it."""
EXACT = 1e-10
"""Largest difference of a parameter in float64."""


@dataclass(frozen=True)
class Difference:
    """A run as recorded against the same run alone.

    Attributes:
        key: the train key.
        metric: the metric that differs most; empty where the runs ended differently.
        relative: its difference relative to the value alone; infinite where the runs ended differently.
        parameters: the largest difference of a parameter in float64, trained together against alone; None if not asked
            or if the run can only be trained alone.
    """

    key: str
    metric: str
    relative: float
    parameters: float | None = None

    @property
    def is_fine(self) -> bool:
        """Whether both are within what rounding explains."""
        return self.relative <= TOLERANCE and (self.parameters is None or self.parameters <= EXACT)


def audit(folder: Path, members: int, exact: bool) -> list[Difference]:
    """Run some of the runs below a folder again, alone, and compare; the records stay as they are.

    Args:
        folder: of records.
        members: how many runs, spread over all that finished or diverged.
        exact: also train them together and alone in float64, and compare their parameters.

    Raises:
        UserError: there is nothing to compare.
    """
    if members < 1:
        raise UserError(f"--members {members}: expected at least 1")
    ended = [each for each in read_records(folder) if isinstance(each, RunRecord)]
    ended = [record for record in ended if record.status in ("finished", "diverged")]
    if not ended:
        raise UserError(f"no run below {folder} has ended, so there is nothing to audit")
    count = min(members, len(ended))
    chosen = [ended[number * len(ended) // count] for number in range(count)]
    return [_against_alone(record, _parameter_difference(record) if exact else None) for record in chosen]


def audit_command(folder: Path, members: int, exact: bool) -> int:
    """Print the differences; the exit code: 1 if one is larger than rounding explains."""
    differences = audit(folder, members, exact)
    for each in differences:
        exactly = "" if each.parameters is None else f"   parameters in float64 {each.parameters:.1e}"
        what = f"{each.metric} {each.relative:.1e}" if each.metric else "ended differently"
        print(
            f"{each.key}   {'as alone' if each.is_fine else 'DIFFERS '}   largest relative difference: {what}{exactly}"
        )
    bad = sum(not each.is_fine for each in differences)
    print(f"{len(differences) - bad} of {len(differences)} runs are as they are alone (metrics to {TOLERANCE:g})")
    return 1 if bad else 0


def _against_alone(record: RunRecord, parameters: float | None) -> Difference:
    with tempfile.TemporaryDirectory() as output:
        config = {**record.config, "output": output, "logger": {}}
        alone = run_job(
            Job(record.key, config, record.choices, Path(output) / record.key), progress=False, fence=lambda: None
        )
    measured = {row.evaluation: row.metrics for row in record.rows if not row.levels}
    pairs = [
        (name, measured[row.evaluation][name], value)
        for row in alone.rows
        if row.evaluation in measured and not row.levels
        for name, value in row.metrics.items()
    ]
    if alone.status != record.status or alone.steps != record.steps or (alone.rows and not pairs):
        return Difference(record.key, "", math.inf, parameters)
    distances = [(_relative(recorded, value), name) for name, recorded, value in pairs]
    relative, metric = max(distances, default=(0.0, "no metric"))
    return Difference(record.key, metric, relative, parameters)


def _relative(recorded: float, alone: float) -> float:
    if recorded == alone or (math.isnan(recorded) and math.isnan(alone)):
        return 0.0
    return abs(recorded - alone) / abs(alone) if alone else math.inf


def _parameter_difference(record: RunRecord) -> float | None:
    """Of a run in float64: alone, and beside one with another seed. None where it can only be trained alone."""
    config = {
        **record.config,
        "trainer": {**record.config["trainer"], "precision": "64-true", "save_checkpoint": False},
    }
    configs = [config, {**config, "seed": config["seed"] + 1}, config]
    members = []
    for each in configs:
        data = prepared_data(each)
        members.append(Member(build_family(each, data), data))
    *together, alone = members
    training = build_training(config)
    with tempfile.TemporaryDirectory() as folder:
        try:
            population = Population(together, training)
            population.fit(Path(folder))
        except (NotStackable, RuntimeError):
            return None
        try:
            training.fit(alone.family, alone.data, Path(folder), Curves(), [], progress=False)
        except NonFiniteLoss:
            return 0.0 if population.failures()[0] else math.inf
    pairs = zip(together[0].family.parameters(), alone.family.parameters(), strict=True)
    return max(float((mine - own).detach().abs().max()) for mine, own in pairs)
