"""A sweep's jobs over the machine's cores: one process a core, each with its share of every kind of job."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from paribus.build import check
from paribus.claimed import recorded
from paribus.display import say
from paribus.errors import UserError
from paribus.job import Job
from paribus.population.begun import Outcome
from paribus.population.interrupts import undisturbed
from paribus.population.kinds import kind_of
from paribus.population.memory import free_memory
from paribus.population.runner import MOST_AT_ONCE, Runner
from paribus.population.unfinished import Unfinished, find_unfinished, members_of
from paribus.preemption import end_when_terminated, warned
from paribus.ranks import refuse_sweep
from paribus.study.locks import file_system_time
from paribus.study.records import written_since

SPLIT = 8
"""Jobs of a kind that a process should get at least: fewer gain little from being trained together."""
MEMORY_SHARE = 0.5
"""Of the memory that is free, what prepared jobs may take."""
PATIENCE = 2.0
"""Seconds that a worker has, after a Ctrl-C that it got as well, before it is told again."""
PR_SET_PDEATHSIG = 1

Outcomes = dict[int, Outcome]


def run_jobs(jobs: Sequence[Job], processes: int | None, hosts: int = 1) -> list[Outcome]:
    """Run jobs; how each ended. What a process that died had not begun is run by another.

    Args:
        jobs: checked.
        processes: how many; None for as many as there are cores, where that pays.
        hosts: how many machines run these jobs between them: each claims its part at first, and then what is left.

    Raises:
        KeyboardInterrupt: stopped; the records of what had begun say so.
        UserError: this is one of several processes that torchrun or srun started.
    """
    if not jobs:
        return []
    refuse_sweep()
    jobs[0].folder.parent.mkdir(parents=True, exist_ok=True)
    began = int(1e9 * file_system_time(jobs[0].folder.parent))
    unfinished, elsewhere = find_unfinished(jobs)
    outcomes: Outcomes = dict.fromkeys(elsewhere, "skipped")
    left = [place for place in range(len(jobs)) if place not in outcomes]
    while left:
        _run_round(jobs, left, processes, hosts, unfinished, outcomes)
        untold = [place for place in left if place not in outcomes]
        dead = RuntimeError("the process that ran it has died")
        for place in untold:
            if written_since(jobs[place].folder, began):
                outcomes[place] = _left_by_the_dead(jobs[place]) or dead
        unbegun = [place for place in untold if place not in outcomes]
        if len(unbegun) == len(left):  # nothing was begun: it would be so again
            outcomes.update(dict.fromkeys(unbegun, dead))
            unbegun = []
        elif unbegun:
            say(f"{len(unbegun)} jobs whose process died first, or could not start, are run by another")
        left = unbegun
        unfinished = []
    return [outcomes[place] for place in range(len(jobs))]


def _run_round(
    jobs: Sequence[Job],
    places: Sequence[int],
    processes: int | None,
    hosts: int,
    unfinished: Sequence[Unfinished],
    outcomes: Outcomes,
) -> None:
    """Run the jobs at these places; how those ended that could say so."""
    due = [jobs[place] for place in places]
    populations = members_of(unfinished, places)
    whole = [population.places for population in populations]
    shares = shared_out([job.config for job in due], processes or _processes(due), whole)
    part = MEMORY_SHARE / len(shares)

    def tell(number: int, outcome: Outcome) -> None:
        outcomes[places[number]] = outcome

    if len(shares) == 1:
        Runner(due, _memory(due, part), tell, populations, _at_once(due, hosts)).run()
    else:
        _run_in_processes(due, shares, populations, part, hosts, tell)


def _at_once(jobs: Sequence[Job], hosts: int) -> int:
    """Jobs that a process claims before it trains them."""
    return min(MOST_AT_ONCE, -(-len(jobs) // hosts))


def _memory(jobs: Sequence[Job], part: float) -> int:
    """Bytes that prepared jobs may take. Asked by each process of its own, since asking a GPU binds it to a process."""
    gpu = any(job.config["trainer"]["accelerator"] == "gpu" for job in jobs)
    return int(free_memory("gpu" if gpu else "cpu") * part)


def run_share(jobs: Sequence[tuple[Mapping[str, Any], Mapping[str, str]]]) -> list[Outcome]:
    """Run jobs in this process, each by its config and its choices, and give how each ended such that it can be sent.

    A job whose config is at fault is told of, and leaves the others as they are.
    """
    outcomes: Outcomes = {}
    sound: dict[int, Job] = {}
    for place, (config, choices) in enumerate(jobs):
        try:
            check(config)
        except UserError as mistake:
            outcomes[place] = mistake
        else:
            sound[place] = Job.of(config, choices)
    with warned():
        ran = run_jobs(list(sound.values()), processes=1)
    outcomes.update(zip(sound, map(_portable, ran), strict=True))
    return [outcomes[place] for place in range(len(jobs))]


def shared_out(
    configs: Sequence[Mapping[str, Any]], processes: int, whole: Sequence[Sequence[int]] = (), least: int = SPLIT
) -> list[list[int]]:
    """The places of the jobs of each process: a part of every kind of job, small kinds and those in `whole` whole.

    least: jobs of a kind that a process gets at least.
    """
    kinds: dict[str, list[int]] = {}
    kept = {place for places in whole for place in places}
    for place, config in enumerate(configs):
        if place not in kept:
            kinds.setdefault(kind_of(config), []).append(place)
    shares: list[list[int]] = [[] for _ in range(processes)]
    for places in sorted(whole, key=len, reverse=True):
        min(shares, key=len).extend(places)
    for kind in sorted(kinds.values(), key=len, reverse=True):
        parts = max(1, min(processes, len(kind) // least))
        bounds = [len(kind) * part // parts for part in range(parts + 1)]
        for part in range(parts):
            min(shares, key=len).extend(kind[bounds[part] : bounds[part + 1]])
    return [sorted(share) for share in shares if share] or [[]]


def _processes(jobs: Sequence[Job]) -> int:
    """One a core, unless a job itself uses several, or an accelerator that they would share."""
    if "fork" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return 1  # a fresh process would import everything again, which takes as long as many a sweep
    if any(job.config["trainer"]["accelerator"] != "cpu" for job in jobs):
        return 1
    cores = len(os.sched_getaffinity(0))
    busy = (job.config["trainer"]["threads"] * job.config["trainer"]["devices"] for job in jobs)
    return max(1, cores // max(busy, default=1))


def _run_in_processes(
    jobs: Sequence[Job],
    shares: Sequence[Sequence[int]],
    populations: Sequence[Unfinished],
    part: float,
    hosts: int,
    tell: Callable[[int, Outcome], None],
) -> None:
    """Run each share in a process of its own; shares for which there can be no process are left."""
    workers: dict[Connection, tuple[BaseProcess, Sequence[int]]] = {}
    try:
        for share in shares:
            mine, unfinished = [jobs[place] for place in share], members_of(populations, share)
            started = _start(mine, unfinished, part, _at_once(mine, hosts), bool(workers))
            if started is not None:
                workers[started[0]] = started[1], share
        while workers:
            for ready in wait(list(workers)):
                receiving = cast(Connection, ready)
                worker, share = workers[receiving]
                try:
                    place, outcome = receiving.recv()
                    tell(share[place], outcome)
                except EOFError:
                    worker.join()
                    del workers[receiving]
    except BaseException:
        with undisturbed():
            for worker, _ in workers.values():
                _end(worker)
        raise


def _start(
    jobs: Sequence[Job], populations: Sequence[Unfinished], part: float, at_once: int, has_others: bool
) -> tuple[Connection, BaseProcess] | None:
    """A process that runs these jobs, and where it tells how they end; None if the system has none to give."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(jobs, populations, part, at_once, sending, os.getpid()))
    sys.stdout.flush()
    try:
        worker.start()
    except OSError:
        if not has_others:
            raise
        return None
    finally:
        sending.close()
    return receiving, worker


