"""Confounds: whatever differs between the arms of a study besides what the study varies on purpose."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.errors import UserError
from paribus.study.expansion import written
from paribus.study.keys import NOT_TRAINING, flat, is_below
from paribus.study.levels import canonical
from paribus.study.records import RunRecord
from paribus.study.structure import Study

UNCOMPARED = frozenset(NOT_TRAINING) - {"evaluation"}
"""Keys that may differ. An evaluation may not: arms are to be measured in the same way."""
SHOWN = 4
_ABSENT = object()


@dataclass(frozen=True)
class Confound:
    """A key of the config that differs and is covered neither by a factor nor by the replicate.

    Attributes:
        key: the dotted key.
        values: each value as it is written, and the positions of the configs that have it.
    """

    key: str
    values: Mapping[str, Sequence[int]]


def refuse_confounds(study: Study, names: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse jobs that differ in more than the study's factors and replicate.

    Args:
        study: what varies on purpose. A factor covers its subtree, a bundle that of each of its keys.
        names: of the jobs, for the message.
        configs: of the jobs, unresolved: what is merely derived from a factor does not differ there.

    Raises:
        UserError: names the keys, their values and jobs, and how to declare them.
    """
    confounds = find_confounds(study, [flat(config) for config in configs])
    if confounds:
        raise UserError(_message(study, confounds, [f"job ({name})" for name in names]))


def check_records(study: Study, records: Sequence[RunRecord]) -> None:
    """The same for runs that were recorded, whoever made them.

    Their configs are resolved, so a leaf may differ because it was derived from a factor, `width: ${data.features}`. It
    is taken as derived when it equals, in every record, one and the same leaf that the study covers.

    Raises:
        UserError: as above; or a file that data was read from was not the same for all.
    """
    if changed := changed_data(records):
        advice = "The same command with rerun=changed runs again what is not of the version there is now."
        raise UserError(f"not everything else is equal. {' '.join(changed)} {advice}")
    leaves = [flat(record.config) for record in records]
    confounds = [each for each in find_confounds(study, leaves) if not is_derived(study, each.key, leaves)]
    if confounds:
        raise UserError(_message(study, confounds, [f"run {record.key}" for record in records]))


def changed_data(records: Collection[RunRecord]) -> list[str]:
    """A sentence on each file that data was read from and that was not the same for all."""
    contents: dict[str, dict[object, list[str]]] = {}
    for record in records:
        for path, content in record.provenance.get("files", {}).items():
            contents.setdefault(path, {}).setdefault(tuple(content), []).append(record.key)
    told = []
    for path, versions in contents.items():
        if len(versions) > 1:
            shown = ", ".join(f"{len(keys)} read one such as run {keys[0]}" for keys in versions.values())
            told.append(f"{path} has changed between these runs, which read {len(versions)} versions of it: {shown}.")
    return told


def find_confounds(study: Study, leaves: Sequence[Mapping[str, Any]]) -> list[Confound]:
    """The confounds among configs that are given as leaves by dotted key."""
    confounds = []
    for key in _differing(leaves):
        if is_below(key, UNCOMPARED) or is_covered(study, key):
            continue
        values: dict[str, list[int]] = {}
        for position, each in enumerate(leaves):
            values.setdefault(written(each[key]) if key in each else "(absent)", []).append(position)
        confounds.append(Confound(key, values))
    return confounds


def _differing(leaves: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ, in the order of the configs."""
    first = leaves[0] if leaves else {}
    differing: dict[str, None] = {}
    for each in leaves:
        for key in first.keys() - each.keys():
            differing[key] = None
        for key, value in each.items():
            other = first.get(key, _ABSENT)
            if value is other or (type(value) is type(other) and value == other):
                continue
            # 1 and 1.0, or two NaN, differ to Python and mean the same.
            if other is _ABSENT or canonical(value) != canonical(other):
                differing[key] = None
    return list(differing)


def is_covered(study: Study, key: str) -> bool:
    """Whether the replicate or a factor of the study sets a dotted key, or one above it."""
    return is_below(key, (study.replicate.key,)) or any(factor.covers(key) for factor in study.factors)


def is_derived(study: Study, key: str, leaves: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key equals, in every one of the resolved configs, one and the same leaf that the study covers."""
    own = [canonical(each.get(key, _ABSENT)) for each in leaves]
    sources = (other for other in leaves[0] if is_covered(study, other))
    return any(own == [canonical(each.get(source, _ABSENT)) for each in leaves] for source in sources)


def _message(study: Study, confounds: Sequence[Confound], names: Sequence[str]) -> str:
    lines = [
        "not everything else is equal. These differ, and are neither a factor of the study nor its replicate:",
        *(line for each in confounds[:SHOWN] for line in _described(each, names)),
    ]
    if len(confounds) > SHOWN:
        lines.append(f"  and {len(confounds) - SHOWN} more: {', '.join(each.key for each in confounds[SHOWN:])}")
    first = confounds[0]
    levels = [value for value in first.values if value != "(absent)"]
    lines += [
        f"If it is not meant, set it for all: {first.key}={levels[0]}",
        f"If it is, declare it under study.factors, as {first.key}: [{', '.join(levels)}]",
        "or, where it goes together with a factor, as a bundle that sets both at each level:",
        f"  method: {{a: {_example(study, first.key, levels[0])}, b: ...}}",
    ]
    return "\n".join(lines)


def _described(confound: Confound, names: Sequence[str]) -> list[str]:
    return [
        f"  {confound.key}={value} in {len(positions)} of {len(names)}, such as {names[positions[0]]}"
        for value, positions in confound.values.items()
    ]


def _example(study: Study, key: str, value: str) -> str:
    settings = study.factors[0].sets(study.factors[0].levels[0]) if study.factors else {}
    return "{" + ", ".join([*(f"{name}: {written(each)}" for name, each in settings.items()), f"{key}: {value}"]) + "}"
