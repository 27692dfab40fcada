"""What a study will run, before anything runs: its jobs, which are done, what is held equal, how long it takes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal

from paribus.errors import UserError
from paribus.study.confounds import UNCOMPARED, refuse_confounds
from paribus.study.declaration import declaration, earlier_declaration, study_of
from paribus.study.expansion import Assignment, Request, expand
from paribus.study.experiments import refuse_misplaced
from paribus.study.files import fingerprint
from paribus.study.keys import NOT_TRAINING, evaluation_key, flat, is_below, train_key
from paribus.study.levels import Cell, Level, canonical, describe
from paribus.study.locks import holder
from paribus.study.matching import NoLevel, Placer, cell_key
from paribus.study.mixing import refuse_mixing
from paribus.study.narrowing import notes
from paribus.study.plan_view import plan_json, plan_text
from paribus.study.records import WEIGHTS_FILE, RunRecord, UnreadableRecord, read_record, read_records, run_folder
from paribus.study.structure import Study, parse_study

State = Literal[
    "new",
    "running",
    "finished",
    "other code",
    "other data",
    "incomplete",
    "diverged",
    "failed",
    "interrupted",
    "unreadable",
]
Rerun = Literal["none", "failed", "changed", "all"]

_UNDONE: frozenset[State] = frozenset({"new", "incomplete"})
_FAILED: frozenset[State] = frozenset({"failed", "interrupted", "unreadable"})
CHANGED: frozenset[State] = frozenset({"other code", "other data"})
"""The states of records that ended, and that the same command would not make again as they are."""
RUN_AGAIN: Mapping[Rerun, frozenset[State]] = {
    "none": _UNDONE,
    "failed": _UNDONE | _FAILED,
    "changed": _UNDONE | _FAILED | CHANGED,
    "all": _UNDONE | _FAILED | CHANGED | {"finished", "diverged"},
}
"""The states in which a job is run, by the root key `rerun`. That a run diverged is an outcome, as if it finished."""


@dataclass(frozen=True)
class JobConfig:
    """The config of a job as plain containers, without Hydra's own node.

    Attributes:
        unresolved: with its interpolations.
        resolved: with their values.
        choices: the option chosen of each config group.
    """

    unresolved: Mapping[str, Any]
    resolved: Mapping[str, Any]
    choices: Mapping[str, str]


Read = Callable[[Sequence[str]], JobConfig]


@dataclass(frozen=True)
class PlannedJob:
    """One run of a study.

    Attributes:
        levels: the level of each factor.
        replicate: the level of the replicate's key.
        overrides: what makes the job, in Hydra's grammar.
        config: what they compose to.
        key: the train key.
        folder: where its record is, or will be.
        state: what the record says.
        note: who runs it, what stopped it, or why its record cannot be read.
        seconds: how long it took, if it finished.
    """

    levels: Cell
    replicate: Level
    overrides: tuple[str, ...]
    config: JobConfig
    key: str
    folder: Path
    state: State = "new"
    note: str = ""
    seconds: float | None = None

    def refreshed(self, code: str | None = None) -> "PlannedJob":
        """This job with the state that its folder shows now. `code`: as for `make_plan`."""
        state, note, seconds = _state(self.folder, self.config.resolved, code)
        return replace(self, state=state, note=note, seconds=seconds)


@dataclass(frozen=True)
class Plan:
    """The jobs of a study and their states.

    Attributes:
        study: with the factors and levels that are run.
        jobs: in the order in which they are run: the first replicate of every arm first.
        rerun: which recorded jobs are run again.
        code: hash of the code that would run them; None where it is not asked.
        declared: the plain `study:` node that it comes from; None for a sweep typed on the command line.
        requests: the overrides of the command line that asked for it.
    """

    study: Study
    jobs: tuple[PlannedJob, ...]
    rerun: Rerun = "failed"
    code: str | None = field(default=None, repr=False)
    declared: Mapping[str, Any] | None = field(default=None, repr=False)
    requests: Sequence[Request] = ()

    @property
    def folder(self) -> Path:
        """Where the records of the study lie."""
        return self.jobs[0].folder.parent

    @cached_property
    def about(self) -> Study | None:
        """The study that the folder is about once this plan has run, with what was run of it before; None if none."""
        said = self.declaration() or earlier_declaration(self.folder)
        return None if said is None else study_of(said)

    def declaration(self) -> dict[str, Any] | None:
        """What `study.json` is to say once this plan has run; None for a sweep typed on the command line."""
        if self.declared is None:
            return None
        return declaration(self.declared, self.study, earlier_declaration(self.folder), self.requests)

    @property
    def notes(self) -> list[str]:
        """What is to be known before anything is trained: claims that lose their cells or some of their replicates."""
        return [] if self.about is None else notes(self.about)

    @property
    def due(self) -> tuple[PlannedJob, ...]:
        """The jobs that are to be run."""
        return tuple(job for job in self.jobs if job.state in RUN_AGAIN[self.rerun])

    @property
    def changed(self) -> tuple[PlannedJob, ...]:
        """The jobs whose records were made by other code or from other data, and are kept as they are."""
        return tuple(job for job in self.jobs if job.state in CHANGED - RUN_AGAIN[self.rerun])

    @property
    def states(self) -> Mapping[State, int]:
        """How many jobs are in each state."""
        return Counter(job.state for job in self.jobs)

    @cached_property
    def held_equal(self) -> Mapping[str, Any]:
        """The config's leaves that have one value in all jobs, by dotted key."""
        first, rest = self._leaves[0], self._leaves[1:]
        return {
            key: value
            for key, value in first.items()
            if not is_below(key, UNCOMPARED)
            and all(key in other and canonical(other[key]) == canonical(value) for other in rest)
        }

    @cached_property
    def derived(self) -> Mapping[str, tuple[Any, ...]]:
        """The leaves that are written alike in all jobs and yet differ, since they follow another key: their values."""
        written = [flat(job.config.unresolved) for job in self.jobs]
        return {
            key: tuple({canonical(leaves.get(key)): leaves.get(key) for leaves in self._leaves}.values())
            for key, value in written[0].items()
            if isinstance(value, str)
            and "${" in value
            and key not in self.held_equal
            and not is_below(key, UNCOMPARED)
            and all(other.get(key) == value for other in written)
        }

    @cached_property
    def _leaves(self) -> list[Mapping[str, Any]]:
        return [flat(job.config.resolved) for job in self.jobs]

    @cached_property
    def expected_seconds(self) -> float | None:
        """How long the jobs that are due take one after the other, going by the records; None where there are none."""
        known = [[job.seconds for job in arm if job.seconds is not None] for arm in self.arms().values()]
        overall = [seconds for arm in known for seconds in arm]
        if not overall:
            return None
        due = [sum(job.state in RUN_AGAIN[self.rerun] for job in arm) for arm in self.arms().values()]
        return sum(count * median(seconds or overall) for count, seconds in zip(due, known, strict=True))

    def cell(self, job: PlannedJob) -> Cell:
        """The job's levels of the factors and of the replicate."""
        return {**job.levels, self.study.replicate.key: job.replicate}

    def name(self, job: PlannedJob) -> str:
        """`objective=huber, seed=0`."""
        return describe({name: (level,) for name, level in self.cell(job).items()})

    def arms(self) -> dict[object, list[PlannedJob]]:
        """The jobs of each arm, that is, of each combination of the factors' levels."""
        arms: dict[object, list[PlannedJob]] = {}
        for job in self.jobs:
            arms.setdefault(canonical(job.levels), []).append(job)
        return arms

    def text(self) -> str:
        """The plan for people: arms by states, what is held equal, the time expected."""
        return plan_text(self)

    def to_json(self) -> dict[str, Any]:
        """The plan for programs, as plain values."""
        return plan_json(self)

    def refreshed(self) -> "Plan":
        """This plan with the states that the folders show now."""
        return replace(self, jobs=tuple(job.refreshed(self.code) for job in self.jobs))


