"""Runs in one folder that cannot stand in one study: two answers for one cell, or a difference that is no factor."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.errors import UserError
from paribus.study.confounds import UNCOMPARED, find_confounds, is_covered, is_derived
from paribus.study.expansion import written
from paribus.study.keys import flat, is_below
from paribus.study.levels import canonical
from paribus.study.matching import NoLevel, Placer, cell_key
from paribus.study.records import RunRecord
from paribus.study.structure import Study

SHOWN = 4
ABSENT = "(absent)"

Leaves = Mapping[str, Any]


def refuse_mixing(study: Study, folder: Path, planned: Mapping[str, RunRecord], there: Sequence[RunRecord]) -> None:
    """Refuse jobs whose records would stand beside earlier ones that the study cannot tell from them.

    Args:
        study: what the folder will be about.
        folder: where the records lie.
        planned: what the jobs will record, by the job's name.
        there: the records of the folder that are of no planned job.

    Raises:
        UserError: names the keys that differ, their values and runs, and the ways out.
    """
    names = {record.key: f"job {record.key} ({name})" for name, record in planned.items()}
    names |= {record.key: f"run {record.key}" for record in there}
    placed, twins = _placed(study, [*planned.values(), *there])
    leaves = {record.key: flat(record.config) for record in placed}
    if twins:
        involved = {record.key: leaves[record.key] for pair in twins for record in pair}
        keys = list(dict.fromkeys(key for one, other in twins for key in differing(leaves[one.key], leaves[other.key])))
    else:
        involved = leaves
        every = list(leaves.values())
        keys = [each.key for each in find_confounds(study, every) if not is_derived(study, each.key, every)]
    if not keys and not twins:
        return
    lines = [f"{folder} has runs that cannot stand in one study with these jobs, so nothing is run. They differ in"]
    for key in keys[:SHOWN]:
        values: dict[str, list[str]] = {}
        for run, config in involved.items():
            values.setdefault(written(config[key]) if key in config else ABSENT, []).append(names[run])
        lines += [f"  {key}={value} in {len(runs)}, such as {runs[0]}" for value, runs in values.items()]
    lines += [f"  and {len(keys) - SHOWN} more: {', '.join(keys[SHOWN:])}"] if len(keys) > SHOWN else []
    old = [record for record in placed if record in there and (not twins or record.key in involved)]
    raise UserError("\n".join([*lines, *ways_out(study, folder, keys, [leaves[each.key] for each in placed], old)]))


def ways_out(
    study: Study, folder: Path | None, keys: Sequence[str], configs: Sequence[Leaves], old: Sequence[RunRecord]
) -> list[str]:
    """How to keep runs apart that differ in `keys`, or to compare them on purpose.

    folder: where they are to lie with others; None where they lie there already. old: those that are to go.
    """
    own = f": name={folder.name}_2" if folder else ""
    shown = ", ".join(each.key for each in old[:SHOWN]) + (f" and {len(old) - SHOWN} more" if len(old) > SHOWN else "")
    apart = f"  move those of one kind out of {folder or 'the folder'}: {shown}"
    lines = (
        ["Either", f"  run one kind in a folder of its own{own}", f"  or{apart[1:]}"] if folder else ["Either", apart]
    )
    free = [key for key in keys if not is_covered(study, key)]
    if free:
        levels = list(dict.fromkeys(written(each[free[0]]) for each in configs if free[0] in each))
        lines.append(f"  or compare them on purpose: {free[0]}={','.join(levels)}, or the same under study.factors")
    elif keys:
        lines.append(f"  or compare them on purpose: as two levels of a bundle under study.factors that set {keys[0]}")
    return lines


def differing(one: Leaves, other: Leaves) -> list[str]:
    """The keys whose values differ between two configs, without those that may."""
    keys = dict.fromkeys([*one, *other])
    return [
        key
        for key in keys
        if not is_below(key, UNCOMPARED)
        and ((key in one) != (key in other) or canonical(one[key]) != canonical(other[key]))
    ]


def _placed(study: Study, records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[tuple[RunRecord, RunRecord]]]:
    """The records that belong to a cell, and the pairs of them that answer for one cell and replicate."""
    placer = Placer(study)
    owners: dict[tuple[object, ...], RunRecord] = {}
    placed, twins = [], []
    for record in records:
        try:
            cell, replicate = placer.place(record)
        except NoLevel:
            continue
        placed.append(record)
        owner = owners.setdefault((*cell_key(cell), canonical(replicate)), record)
        if owner is not record:
            twins.append((owner, record))
    return placed, twins
