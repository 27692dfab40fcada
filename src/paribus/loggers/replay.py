"""Runs that are over, shown from what they left: the same code after a fused sweep, and for `paribus publish`."""

import csv
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from paribus.build import build_loggers
from paribus.errors import UserError
from paribus.job import Job
from paribus.mirror import Curves, Mirror, conclude, fingerprint, published
from paribus.study.records import CURVES_FILE, RunRecord, read_record

Nodes = Mapping[str, Any]
"""Loggers by name, as the config has them."""


@dataclass(frozen=True)
class Showing:
    """What became of showing some runs: how many were shown, and what went wrong with others."""

    shown: int
    problems: tuple[str, ...] = ()


def replay(jobs: Sequence[Job], nodes: Nodes | None = None, *, again: bool = False) -> Showing:
    """Show what runs left in those of their loggers that do not show it yet.

    Args:
        jobs: whose runs are over.
        nodes: loggers; None for each job's own.
        again: show all anew.

    Raises:
        UserError: a logger cannot be had.
    """
    due = [(job, loggers) for job in jobs if (loggers := due_loggers(job, nodes, again))]
    at_once = min((getattr(logger, "at_once", 1) for _, loggers in due for logger in loggers), default=1)
    with ThreadPoolExecutor(at_once) as pool:
        problems = list(pool.map(lambda each: _replay(*each), due))
    return Showing(sum(not each for each in problems), tuple(line for lines in problems for line in lines))


def replay_quietly(jobs: Sequence[Job]) -> None:
    """The same for runs that have just ended: what goes wrong is told, and costs nothing but itself."""
    try:
        replay(jobs)
    except (UserError, OSError) as error:
        print(f"paribus: {len(jobs)} runs are recorded, and not shown elsewhere: {error}", file=sys.stderr)


def due_loggers(job: Job, nodes: Nodes | None, again: bool) -> list[Logger]:
    """The loggers that do not show what the run left; of loggers that cannot tell, a run's own do not."""
    built = build_loggers(job.config if nodes is None else {"logger": nodes}, job=job)
    content = fingerprint(job.folder)
    return [
        each
        for each in built
        if (again or not is_shown(each, job.folder, content) if isinstance(each, Mirror) else nodes is None)
    ]


def is_shown(mirror: Mirror, folder: Path, content: str) -> bool:
    """Whether what has the hash `content` is noted as shown."""
    noted = published(folder)
    return any(noted.get(destination) == content for destination in mirror.covers)


def _replay(job: Job, loggers: Sequence[Logger]) -> list[str]:
    for logger in loggers:
        if isinstance(logger, Mirror):
            logger.replay()
    return conclude(loggers, read_record(job.folder), job.folder, read_curves(job.folder))


def read_curves(folder: Path) -> Curves:
    """The values in a run's `curves.csv`, by step; empty where it left none."""
    try:
        with (folder / CURVES_FILE).open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {int(row.pop("step")): {name: float(cell) for name, cell in row.items() if cell} for row in rows}
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def job_of(record: RunRecord, folder: Path, study: Mapping[str, Any] | None) -> Job:
    """The job that a record is of, in the study that it belongs to."""
    return Job(record.key, {**record.config, "study": study}, record.choices, folder)
