"""Reading the levels of a study's factors from a record, which carries no labels of its own. Plain Python."""

from collections.abc import Mapping
from typing import Any

from paribus.study.factors import Factor
from paribus.study.levels import Level, canonical, describe, label
from paribus.study.records import RunRecord
from paribus.study.structure import Study

ABSENT = object()
"""What a record says of a config key that it does not have."""


class NoLevel(Exception):
    """A record belongs to no cell of the study; the message says why."""


class Placer:
    """Finds the cell and the replicate that a record belongs to."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.plain = [(each, known_levels(each.levels)) for each in study.factors if not each.settings]
        self.bundles = [each for each in study.factors if each.settings]
        self.replicates = known_levels(study.replicate.levels)
        self.cells = {cell_key(cell) for cell in study.cells()}

    def place(self, record: RunRecord) -> tuple[dict[str, Level], Level]:
        """The levels of `record`, in the study's order of factors, and its replicate; NoLevel if it has none."""
        found: dict[str, Level] = {}
        for factor, known in self.plain:
            found[factor.name] = one_of_known(factor.name, value_of(record, factor.name), known)
        for factor in self.bundles:
            found[factor.name] = bundle_level(factor, record)
        levels = {factor.name: found[factor.name] for factor in self.study.factors}
        if cell_key(levels) not in self.cells:
            described = describe({name: (level,) for name, level in levels.items()})
            raise NoLevel(f"the study excludes {described}")
        key = self.study.replicate.key
        value = value_of(record, key)
        if value is ABSENT and key == "seed":
            value = record.seed
        return levels, one_of_known(key, value, self.replicates)


def known_levels(levels: tuple[Level, ...]) -> dict[object, Level]:
    """Levels by their canonical form."""
    return {canonical(level): level for level in levels}


def cell_key(cell: Mapping[str, Level]) -> tuple[object, ...]:
    """What is equal for cells with the same levels in the same order."""
    return tuple(canonical(level) for level in cell.values())


def value_of(record: RunRecord, key: str) -> object:
    """The option chosen of the config group `key`, else the config's value there, else `ABSENT`."""
    if key in record.choices:
        return record.choices[key]
    return config_value(record.config, key)


def config_value(config: Mapping[str, Any], key: str) -> object:
    """The value at a dotted key of nested mappings."""
    node: Any = config
    for part in key.split("@")[-1].replace("/", ".").split("."):
        if not isinstance(node, Mapping) or part not in node:
            return ABSENT
        node = node[part]
    return node


def one_of_known(name: str, value: object, known: Mapping[object, Level]) -> Level:
    """The declared level that `value` is."""
    if value is ABSENT:
        raise NoLevel(f"it has no {name}")
    # A node for which no option was chosen, but whose keys were set one by one.
    option = None if isinstance(value, Mapping) else value
    try:
        return known[canonical(option)]
    except KeyError:
        levels = ", ".join(label(level) for level in list(known.values())[:8])
        what = f"no option but a {value.get('_target_', 'node')}" if isinstance(value, Mapping) else repr(value)
        raise NoLevel(f"its {name} is {what}, which is not among {levels}") from None


def bundle_level(factor: Factor, record: RunRecord) -> Level:
    """The level of a bundle all of whose settings `record` has; of several the one that sets the most."""
    fitting = [
        (len(settings), level)
        for level, settings in zip(factor.levels, factor.settings, strict=True)
        if all(canonical(value_of(record, key)) == canonical(value) for key, value in settings.items())
    ]
    most = max((count for count, _ in fitting), default=0)
    best = [level for count, level in fitting if count == most]
    if len(best) == 1:
        return best[0]
    if best:
        raise NoLevel(f"it fits several levels of {factor.name}: {', '.join(map(label, best))}")
    settings = ", ".join(f"{key}={shown_value(record, key)}" for key in factor.keys)
    raise NoLevel(f"it fits no level of {factor.name}: it has {settings}")


def shown_value(record: RunRecord, key: str) -> str:
    """The value at `key` as a message shows it."""
    value = value_of(record, key)
    return "nothing" if value is ABSENT else repr(value)