def make_plan(
    declared: Mapping[str, Any] | None, requests: Sequence[Request], read: Read, code: str | None = None
) -> Plan:
    """The plan of a study, refused where its arms would not differ in the study's factors alone.

    Args:
        declared: the plain `study:` node; None for a sweep typed on the command line.
        requests: the overrides of the command line.
        read: composes the config of a job from its overrides; of its node `study` nothing is read.
        code: hash of the code that would run the jobs; records of another are told apart. None: they are not.

    Raises:
        UserError: the study cannot be run as it is; the message says why and what to do.
    """
    study = parse_study(declared) if declared is not None else None
    own_seed: Level = read([each.line for each in requests if not each.swept]).resolved["seed"] if not study else 0
    study, assignments = expand(study, requests, own_seed)
    jobs = tuple(_planned(assignment, read(assignment.overrides), declared) for assignment in assignments)
    refuse_misplaced(jobs[0].config.resolved, jobs[0].config.choices.get("experiment", ""))
    plan = Plan(study, jobs, jobs[0].config.resolved.get("rerun", "failed"), code, declared, requests)
    if plan.rerun not in RUN_AGAIN:
        raise UserError(f"rerun={plan.rerun}: expected one of {', '.join(RUN_AGAIN)}")
    refuse_confounds(study, [plan.name(job) for job in jobs], [job.config.unresolved for job in jobs])
    _refuse_duplicates(plan)
    _refuse_unplaced(plan)
    _refuse_mixing(plan)
    plan = plan.refreshed()
    _refuse_changed_data(plan)
    return plan


def _planned(assignment: Assignment, config: JobConfig, declared: Mapping[str, Any] | None) -> PlannedJob:
    resolved = {**config.resolved, "study": declared}
    key = train_key(resolved)
    config = replace(config, resolved=resolved)
    return PlannedJob(
        assignment.levels, assignment.replicate, assignment.overrides, config, key, run_folder(resolved, key)
    )


