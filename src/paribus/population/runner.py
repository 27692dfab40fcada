"""Many jobs in one process: those that can be are trained as one program where that is faster, the rest in a loop.

Each job leaves the record, the curves and the checkpoint that it would have left alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from paribus.claimed import keeps, recorded
from paribus.data.contract import InMemoryData
from paribus.display import say
from paribus.errors import stopped
from paribus.families.contract import Family
from paribus.job import Job, Run, add_rows, is_trained_again
from paribus.loggers.replay import replay_quietly
from paribus.population.begun import Begun, Outcome
from paribus.population.choice import TILES, Choice, choose
from paribus.population.interrupts import undisturbed
from paribus.population.kinds import kind_of, kinds_of, name_of
from paribus.population.memory import state_bytes, step_bytes
from paribus.population.share import Share, counted
from paribus.population.together import train_together
from paribus.population.unfinished import FolderHeld, Unfinished, opened, population_folder, tell_over
from paribus.study.locks import Claim, claim
from paribus.study.records import key_of
from paribus.study.states import lacks_rows
from paribus.trained import prepared_data

MOST_AT_ONCE = 512
"""Jobs that are claimed and prepared before they are trained, at most: a thread of its own keeps each claim alive."""


class Runner:
    """Runs jobs in this process.

    Args:
        jobs: checked.
        memory: bytes that prepared jobs may take; more of them are trained in several parts.
        ended: told the place of each job and how it ended, as soon as it did.
        unfinished: populations of these jobs that are gone on with first.
        at_once: jobs that are claimed and prepared before they are trained.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        memory: int,
        ended: Callable[[int, Outcome], None],
        unfinished: Sequence[Unfinished] = (),
        at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._at_once = at_once
        self._jobs, self._memory, self._ended, self._unfinished = jobs, memory, ended, unfinished
        self._data: dict[str, InMemoryData] = {}
        self._begun: list[Begun] = []
        self._taken = 0
        self._counts: Counter[str] = Counter()
        self._step_bytes: dict[str, int] = {}

    def run(self) -> None:
        """Run all. Whatever it raises, no folder is held any more, and the records of what had begun say so.

        Raises:
            KeyboardInterrupt: stopped.
        """
        try:
            for population in self._unfinished:
                self._go_on_with(population)
            first = {place for population in self._unfinished for place in population.places}
            for place in range(len(self._jobs)):
                if place not in first:
                    self._begin(place)
                if self._memory_taken() > self._memory or len(self._begun) >= self._at_once:
                    self._train()
            self._train()
        except BaseException as error:
            cause = KeyboardInterrupt(*error.args) if stopped(error) else error
            with undisturbed():
                for each in self._begun:
                    if each.is_open:
                        each.close(cause)
            raise cause from error

    def _go_on_with(self, population: Unfinished) -> None:
        """Train a population from its checkpoint; or its members anew if one of them has nothing to do here."""
        try:
            with opened(population.folder):
                group = [each for place in population.places if (each := self._begin(place))]
                if len(group) < len(population.places):
                    tell_over(len(group), len(population.places))
                elif not train_together(group, population.tile, population.folder):
                    _train_alone(group)
        except FolderHeld:
            for place in population.places:
                self._ended(place, "skipped")
        self._train()

    def _begin(self, place: int) -> Begun | None:
        """Claim and prepare a job; None where there is nothing to train."""
        job, share = self._jobs[place], Share()
        try:
            mine = claim(job.folder)
        except OSError as error:
            self._ended(place, error)
            return None
        if mine is None:
            self._ended(place, "skipped")
            return None
        try:
            begun = self._begun_or_settled(job, mine, share, place)
        except BaseException as error:
            mine.release()
            if stopped(error) or not isinstance(error, Exception):
                raise
            self._ended(place, error)
            return None
        if isinstance(begun, str):
            mine.release()
            self._ended(place, begun)
            return None
        self._begun.append(begun)
        begun.do(lambda: begun.run.prepare(self._shared_data(job.config)))
        if not begun.is_open:
            return None
        self._count(begun.run)
        return begun

    def _count(self, run: Run) -> None:
        """Count the memory of a prepared run. Runs of one kind take as much a step."""
        self._taken += state_bytes(run, [other.run.data for other in self._begun[:-1] if other.is_open])
        kind = kind_of(run.job.config)
        self._counts[kind] += 1
        if kind not in self._step_bytes:
            self._step_bytes[kind] = step_bytes(run)

    def _memory_taken(self) -> int:
        """Bytes that what has begun will take: all that is kept, and the steps of the tile that takes most."""
        steps = (self._step_bytes[kind] * self._at_a_time(count) for kind, count in self._counts.items())
        return self._taken + max(steps, default=0)

    def _at_a_time(self, count: int) -> int:
        """Of so many members, those whose steps are taken at a time; a GPU takes those of all."""
        on_gpu = any(each.run.job.config["trainer"]["accelerator"] == "gpu" for each in self._begun)
        return count if on_gpu else min(count, max(TILES))

    def _begun_or_settled(self, job: Job, mine: Claim, share: Share, place: int) -> Begun | str:
        """A claimed job, begun; or its status, if its record needs no training."""
        done, gaining = recorded(job.folder), None
        if done is not None and keeps(done, job.folder, job.config):
            if done.status != "finished" or not lacks_rows(done, job.config):
                return done.status
            if not is_trained_again(job, done):
                return add_rows(job, done, progress=False, fence=mine.check).status
            gaining = done
        return Begun(Run(job, share.usage, mine.check, gaining), mine, share, partial(self._ended, place))

    def _shared_data(self, config: Mapping[str, Any]) -> InMemoryData:
        """The data of a config; jobs with the same data read one copy."""
        trainer = config["trainer"]
        key = key_of([config["data"], config["seed"], trainer["precision"], trainer["accelerator"]])
        if key not in self._data:
            self._data[key] = prepared_data(config)
        return self._data[key]

    def _train(self) -> None:
        """Train, evaluate and close what has begun."""
        kinds = kinds_of([each for each in self._begun if each.is_open])
        families = [group[0].member.family for group in kinds]
        for place, group in enumerate(kinds):
            choice = _choice(group, families[max(0, place - 1) : place] + families[place + 1 : place + 2])
            what = "as one program" if choice.together else "one after the other"
            say(f"{len(group)} runs of {name_of(group)} {what}: {choice.why}")
            if choice.together:
                self._train_together(group, choice.tile)
            _train_alone(group)
            replay_quietly([each.run.job for each in group if each.is_unshown])
        self._begun, self._taken = [], 0
        self._counts.clear()
        self._data.clear()

    def _train_together(self, group: Sequence[Begun], tile: int) -> None:
        folder = population_folder([each.run.job for each in group])
        try:
            with opened(folder):
                train_together(group, tile, folder)
        except OSError as error:
            say(f"{folder} could not be opened ({error}); going on one by one")


def _train_alone(group: Sequence[Begun]) -> None:
    """Train those that are open one after the other."""
    for each in group:
        if each.is_open:
            each.train_alone()


def _choice(group: Sequence[Begun], others: Sequence[Family]) -> Choice:
    """How a group is trained. What goes wrong in trying is each member's own, which training it alone will tell.

    `others`: that came before and after, to tell what keeps one apart.
    """
    try:
        with counted([each.share for each in group]):
            return choose([each.member for each in group], group[0].run.training, others)
    except Exception as error:
        if stopped(error):
            raise KeyboardInterrupt from error
        return Choice(False, f"a step failed ({type(error).__name__}: {error})")
