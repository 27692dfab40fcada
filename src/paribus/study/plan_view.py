"""A plan as text and as plain values."""

from collections import Counter
from collections.abc import Mapping
from statistics import median
from textwrap import fill
from typing import Any, get_args

from paribus.study.columns import table
from paribus.study.levels import label
from paribus.study.plan import Plan
from paribus.study.states import State

WIDTH = 118
LEAST_INDENT = 12
MOST_VALUES = 6
_TOLD = ("incomplete", "failed", "unreadable", "running")
_FROM: Mapping[State, str] = {"other code": "by other code", "other data": "from other data"}
_ORDER: tuple[State, ...] = get_args(State)


def plan_text(plan: Plan) -> str:
    """Question, arms by states, what is held equal, what is not as it should be, the time expected."""
    blocks = [plan.study.question, _arms(plan), _held(plan), _derived(plan), _warnings(plan), _summary(plan)]
    return "\n\n".join(block for block in blocks if block)


def plan_json(plan: Plan) -> dict[str, Any]:
    """Everything that the text says, and each job."""
    study = plan.study
    due = {job.key for job in plan.due}
    return {
        "question": study.question,
        "folder": str(plan.folder),
        "factors": {factor.name: list(factor.levels) for factor in study.factors},
        "replicate": {study.replicate.key: list(study.replicate.levels)},
        "arms": len(plan.arms()),
        "states": dict(plan.states),
        "rerun": plan.rerun,
        "notes": plan.notes,
        "due": len(due),
        "expected_seconds": plan.expected_seconds,
        "held_equal": dict(plan.held_equal),
        "derived": {key: list(values) for key, values in plan.derived.items()},
        "jobs": [
            {
                "key": job.key,
                "levels": dict(job.levels),
                "replicate": job.replicate,
                "state": job.state,
                "due": job.key in due,
                "note": job.note,
                "seconds": job.seconds,
                "folder": str(job.folder),
                "overrides": list(job.overrides),
            }
            for job in plan.jobs
        ],
    }


def duration(seconds: float) -> str:
    """`"40 s"`, `"12 min"`, `"3.5 h"`."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def told_changed(plan: Plan) -> str:
    """How many recorded jobs are kept although they would come out differently now."""
    counts = Counter(job.state for job in plan.changed)
    told = " and ".join(f"{count} made {_FROM[state]}" for state, count in sorted(counts.items()))
    return f"{told} are kept; rerun=changed runs them again"


def _arms(plan: Plan) -> str:
    states = [state for state in _ORDER if plan.states.get(state)]
    names = [factor.name for factor in plan.study.factors]
    rows = []
    for jobs in plan.arms().values():
        counts = Counter(job.state for job in jobs)
        seconds = [job.seconds for job in jobs if job.seconds is not None]
        rows.append(
            [
                *(label(jobs[0].levels[name]) for name in names),
                *(str(counts.get(state) or "") for state in states),
                duration(median(seconds)) if seconds else "",
            ]
        )
    header = [*names, *states, "a run takes"]
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    return table(header, rows, left=len(names))


def _held(plan: Plan) -> str:
    """One paragraph for each key at the root of the config, with the option chosen where that is the same too."""
    first = plan.jobs[0].config.choices
    same = {key: option for key, option in first.items() if all(j.config.choices.get(key) == option for j in plan.jobs)}
    groups: dict[str, list[str]] = {}
    for key, value in plan.held_equal.items():
        root, _, rest = key.partition(".")
        shown = groups.setdefault(root, [])
        if not key.endswith(("_target_", "_partial_")):
            shown.append(f"{rest}={label(value)}" if rest else label(value))
    lines = []
    indent = max(LEAST_INDENT, 2 + max(map(len, groups), default=0))
    for root, leaves in groups.items():
        option = f"{same[root]}: " if root in same and leaves else same.get(root, "")
        text = f"{root:<{indent}}{option}{' '.join(leaves)}"
        beyond = " " * (indent + 2)
        lines.append(fill(text, WIDTH, initial_indent="  ", subsequent_indent=beyond, break_on_hyphens=False))
    return "\n".join(["Held equal", *lines])


def _derived(plan: Plan) -> str:
    """What differs because it is written in terms of something that does."""
    lines = []
    for key, values in plan.derived.items():
        told = ", ".join(label(value) for value in values[:MOST_VALUES]) + (
            ", ..." if len(values) > MOST_VALUES else ""
        )
        lines.append(f"  {key}: {told}")
    return "\n".join(["Follows what differs", *lines]) if lines else ""


def _warnings(plan: Plan) -> str:
    lines = []
    if plan.changed:
        lines.append(told_changed(plan))
    lines += [f"{job.key} is {job.state}: {job.note}" for job in plan.jobs if job.note and job.state in _TOLD]
    return "\n".join(lines)


def _summary(plan: Plan) -> str:
    arms, levels, due = len(plan.arms()), len(plan.study.replicate.levels), len(plan.due)
    text = f"{_count(arms, 'arm')} x {levels} of {plan.study.replicate.key} = {_count(len(plan.jobs), 'job')}"
    text += f", {due} to run" if due != len(plan.jobs) else ""
    if due and plan.expected_seconds is not None:
        text += f", about {duration(plan.expected_seconds)} one after the other"
    return f"{text}; records in {plan.folder}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
