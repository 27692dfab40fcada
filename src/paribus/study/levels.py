"""Levels of factors, and conditions on them. Plain Python: `paribus plan` imports it."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

Level = str | float | int | bool | None
"""One value that a factor can take, as it is written in YAML."""

Setting = Level | tuple["Setting", ...]
"""One value of the config: a level, or a list of them such as an optimizer's betas."""

Cell = Mapping[str, Level]
"""A level for each of some factors."""

Condition = Mapping[str, tuple[Level, ...]]
"""Factors, and for each the levels that are meant: any of them will do."""

ANYWHERE: Condition = MappingProxyType({})


def canonical(value: object) -> object:
    """A hashable stand-in that is equal for values that mean the same: 0.1, "0.10" and 1e-1; true and "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return tuple(canonical(part) for part in value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), canonical(part)) for key, part in value.items()))
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return str(value)
    return number if math.isfinite(number) else str(value)


def matches(cell: Cell, condition: Condition) -> bool:
    """Whether each factor of `condition` has one of its levels in `cell`; a factor that `cell` lacks does not match."""
    return all(
        name in cell and canonical(cell[name]) in [canonical(level) for level in levels]
        for name, levels in condition.items()
    )


def label(value: Setting) -> str:
    """A level as it is written in tables and on the command line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, tuple | list):
        return "[" + ",".join(label(part) for part in value) + "]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def describe(condition: Condition) -> str:
    """`"objective=huber, data.contamination.fraction=0.1 or 0.2"`."""
    return ", ".join(f"{name}={' or '.join(map(label, levels))}" for name, levels in condition.items())


def joined(conditions: Iterable[Condition]) -> Condition:
    """All of `conditions` at once; they speak of different factors."""
    return {name: levels for condition in conditions for name, levels in condition.items()}
