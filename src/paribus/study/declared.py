"""Reading a declaration of plain dicts and lists: each check says what was given, where, and what is expected."""

import math
from collections.abc import Mapping, Sequence

from paribus.errors import UserError, nearest
from paribus.study.levels import Level, Setting, canonical, label


def mapping_of(value: object, place: str, example: str) -> Mapping[str, object]:
    """`value` as a mapping with text for keys."""
    if not isinstance(value, Mapping):
        raise UserError(f"{place} is {shown(value)}; expected a mapping, e.g. {example}")
    return {str(label(key)): part for key, part in value.items()}


def keys_of(value: Mapping[str, object], place: str, required: Sequence[str], optional: Sequence[str] = ()) -> None:
    """Refuse keys of `value` that nothing reads, and the lack of one that is needed."""
    known = (*required, *optional)
    for key in value:
        if key not in known:
            raise UserError(f"{place} has no key {key!r}; it has {', '.join(known)}.{nearest(key, known)}")
    for key in required:
        if value.get(key) is None:
            raise UserError(f"{place} lacks {key!r}; expected {', '.join(required)}")


def list_of(value: object, place: str, example: str) -> tuple[object, ...]:
    """`value` as a list that is not empty."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f"{place} is {shown(value)}; expected a list, e.g. {example}")
    if not value:
        raise UserError(f"{place} is an empty list; expected at least one entry, e.g. {example}")
    return tuple(value)


def text_of(value: object, place: str) -> str:
    """`value` as text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{place} is {shown(value)}; expected text")
    return value


def number_of(value: object, place: str) -> float:
    """`value` as a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{place} is {shown(value)}; expected a finite number")
    return float(value)


def one_of(value: object, place: str, options: Sequence[str]) -> str:
    """`value` as one of a few words."""
    if value not in options:
        hint = nearest(value, options) if isinstance(value, str) else ""
        raise UserError(f"{place} is {shown(value)}; expected {' or '.join(options)}.{hint}")
    return str(value)


def level_of(value: object, place: str) -> Level:
    """`value` as a level: text, a number, true, false or null."""
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise UserError(
        f"{place} has the level {shown(value)}; a level is text, a finite number, true, false or null. "
        f"Give a list or a mapping a name by a bundle: {{my_factor: {{my_level: {{some.key: ...}}}}}}"
    )


def levels_of(value: object, place: str, example: str) -> tuple[Level, ...]:
    """`value` as a list of different levels."""
    levels = tuple(level_of(level, place) for level in list_of(value, place, example))
    refuse_twins(levels, place)
    return levels


def refuse_twins(levels: Sequence[Level], place: str) -> None:
    """Refuse two levels that mean the same."""
    seen: dict[object, Level] = {}
    for level in levels:
        if (twin := canonical(level)) in seen:
            raise UserError(f"{place} has the level {label(level)!r} twice (as {seen[twin]!r} and {level!r})")
        seen[twin] = level


def setting_of(value: object, place: str) -> Setting:
    """`value` as something that a bundle's level may set: a level or a list of them."""
    if isinstance(value, Mapping):
        raise UserError(f"{place} is {shown(value)}; write nested keys with dots, e.g. data.noise: 0.1")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(setting_of(part, place) for part in value)
    return level_of(value, place)


def shown(value: object) -> str:
    """`value` and its type, shortened."""
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
