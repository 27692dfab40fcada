"""What a study will run, before anything runs: its jobs, which are done, what is held equal, how long it takes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from paribus.study.confounds import UNCOMPARED
from paribus.study.declaration import declaration, earlier_declaration, study_of
from paribus.study.expansion import Request
from paribus.study.keys import flat, is_below
from paribus.study.levels import Cell, Level, canonical, describe
from paribus.study.narrowing import notes
from paribus.study.states import CHANGED, RUN_AGAIN, Rerun, State, state_of
from paribus.study.structure import Study


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
        state, note, seconds = state_of(self.folder, self.config.resolved, code)
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

    def refreshed(self) -> "Plan":
        """This plan with the states that the folders show now."""
        return replace(self, jobs=tuple(job.refreshed(self.code) for job in self.jobs))
