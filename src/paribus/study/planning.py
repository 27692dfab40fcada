"""The plan of a study made, and refused where its records could not be compared or told apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from paribus.errors import UserError
from paribus.study.confounds import refuse_confounds
from paribus.study.expansion import Assignment, Request, expand
from paribus.study.experiments import refuse_misplaced
from paribus.study.files import fingerprint
from paribus.study.keys import NOT_TRAINING, is_below, train_key
from paribus.study.levels import Level, canonical, describe
from paribus.study.matching import NoLevel, Placer, cell_key
from paribus.study.mixing import refuse_mixing
from paribus.study.parsing import parse_study
from paribus.study.plan import JobConfig, Plan, PlannedJob
from paribus.study.records import RunRecord, read_record, read_records, run_folder
from paribus.study.states import RUN_AGAIN, changed_files

Read = Callable[[Sequence[str]], JobConfig]


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
