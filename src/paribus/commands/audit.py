"""`paribus audit`: some recorded runs again, each alone, to see that being trained together changed nothing."""

import math
import statistics
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paribus.build import build_family, build_training
from paribus.errors import NonFiniteLoss, UserError
from paribus.job import Job, run_job
from paribus.population.choice import why_apart
from paribus.population.members import Member, Population
from paribus.population.optimizers import NotStackable
from paribus.population.structure import structure
from paribus.study.keys import NOT_TRAINING, flat, train_key
from paribus.study.records import RunRecord, read_records
from paribus.trained import prepared_data
from paribus.training.curves import Curves

TOLERANCE = 1e-3
"""Largest relative difference of a metric: float32 rounding after thousands of steps stays well below it."""
EXACT = 1e-10
"""Largest difference of a parameter in float64."""
SMALL = 0.1
"""Share of a metric's usual size below which a value is compared as if it were that large."""
BESIDE = 7
"""Recorded runs that are trained beside an audited one in float64, at most: of its own arm and of others."""

Metric = tuple[str, tuple[tuple[str, str], ...], str]
"""The evaluation, the levels of within-run factors, and the name."""


@dataclass(frozen=True)
class Difference:
    """A run as recorded against the same run alone.

    Attributes:
        key: the train key.
        metric: the metric that differs most; empty where the runs ended differently.
        relative: its difference relative to the value alone; infinite where the runs ended differently.
        parameters: the largest difference of a parameter in float64, trained together against alone; None if it was not
            asked for or could not be compared, infinite if training together failed.
        untold: why parameters were not compared.
    """

    key: str
    metric: str
    relative: float
    parameters: float | None = None
    untold: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether both are within what rounding explains."""
        return self.relative <= TOLERANCE and (self.parameters is None or self.parameters <= EXACT)


def audit(folder: Path, members: int, exact: bool) -> list[Difference]:
    """Run some of the runs below a folder again, alone, and compare; the records stay as they are.

    Args:
        folder: of records.
        members: how many runs, spread over all that finished or diverged.
        exact: also train them in float64, alone and together with recorded runs beside them, and compare parameters.

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
    together = Together(ended)
    differences = [_against_alone(record, usual_sizes(record, ended)) for record in chosen]
    if not exact:
        return differences
    compared = [together.against_alone(record) for record in chosen]
    return [
        replace(difference, parameters=parameters, untold=untold)
        for difference, (parameters, untold) in zip(differences, compared, strict=True)
    ]


def audit_command(folder: Path, members: int, exact: bool) -> int:
    """Print the differences; the exit code: 1 if one is larger than rounding explains."""
    differences = audit(folder, members, exact)
    for each in differences:
        exactly = "" if each.parameters is None else f"   parameters in float64 {each.parameters:.1e}"
        untold = f"   parameters not compared: {each.untold}" if each.untold else ""
        what = f"{each.metric} {each.relative:.1e}" if each.metric else "ended differently"
        verdict = "as alone" if each.is_fine else "DIFFERS "
        print(f"{each.key}   {verdict}   largest relative difference: {what}{exactly}{untold}")
    bad = sum(not each.is_fine for each in differences)
    print(f"{len(differences) - bad} of {len(differences)} runs are as they are alone (metrics to {TOLERANCE:g})")
    if exact:
        told = sum(each.parameters is not None and not each.untold for each in differences)
        print(f"parameters in float64 were compared for {told} of {len(differences)} (to {EXACT:g})")
    if bad and not exact:
        print("--float64 tells a fault from rounding that the training amplifies: parameters agree there, or do not")
    return 1 if bad else 0


def usual_sizes(record: RunRecord, records: Sequence[RunRecord]) -> dict[Metric, float]:
    """The size of each metric of a run: the median of its absolute values over the runs that differ in seed alone."""
    values: dict[Metric, list[float]] = {}
    for each in records:
        if _arm(each) == _arm(record):
            for name, value in _metrics(each).items():
                values.setdefault(name, []).append(abs(value))
    finite = {name: list(filter(math.isfinite, sizes)) for name, sizes in values.items()}
    return {name: statistics.median(sizes) if sizes else 0.0 for name, sizes in finite.items()}


def relative_difference(recorded: float, alone: float, usual: float) -> float:
    """Relative to the value alone, or to a tenth of the metric's usual size: a value near 0 is rounding itself."""
    if recorded == alone or (math.isnan(recorded) and math.isnan(alone)):
        return 0.0
    size = max(abs(alone), SMALL * usual)
    return abs(recorded - alone) / size if size and math.isfinite(recorded - alone) else math.inf