def _end(worker: BaseProcess) -> None:
    """Wait for a worker that was interrupted, which Ctrl-C does to every process of the terminal; else tell it."""
    worker.join(PATIENCE)
    if worker.is_alive():
        worker.terminate()
    worker.join()


def _work(
    jobs: Sequence[Job],
    populations: Sequence[Unfinished],
    part: float,
    at_once: int,
    sending: Connection,
    parent: int,
) -> None:
    """The life of a worker: its jobs, each told to the parent as it ends."""

    def tell(place: int, outcome: Outcome) -> None:
        with suppress(BrokenPipeError):  # the parent is gone, and this process is told to go as well
            sending.send((place, _portable(outcome)))

    _die_with(parent)
    end_when_terminated()
    try:
        Runner(jobs, _memory(jobs, part), tell, populations, at_once).run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is on its way out
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sending.close()
    sys.stdout.flush()


def _portable(outcome: Outcome) -> Outcome:
    """An outcome that survives pickling, which errors whose classes take other arguments than their text do not."""
    try:
        same = pickle.loads(pickle.dumps(outcome))
        if type(same) is type(outcome) and str(same) == str(outcome):
            return outcome
    except Exception:
        pass  # whatever pickling raised, the outcome itself is told: below, as text
    return RuntimeError(f"{type(outcome).__name__}: {outcome}")


def _die_with(parent: int) -> None:
    """Be stopped when the parent is killed: what nobody waits for must not go on."""
    with suppress(OSError, AttributeError):  # Linux alone can do so
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit


def _left_by_the_dead(job: Job) -> Outcome | None:
    """How a job ended whose process could not say so; None if it did not."""
    record = recorded(job.folder)
    return None if record is None or record.status == "running" else record.status
