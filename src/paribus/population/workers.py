"""A sweep's jobs over the machine's cores: one process a core, each with its share of every kind of job."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any, cast

from paribus.job import Job
from paribus.population.fused import Fused, Outcome
from paribus.run import recorded
from paribus.study.keys import flat
from paribus.study.records import key_of

SPLIT = 8
"""Jobs of a kind that a process should get at least: fewer gain little from being trained together."""
MEMORY_SHARE = 0.5
"""Of the memory that is free, what prepared jobs may take."""
PATIENCE = 2.0
PR_SET_PDEATHSIG = 1


def run_jobs(jobs: Sequence[Job], processes: int | None) -> list[Outcome]:
    """Run jobs; how each ended.

    Args:
        jobs: checked.
        processes: how many; None for as many as there are cores, where that pays.

    Raises:
        KeyboardInterrupt: stopped; the records of what had begun say so.
    """
    shares = shared_out([job.config for job in jobs], processes or _processes(jobs))
    outcomes: dict[int, Outcome] = {}
    memory = int(_free_memory() * MEMORY_SHARE / len(shares))
    if len(shares) == 1:
        Fused(jobs, memory, lambda place, outcome: outcomes.update({place: outcome})).run()
    else:
        _run_in_processes(jobs, shares, memory, outcomes)
    return [outcomes.get(place) or _left_by_the_dead(job) for place, job in enumerate(jobs)]


def shared_out(configs: Sequence[Mapping[str, Any]], processes: int) -> list[list[int]]:
    """The places of the jobs of each process: a part of every kind of job, small kinds whole."""
    kinds: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        kinds.setdefault(_kind(config), []).append(place)
    shares: list[list[int]] = [[] for _ in range(processes)]
    for kind in sorted(kinds.values(), key=len, reverse=True):
        parts = max(1, min(processes, len(kind) // SPLIT))
        bounds = [len(kind) * part // parts for part in range(parts + 1)]
        for part in range(parts):
            min(shares, key=len).extend(kind[bounds[part] : bounds[part + 1]])
    return [sorted(share) for share in shares if share] or [[]]


def _kind(config: Mapping[str, Any]) -> str:
    """Jobs that differ in single numbers alone are of one kind: they can probably be trained as one program."""
    leaves = {key: leaf for key, leaf in flat(config).items() if not isinstance(leaf, float) and key != "seed"}
    return key_of({key: repr(leaf) for key, leaf in leaves.items()})


def _processes(jobs: Sequence[Job]) -> int:
    """One a core, unless a job itself uses several, or an accelerator that they would share."""
    if "fork" not in multiprocessing.get_all_start_methods() or sys.platform == "darwin":
        return 1  # a fresh process would import everything again, which takes as long as many a sweep
    if any(job.config["trainer"]["accelerator"] != "cpu" for job in jobs):
        return 1
    cores = len(os.sched_getaffinity(0))
    return max(1, cores // max((job.config["trainer"]["threads"] for job in jobs), default=1))


def _run_in_processes(
    jobs: Sequence[Job], shares: Sequence[Sequence[int]], memory: int, outcomes: dict[int, Outcome]
) -> None:
    context = multiprocessing.get_context("fork")
    workers = {}
    try:
        for share in shares:
            receiving, sending = context.Pipe(duplex=False)
            worker = context.Process(
                target=_work, args=([jobs[place] for place in share], memory, sending, os.getpid())
            )
            sys.stdout.flush()
            worker.start()
            sending.close()
            workers[receiving] = (worker, share)
        while workers:
            for ready in wait(list(workers)):
                receiving = cast(Connection, ready)
                worker, share = workers[receiving]
                try:
                    place, outcome = receiving.recv()
                    outcomes[share[place]] = outcome
                except EOFError:
                    worker.join()
                    del workers[receiving]
    except KeyboardInterrupt:
        for worker, _ in workers.values():
            worker.join(PATIENCE)  # Ctrl-C reaches every process of the terminal
            if worker.is_alive():
                worker.terminate()
            worker.join()
        raise


def _work(jobs: Sequence[Job], memory: int, sending: Connection, parent: int) -> None:
    """The life of a worker: its jobs, each told to the parent as it ends."""
    _die_with(parent)
    signal.signal(signal.SIGTERM, _stop)
    with suppress(KeyboardInterrupt):
        Fused(jobs, memory, lambda place, outcome: sending.send((place, _portable(outcome)))).run()
    sending.close()
    sys.stdout.flush()


def _portable(outcome: Outcome) -> Outcome:
    """An outcome that survives pickling: errors of one's own classes with more arguments do not always."""
    return outcome if isinstance(outcome, str) else type(outcome)(*map(str, outcome.args))


def _die_with(parent: int) -> None:
    """Be stopped when the parent is killed: what nobody waits for must not go on."""
    with suppress(OSError, AttributeError):  # Linux alone can do so
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("SIGTERM")


def _left_by_the_dead(job: Job) -> Outcome:
    """How a job ended whose process could not say so."""
    record = recorded(job.folder)
    if record is not None and record.status != "running":
        return record.status
    return RuntimeError("its process was killed")


def _free_memory() -> int:
    """Bytes."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4 * 2**30
