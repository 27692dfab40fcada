"""Many jobs in one process: those that can be are trained as one program where that is faster, the rest in a loop.

Each job leaves the record, the curves and the checkpoint that it would have left alone.
"""

import shutil
import signal
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from paribus.build import build_loggers
from paribus.callbacks import TimeLimitReached
from paribus.data.contract import InMemoryData
from paribus.display import POPULATIONS, say
from paribus.errors import UserError, stopped
from paribus.job import Job, Run, add_rows, prepared_data
from paribus.population.choice import choose
from paribus.population.members import Member, Population
from paribus.population.optimizers import NotStackable
from paribus.population.structure import structure
from paribus.provenance import Usage
from paribus.run import keeps, lacks_rows, recorded
from paribus.study.locks import Claim, claim
from paribus.study.records import WEIGHTS_FILE, key_of

Outcome = str | Exception
"""How a job ended: its record's status, `skipped`, or what kept it from leaving a record."""

NAMED = ("data", "network", "objective", "optimizer")
"""Config groups by which runs are named."""
MOST_AT_ONCE = 512
"""Jobs that are claimed and prepared before they are trained: each claim is kept alive by a thread of its own."""
STATE_COPIES = 6
"""Copies of the parameters in memory: the family's own, the matrix, its gradient, the optimizer's state."""


@dataclass
class _Begun:
    """A job that is claimed and prepared."""

    place: int
    run: Run
    claim: Claim
    usage: "_Share"

    @property
    def member(self) -> Member:
        assert self.run.family is not None
        return Member(self.run.family, self.run.data, self.run.curves)


class Fused:
    """Runs jobs in this process.

    Args:
        jobs: checked.
        memory: bytes that prepared jobs may take; more of them are trained in several parts.
        ended: told the place of each job and how it ended, as soon as it did.
    """

    def __init__(self, jobs: Sequence[Job], memory: int, ended: Callable[[int, Outcome], None]) -> None:
        self._jobs, self._memory, self._ended = jobs, memory, ended
        self._data: dict[str, InMemoryData] = {}

    def run(self) -> None:
        """Run all.

        Raises:
            KeyboardInterrupt: stopped; the records of what had begun say so.
        """
        begun: list[_Begun] = []
        taken = 0
        try:
            for place, job in enumerate(self._jobs):
                new = self._begin(place, job)
                if new is not None:
                    begun.append(new)
                    taken += _bytes(new, [other.run.data for other in begun[:-1]])
                full = taken > self._memory or len(begun) == MOST_AT_ONCE
                if begun and (full or place == len(self._jobs) - 1):
                    self._train(begun)
                    begun, taken = [], 0
                    self._data.clear()
        except KeyboardInterrupt as stop:
            with _undisturbed():
                for each in begun:
                    self._close(each, stop)
            raise

    def _begin(self, place: int, job: Job) -> _Begun | None:
        """Claim and prepare a job; None where there is nothing to train."""
        usage = _Share()
        mine = claim(job.folder)
        if mine is None:
            self._ended(place, "skipped")
            return None
        try:
            done = recorded(job.folder)
            if done is not None and keeps(done, job.folder, job.config):
                if done.status == "finished" and lacks_rows(done, job.config):
                    done = add_rows(job, done, progress=False, fence=mine.check)
                self._ended(place, done.status)
                mine.release()
                return None
            begun = _Begun(place, Run(job, Usage(), mine.check), mine, usage)
        except Exception as error:
            mine.release()
            self._ended(place, error)
            return None
        try:
            with usage.counted():
                begun.run.prepare(self._shared_data(job.config))
        except (Exception, KeyboardInterrupt) as error:
            self._close(begun, error)
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        return begun

    def _shared_data(self, config: Mapping[str, Any]) -> InMemoryData:
        """The data of a config; jobs with the same data read one copy."""
        trainer = config["trainer"]
        key = key_of([config["data"], config["seed"], trainer["precision"], trainer["accelerator"]])
        if key not in self._data:
            self._data[key] = prepared_data(config)
        return self._data[key]

    def _train(self, begun: list[_Begun]) -> None:
        """Train, evaluate and close; what is closed leaves the list."""
        for runs in _kinds(begun):
            choice = choose([each.member for each in runs], runs[0].run.training)
            what = "as one program" if choice.together else "one after the other"
            say(f"{len(runs)} runs of {_name(runs)} {what}: {choice.why}")
            if choice.together and self._train_together(runs, choice.tile, begun):
                continue
            for each in runs:
                self._train_alone(each)
                begun.remove(each)

    def _train_alone(self, each: _Begun) -> None:
        try:
            with each.usage.counted():
                each.run.train(progress=False)
        except Exception as error:
            if stopped(error):
                raise KeyboardInterrupt from error
            self._close(each, error)
        else:
            self._finish(each)

    def _train_together(self, group: list[_Begun], tile: int, begun: list[_Begun]) -> bool:
        """Whether that went well; else all members are as they were before."""
        training = group[0].run.training
        folder = group[0].run.job.folder.parent / POPULATIONS / key_of([each.run.job.key for each in group])
        folder.mkdir(parents=True, exist_ok=True)
        usage = _Share()
        error: Exception | None = None
        try:
            with usage.counted():
                population = Population([each.member for each in group], training, tile)
                population.fit(folder, terms=[each.run.terms for each in group])
        except TimeLimitReached as limit:
            error = limit
        except Exception as failure:
            if stopped(failure):
                raise KeyboardInterrupt from failure
            say(f"{len(group)} runs as one program: {type(failure).__name__}: {failure}; going on one by one")
            for each in group:
                each.run.curves.rows.clear()
                each.run.prepare(each.run.data)
            shutil.rmtree(folder, ignore_errors=True)
            return False
        checkpoint = torch.load(folder / WEIGHTS_FILE, weights_only=True) if training.save_checkpoint else None
        usage.seconds += training.earlier_seconds
        for each, diverged in zip(group, population.failures(), strict=True):
            each.usage.add(usage, 1 / len(group))
            self._mirror(each)
            if error or diverged:
                self._close(each, error or diverged)
            else:
                if checkpoint is not None:
                    _save(each, checkpoint)
                self._finish(each)
            begun.remove(each)
        _remove(folder)
        return True

    def _mirror(self, each: _Begun) -> None:
        """Tell the loggers what was logged; one run after the other, since not all loggers bear several at once."""
        run = each.run
        run.loggers = build_loggers(run.job.config, job=run.job)
        for logger in run.loggers:
            for step, values in sorted(run.curves.rows.items()):
                logger.log_metrics(values, step)

    def _finish(self, each: _Begun) -> None:
        try:
            with each.usage.counted():
                each.run.finish()
        except Exception as error:
            self._close(each, error)
        else:
            self._close(each, None)

    def _close(self, each: _Begun, error: BaseException | None) -> None:
        outcome: Outcome
        try:
            if isinstance(error, UserError):
                each.run.withdraw()
                outcome = error
            else:
                outcome = each.run.close(error, each.usage.so_far()).status
        except Exception as failure:  # the claim is lost, or the disk is full: the record cannot say so
            outcome = failure
        each.claim.release()
        self._ended(each.place, outcome)