def lacks_rows(record: RunRecord, config: Mapping[str, Any]) -> bool:
    """Whether the evaluator of a resolved config has not measured this run."""
    return evaluation_key(record.key, config["evaluation"]) not in {row.evaluation for row in record.rows}


def lacks_weights(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a resolved config asks for weights that the run did not keep."""
    return bool(config["trainer"].get("save_checkpoint")) and not (folder / WEIGHTS_FILE).exists()


def _state(folder: Path, config: Mapping[str, Any], code: str | None) -> tuple[State, str, float | None]:
    owner = holder(folder)
    if owner is not None:
        return "running", owner, None
    try:
        record = read_record(folder)
    except FileNotFoundError:
        return "new", "", None
    except UnreadableRecord as error:
        return "unreadable", str(error), None
    state, note = record_state(record, folder, config, code)
    return state, note, None if state in _FAILED else record.seconds


def record_state(record: RunRecord, folder: Path, config: Mapping[str, Any], code: str | None) -> tuple[State, str]:
    """What the record in a folder that nobody holds says of the run of a resolved config, and a note on it."""
    if record.status == "running":
        return "interrupted", "its process is gone"
    if record.failure is not None and record.status != "diverged":
        return record.status, f"{record.failure.kind}: {record.failure.message}"
    if code is not None and record.provenance.get("code", code) != code:
        return "other code", f"{record.status}, started {record.started}"
    if files := changed_files(record, config):
        return "other data", f"{record.status}, started {record.started}, before {', '.join(files)} changed"
    if record.status == "finished" and lacks_rows(record, config):
        return "incomplete", "not measured by this evaluation"
    if record.status == "finished" and lacks_weights(folder, config):
        return "incomplete", "its weights were not kept"
    return record.status, record.failure.message if record.failure else ""


def changed_files(record: RunRecord, config: Mapping[str, Any]) -> list[str]:
    """The data files that are not as they were when the run began; none where they cannot be found from here."""
    now = fingerprint(config)
    before = record.provenance.get("files", now)
    return sorted(path for path in {*now, *before} if now.get(path) != before.get(path)) if now else []


def _refuse_duplicates(plan: Plan) -> None:
    seen: dict[str, PlannedJob] = {}
    for job in plan.jobs:
        before = seen.setdefault(job.key, job)
        if before is job:
            continue
        one, other = plan.cell(before), plan.cell(job)
        changed = [name for name in one if canonical(one[name]) != canonical(other[name])]
        reasons = [f" ({key} {reason})" for key, reason in NOT_TRAINING.items() for n in changed if is_below(n, (key,))]
        raise UserError(
            f"a duplicate arm: the jobs ({plan.name(before)}) and ({plan.name(job)}) would train on the same config. "
            f"{' and '.join(changed) or 'The level'} changes nothing that training reads{''.join(reasons)}"
        )


def _refuse_unplaced(plan: Plan) -> None:
    """Refuse jobs whose records, which carry no labels, would not be read as of the arm that they are run for."""
    placer = Placer(plan.study)
    for job in plan.jobs:
        planned = {factor.name: job.levels[factor.name] for factor in plan.study.factors}
        try:
            found = placer.place(_as_record(job))[0]
        except NoLevel as why:
            problem = str(why)
        else:
            if cell_key(found) == cell_key(planned):
                continue
            problem = f"it would be read as {describe({name: (level,) for name, level in found.items()})}"
        raise UserError(
            f"the record of job ({plan.name(job)}) would not be found again: {problem}. Levels are told by what they "
            "set: let each level of a bundle set a key to a value that the others do not have, or all their keys too"
        )


def _refuse_mixing(plan: Plan) -> None:
    """Refuse jobs whose records would stand beside earlier ones that no report could tell from them."""
    about = plan.about
    if about is None:
        return
    keys = {job.key for job in plan.jobs}
    there = [
        record for record in read_records(plan.folder, keys) if isinstance(record, RunRecord) and record.key not in keys
    ]
    if there:
        refuse_mixing(about, plan.folder, {plan.name(job): _as_record(job) for job in plan.jobs}, there)


def _as_record(job: PlannedJob) -> RunRecord:
    """What the job's record will say of its config."""
    config = job.config
    return RunRecord(
        job.key, config.resolved["name"], "running", config.resolved, config.choices, config.resolved["seed"]
    )


def _refuse_changed_data(plan: Plan) -> None:
    """Refuse to run jobs on a file that has changed since others, which would be kept, were run on it."""
    kept = [job for job in plan.changed if job.state == "other data"]
    due = plan.due
    now = {path for job in due for path in fingerprint(job.config.resolved)} if kept else set()
    for job in kept:
        record = read_record(job.folder)
        for path in changed_files(record, job.config.resolved):
            if path in now:
                raise UserError(
                    f"{path} has changed since {len(kept)} of these jobs were run, such as job ({plan.name(job)}); "
                    f"{len(due)} are to be run on it as it is now, and the two would not compare, so nothing is run. "
                    f"Either\n  run all on what it is now: rerun=changed\n  or in a folder of their own: "
                    f"name={plan.folder.name}_2\n  or put back the file as it was"
                )
