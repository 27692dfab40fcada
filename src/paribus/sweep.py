"""A sweep from its plan to its end, under any launcher: what `paribus plan` shows and `paribus run` runs."""

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn

from paribus.claimed import SWEEP_BEGAN
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.display import SweepDisplay
from paribus.errors import UserError, stopped
from paribus.provenance import code_hash
from paribus.ranks import refuse_sweep
from paribus.study.levels import canonical
from paribus.study.locks import file_system_time, holder, is_own
from paribus.study.offered import Offer, refuse_unmeasured
from paribus.study.parsing import parse_study
from paribus.study.plan import Plan, PlannedJob
from paribus.study.plan_view import plan_json, plan_text, told_changed
from paribus.study.planning import make_plan
from paribus.study.records import written_since
from paribus.study.states import RUN_AGAIN

POLL = 1.0

Launch = Callable[[Sequence[PlannedJob]], Sequence[JobReturn]]
"""Hands jobs to a launcher and returns when they have ended."""


def plan_command(overrides: Sequence[str], tree: Path | None, *, as_json: bool, check: bool) -> int:
    """`paribus plan`: print what `paribus run` would do with these overrides; the exit code.

    Raises:
        UserError: it would be refused.
    """
    own = [each for each in overrides if each.lstrip("+~").startswith(("hydra.", "hydra/"))]
    plan = plan_sweep(Composer(open_tree(extra=tree), own), [each for each in overrides if each not in own])
    if check:
        check_configs(plan.jobs)
    print(json.dumps(plan_json(plan), indent=1) if as_json else plan_text(plan))
    return 0


def plan_sweep(composer: Composer, overrides: Sequence[str]) -> Plan:
    """The plan of the study, or of the sweep, that these overrides ask for; what it costs the claims goes to stderr."""
    requests = composer.requests(overrides)
    plan = make_plan(composer.study(requests), requests, composer.read, code_hash())
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    return plan


def check_configs(jobs: Sequence[PlannedJob]) -> None:
    """Check in full the config of each arm and of each replicate, before any is run.

    Raises:
        UserError: one of them would not build, or their evaluation does not measure what the study declares.
    """
    if not jobs:
        return

    from paribus.build import build_evaluator, check

    seen: set[object] = set()
    offers: dict[object, Offer] = {}
    for job in jobs:
        parts = {("arm", canonical(job.levels)), ("replicate", canonical(job.replicate))}
        if not parts <= seen:
            check(job.config.resolved)
            evaluator = build_evaluator(job.config.resolved)
            measures = [measure.name for measure in evaluator.measures]
            offers[canonical(job.config.resolved["evaluation"])] = Offer(measures, evaluator.within)
        seen |= parts
    declared = jobs[0].config.resolved["study"]
    if declared is not None:
        refuse_unmeasured(parse_study(declared), list(offers.values()))


def run_sweep(composer: Composer, overrides: Sequence[str], launch: Launch) -> list[JobReturn]:
    """Run every job that is due, wait for those that others run, and report.

    Returns:
        What the launcher returned, for each job that it was given.

    Raises:
        UserError: nothing can be run as it is.
        SystemExit: a job did not finish (1). A refuted claim is a result: `paribus verify` has exit codes for those.
    """
    from paribus.run import after_sweep

    refuse_sweep()
    plan = plan_sweep(composer, overrides)
    check_configs(plan.due)
    loggers = plan.jobs[0].config.resolved.get("logger")
    if loggers:
        from paribus.commands.publish import publish_sweep, refuse_unready

        refuse_unready(plan.due)
    plan.folder.mkdir(parents=True, exist_ok=True)
    began = int(1e9 * file_system_time(plan.folder))
    running = _Running(launch, began)
    if kept := len(plan.jobs) - len(plan.due):
        print(f"{kept} of {len(plan.jobs)} jobs are recorded already", file=sys.stderr)
    if plan.changed:
        print(told_changed(plan), file=sys.stderr)
    os.environ[SWEEP_BEGAN] = str(began)
    try:
        with SweepDisplay([job.folder for job in plan.due]):
            running.finish(plan)
    finally:
        del os.environ[SWEEP_BEGAN]
    plan = plan.refreshed()
    failures = _failures(plan, running.errors)
    try:
        if any(job.seconds is not None for job in plan.jobs):
            after_sweep(plan)
            if loggers:
                publish_sweep(plan.folder, loggers)
    finally:  # a full disk takes the report too
        if failures:
            print(failures, file=sys.stderr)
    if failures:
        raise SystemExit(1)
    return running.returns