class _Share:
    """Time that was spent on one job: its own, and its share of what was spent on many."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._peak = Usage()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what happens within."""
        wall, cpu = time.monotonic(), time.process_time()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - wall
            self.cpu_seconds += time.process_time() - cpu

    def add(self, other: "_Share", share: float) -> None:
        """Count a share of another's time."""
        self.seconds += other.seconds * share
        self.cpu_seconds += other.cpu_seconds * share

    def so_far(self) -> dict[str, Any]:
        """As `Usage.so_far`; the peak is that of the process."""
        return self._peak.so_far() | {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}


def _kinds(begun: Sequence[_Begun]) -> list[list[_Begun]]:
    """The runs that one program could train: of one structure, budget, and sizes of data."""
    kinds: dict[Hashable, list[_Begun]] = {}
    for each in begun:
        sizes = {str(part): size for part, size in each.run.data.sizes().items()}
        settings = key_of([each.run.job.config["trainer"], sizes, each.run.data.batch_size])
        kind: Hashable
        try:
            kind = structure(each.member.family)
        except NotStackable as reason:
            kind = str(reason)
        kinds.setdefault((settings, kind), []).append(each)
    return list(kinds.values())


def _name(runs: Sequence[_Begun]) -> str:
    """What runs of one kind have in common, by the groups' choices; what they differ in is left out."""
    choices = [each.run.job.choices for each in runs]
    shared = {name: choice for name, choice in choices[0].items() if all(each.get(name) == choice for each in choices)}
    return ", ".join(shared[name] for name in NAMED if name in shared)


def _save(each: _Begun, checkpoint: Mapping[str, Any]) -> None:
    """A member's checkpoint: that of the population, with its own weights."""
    family = each.run.family
    assert family is not None
    own = {**checkpoint, "state_dict": family.state_dict(), "paribus_step": family.step}
    torch.save(own, each.run.job.folder / WEIGHTS_FILE)


def _bytes(each: _Begun, others: Sequence[InMemoryData]) -> int:
    """What a prepared job adds to the memory in use."""
    assert each.run.family is not None
    parameters = sum(parameter.nbytes for parameter in each.run.family.parameters())
    if any(each.run.data is other for other in others):
        return STATE_COPIES * parameters
    return STATE_COPIES * parameters + sum(
        rows.nbytes for part in each.run.data.parts.values() for rows in part.values()
    )


def _remove(folder: Path) -> None:
    """Remove a population's folder, and the one above it when it is the last."""
    shutil.rmtree(folder, ignore_errors=True)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Be deaf to a second signal while records are written."""
    names = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(name, signal.SIG_IGN) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, handlers, strict=True):
            signal.signal(name, handler)