def _against_alone(record: RunRecord, usual: Mapping[Metric, float]) -> Difference:
    with tempfile.TemporaryDirectory() as output:
        config = {**record.config, "output": output, "logger": {}}
        job = Job(record.key, config, record.choices, Path(output) / record.key)
        alone = run_job(job, progress=False, fence=lambda: None)
    measured, expected = _metrics(record), _metrics(alone)
    if (alone.status, alone.steps) != (record.status, record.steps):
        return Difference(record.key, "", math.inf)
    lacking = [name for name in expected if name not in measured]
    if lacking:
        return Difference(record.key, f"{_said(lacking[0])} is not in the record", math.inf)
    relative, name = max(
        ((relative_difference(measured[name], value, usual[name]), _said(name)) for name, value in expected.items()),
        default=(0.0, "no metric"),
    )
    return Difference(record.key, name, relative)


def _metrics(record: RunRecord) -> dict[Metric, float]:
    """Each metric by the evaluation and the levels of within-run factors that it belongs to."""
    return {
        (row.evaluation, tuple(sorted((key, str(level)) for key, level in row.levels.items())), name): value
        for row in record.rows
        for name, value in row.metrics.items()
    }


def _said(metric: Metric) -> str:
    _, levels, name = metric
    return " ".join([name, *(f"{key}={level}" for key, level in levels)])


def _arm(record: RunRecord) -> str:
    """What runs have in common that differ in their seed alone."""
    return train_key({**record.config, "seed": None})


class Together:
    """Runs trained together in float64, as they may have been when they were recorded.

    Args:
        records: of all runs, any of which may be trained beside another.
    """

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self._records = records

    def against_alone(self, record: RunRecord) -> tuple[float | None, str]:
        """The largest difference of a parameter or buffer of a run; None, and why, where it can only be trained alone.

        A program that fails is infinitely far off, and says how.
        """
        training, members = build_training(_in_double(record)), self._members(record)
        if reason := why_apart(list(members.values()), training):
            return None, reason
        population = Population(list(members.values()), training)
        try:
            with tempfile.TemporaryDirectory() as folder:
                population.fit(Path(folder))
        except Exception as error:
            return math.inf, f"trained together: {type(error).__name__}: {error}"
        place = list(members).index(record.key)
        data = prepared_data(record.config)
        alone, failed = build_family(record.config, data), False
        try:
            with tempfile.TemporaryDirectory() as folder:
                training.fit(alone, data, Path(folder), Curves(), [], progress=False)
        except NonFiniteLoss:
            failed = True
        if failed or population.failures()[place]:
            return (0.0 if failed and population.failures()[place] else math.inf), ""
        mine = population.members[place].family.state_dict()
        return max(float((mine[name] - own).abs().max()) for name, own in alone.state_dict().items()), ""

    def _members(self, record: RunRecord) -> dict[str, Member]:
        """A run and recorded ones beside it by key: of its arm, and of others of its structure; at least one."""
        alike = [each for each in self._records if each.key != record.key and _might_stack(each, record)]
        same = [each for each in alike if _arm(each) == _arm(record)]
        others = [each for each in alike if _arm(each) != _arm(record)]
        half = BESIDE // 2
        order = [*same[:half], *others[: BESIDE - len(same[:half])], *same[half:]]
        members = {record.key: _member(record.config)}
        kind = _kind(members[record.key])
        for each in order[:BESIDE]:
            member = _member(each.config)
            if _kind(member) == kind:
                members[each.key] = member
        if len(members) == 1:
            members["another seed"] = _member({**record.config, "seed": record.config["seed"] + 1})
        return members


def _member(config: Mapping[str, Any]) -> Member:
    data = prepared_data(config)
    return Member(build_family(config, data), data)


def _kind(member: Member) -> Hashable:
    """What runs of one program share; a run that can only be trained alone is of a kind of its own."""
    try:
        return (structure(member.family), member.data.batch_size)
    except NotStackable:
        return object()


def _might_stack(record: RunRecord, other: RunRecord) -> bool:
    """Whether two runs are built of the same classes, on as much data, and trained alike."""
    classes = [
        {key: value for key, value in flat(each.config).items() if key.endswith("_target_")} for each in (record, other)
    ]
    return classes[0] == classes[1] and record.sizes == other.sizes and _trainer(record) == _trainer(other)


def _trainer(record: RunRecord) -> Mapping[str, Any]:
    return {key: value for key, value in record.config["trainer"].items() if f"trainer.{key}" not in NOT_TRAINING}


def _in_double(record: RunRecord) -> dict[str, Any]:
    trainer = {**record.config["trainer"], "precision": "64-true", "save_checkpoint": False}
    return {**record.config, "trainer": trainer}
