"""A job claimed, and run unless its record leaves nothing to do."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.convergence import still_falling
from paribus.provenance import code_hash
from paribus.ranks import launched
from paribus.study.keys import train_key
from paribus.study.locks import claim, holder
from paribus.study.records import RECORD_FILE, RunRecord, UnreadableRecord, read_record, run_folder, written_since
from paribus.study.states import CHANGED, RUN_AGAIN, lacks_rows, lacks_weights, record_state

if TYPE_CHECKING:
    from paribus.job import Job

SWEEP_BEGAN = "PARIBUS_SWEEP_BEGAN"
"""Environment variable of the processes of a sweep: when it began, in nanoseconds of the records' file system."""


def run_claimed(config: Mapping[str, Any], choices: Mapping[str, str], single: bool) -> RunRecord | None:
    """Run a job unless its record says that there is nothing to do; None where another process is at it.

    Where a launcher has started several processes for the run, the first does so, and the others train with it.
    """
    from paribus.followers import follow_launched, leading
    from paribus.job import Job

    job = Job.of(config, choices)
    if launched().number > 0:
        follow_launched(config, job.folder)
        return None
    with leading(config):
        return _run_claimed(job, single)


def _run_claimed(job: "Job", single: bool) -> RunRecord | None:
    from paribus.job import add_rows, run_job

    folder, config = job.folder, job.config
    mine = claim(folder)
    if mine is None:
        print(f"{folder} is being run by {holder(folder)}")
        return None
    with mine:
        done = recorded(folder)
        if done is None or not keeps(done, folder, config):
            return run_job(job, progress=single, fence=mine.check)
        if done.status == "finished" and lacks_rows(done, config):
            return add_rows(job, done, progress=single, fence=mine.check)
        if single:
            tell_kept(done, folder, config)
        return done


def finished_before(config: Mapping[str, Any]) -> RunRecord | None:
    """The record of a run that leaves nothing to do; None where that takes a closer look.

    The key says that the config is the one that was checked then, but for what training does not read.
    """
    folder = run_folder(config, train_key(config))
    try:
        record = read_record(folder)
    except (OSError, UnreadableRecord):
        return None
    if config["rerun"] not in RUN_AGAIN or not isinstance(config.get("evaluation"), Mapping) or holder(folder):
        return None
    if launched().world > 1:  # who look at different moments, and are to do the same
        return None
    if not keeps(record, folder, config) or (record.status == "finished" and lacks_rows(record, config)):
        return None
    return record


def tell_kept(record: RunRecord, folder: Path, config: Mapping[str, Any]) -> None:
    """Say why a single run trains nothing."""
    state, note = record_state(record, folder, config, code_hash())
    if state in CHANGED:
        made = f"{folder} has this run, made by {state} ({note})"
        print(f"{made}, and keeps it; rerun=changed runs it again", file=sys.stderr)
    else:
        print(f"{folder} has this run already; rerun=all runs it again")


def recorded(folder: Path) -> RunRecord | None:
    """The record in a run's folder, if there is one that can be read."""
    try:
        return read_record(folder)
    except FileNotFoundError:
        return None
    except UnreadableRecord as error:
        kept = folder / f"unreadable-{RECORD_FILE}"
        (folder / RECORD_FILE).replace(kept)
        print(f"{error}; it is kept as {kept.name} and the run is made again", file=sys.stderr)
        return None


def ended_in_this_sweep(record: RunRecord, folder: Path) -> bool:
    """Whether a run has ended since the sweep began that this process belongs to, so that it is not tried again.

    Whoever ran it: another process that shares the sweep, or this one before its launcher stopped.
    """
    began = os.environ.get(SWEEP_BEGAN)
    return began is not None and record.status not in ("running", "interrupted") and written_since(folder, int(began))


def keeps(record: RunRecord, folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a record is left as it is, or at most gains rows, going by the policy `rerun`."""
    state, _ = record_state(record, folder, config, code_hash())
    if record.status == "finished" and state not in CHANGED and lacks_weights(folder, config):
        return False
    if ended_in_this_sweep(record, folder):
        return True
    if state == "incomplete":
        return config["rerun"] != "all"
    return state not in RUN_AGAIN[config["rerun"]]


def summary(record: RunRecord) -> str:
    """What a single run prints at its end."""
    lines = [f"{record.status} after {record.steps:,} steps in {record.seconds:.1f} s"]
    for row in record.rows:
        levels = "  ".join(f"{name}={level}" for name, level in row.levels.items())
        lines += [levels] if levels else []
        width = max(map(len, row.metrics), default=0)
        lines += [f"  {name:<{width}}  {value:.6g}" for name, value in row.metrics.items()]
    if record.failure:
        lines.append(f"  {record.failure.kind}: {record.failure.message} (step {record.failure.step})")
    folder = run_folder(record.config, record.key)
    note = still_falling(folder) if record.status == "finished" else ""
    return "\n".join([*lines, f"  {folder / RECORD_FILE}", *([note] if note else [])])