class _Running:
    """The part of a sweep in which jobs run, here and elsewhere.

    Attributes:
        returns: what the launcher returned.
        errors: what stopped a job before it could leave a record, by key.
    """

    def __init__(self, launch: Launch, began: int) -> None:
        self.returns: list[JobReturn] = []
        self.errors: dict[str, Exception] = {}
        self._launch, self._began = launch, began

    def finish(self, plan: Plan) -> None:
        """Come back when no job is left to run, here or elsewhere."""
        left = list(plan.due)
        elsewhere = [job for job in plan.jobs if job.state == "running"]
        while left or elsewhere:
            if left:
                left, others = self._run(left)
                elsewhere += others
            else:
                left, elsewhere = self._wait(elsewhere, plan)

    def _run(self, jobs: Sequence[PlannedJob]) -> tuple[list[PlannedJob], list[PlannedJob]]:
        """Launch jobs; those that were not begun, and those that another process has."""
        try:
            returns = self._launch(jobs)
        except Exception as error:
            if stopped(error):
                raise KeyboardInterrupt from error
            # Launchers give up when one of their processes dies. What was begun is recorded; go on with the rest.
            held = [job for job in jobs if _held_elsewhere(job)]
            left = [job for job in jobs if job not in held and not written_since(job.folder, self._began)]
            if len(left) == len(jobs):
                # what launchers say where there is no Slurm, partition, cluster, or of numbers that they do not take
                if isinstance(error, RuntimeError | ValueError):
                    raise UserError(f"the launcher started nothing: {error}") from error
                raise
            print(f"the launcher stopped ({type(error).__name__}: {error}); {len(left)} jobs left", file=sys.stderr)
            return left, held
        self.returns += returns
        elsewhere = []
        for job, each in zip(jobs, returns, strict=True):
            try:
                if each.return_value == "skipped":
                    elsewhere.append(job)
            except Exception as error:
                if stopped(error):
                    raise KeyboardInterrupt from error
                self.errors[job.key] = error
        return [], elsewhere

    def _wait(self, jobs: Sequence[PlannedJob], plan: Plan) -> tuple[list[PlannedJob], list[PlannedJob]]:
        """Wait until one of these is let go; those that were but are not ended, and those that are still held."""
        owners = {job.key: _held_elsewhere(job) for job in jobs}
        if all(owners.values()):
            names = sorted({str(owner) for owner in owners.values()})
            print(f"waiting for {len(jobs)} jobs that run elsewhere: {', '.join(names)}", flush=True)
            while all(owners.values()):
                time.sleep(POLL)
                owners = {job.key: _held_elsewhere(job) for job in jobs}
        released = [job.refreshed(plan.code) for job in jobs if owners[job.key] is None]
        held = [job for job in jobs if owners[job.key] is not None]
        return [job for job in released if self._is_left(job, plan)], held

    def _is_left(self, job: PlannedJob, plan: Plan) -> bool:
        """Whether a job is to be run still, now that its folder was let go."""
        if job.state in ("new", "interrupted", "unreadable"):
            return True
        return job.state in RUN_AGAIN[plan.rerun] and not written_since(job.folder, self._began)


def _held_elsewhere(job: PlannedJob) -> str | None:
    """The living owner of a job's folder, if there is one besides this process, which would wait for itself."""
    return None if is_own(job.folder) else holder(job.folder)


def _failures(plan: Plan, errors: dict[str, Exception]) -> str:
    """Which jobs did not finish, why, and how to run one of them again."""
    lines = []
    for job in plan.jobs:
        error = errors.get(job.key)
        if error is None and job.seconds is not None and job.state not in ("diverged", "incomplete"):
            continue
        reason = f"{type(error).__name__}: {error}" if error else job.note
        lines.append(f"  {job.key} ({plan.name(job)}) {job.state}{': ' if reason else ''}{reason}")
    if not lines:
        return ""
    again = (
        f"one again: paribus run --key {shlex.quote(str(plan.folder))}/KEY; "
        "all: the same command (with rerun=all also those that diverged)"
    )
    return "\n".join([f"{len(lines)} of {len(plan.jobs)} jobs did not finish:", *lines, again])
