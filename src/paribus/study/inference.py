"""A study for records that came without one: whatever differs between their configs is taken for a factor."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from paribus.study.confounds import UNCOMPARED, changed_data
from paribus.study.factors import Metric
from paribus.study.keys import flat, is_below
from paribus.study.levels import Level, canonical, label
from paribus.study.parsing import ad_hoc_study
from paribus.study.records import RunRecord
from paribus.study.structure import Study

REPLICATE = "seed"
MOST_LEVELS = 50
"""A key with more values than this is more likely a measurement or a path than a factor."""


def inferred_study(records: Collection[RunRecord]) -> tuple[Study, tuple[str, ...]]:
    """The study whose factors are the differing choices and config keys, and notes on what was left out.

    A key whose value follows from a factor's is left out, since no record tells the two apart; so a differing choice
    stands for the keys below it that differ with it.
    """
    records = list(records)
    settings = [settings_of(record) for record in records]
    levels = {
        key: distinct(setting.get(key) for setting in settings) for key in sorted({k for s in settings for k in s})
    }
    groups = {key for record in records for key in record.choices}
    varied = {key: values for key, values in levels.items() if len(values) > 1 and key != REPLICATE}
    notes = changed_data(records)
    kept: list[str] = []
    for key in sorted(varied, key=lambda key: (key not in groups, key)):
        if len(varied[key]) > MOST_LEVELS:
            notes.append(f"{key} takes {len(varied[key])} values and was not taken for a factor.")
            continue
        twin = next((other for other in kept if follows(settings, key, other)), None)
        if twin is None:
            coarser = [other for other in kept if follows(settings, other, key)]
            notes += [
                f"{other} follows from {key} in these records; {key} is taken for the factor." for other in coarser
            ]
            kept = [other for other in kept if other not in coarser] + [key]
        elif not any(key.startswith(f"{group}.") for group in groups & set(varied)):
            notes.append(f"{key} varies with {twin}: these records do not tell the two apart.")
    study = ad_hoc_study(
        factors={key: varied[key] for key in sorted(kept, key=lambda key: len(unpaired(records, settings, kept, key)))},
        replicate={REPLICATE: sorted({record.seed for record in records}) or [0]},
        metrics=inferred_metrics(records),
        within=within_levels(records),
        question="",
    )
    return study, tuple(notes)


def settings_of(record: RunRecord) -> dict[str, Level]:
    """The record's choices, and the values of its config that a comparison may turn on, by dotted key."""
    leaves = {key: value for key, value in flat(record.config).items() if not is_below(key, UNCOMPARED)}
    choices = {group: choice for group, choice in record.choices.items() if group not in {"experiment", *UNCOMPARED}}
    return {**{key: as_level(value) for key, value in leaves.items()}, **choices}


def as_level(value: Any) -> Level:
    """A value of a config as one level; lists and mappings as their text."""
    return label(tuple(value)) if isinstance(value, list) else str(value) if isinstance(value, Mapping) else value


def distinct(values: Iterable[Level]) -> list[Level]:
    """Each value once, in a natural order: numbers by size, then texts."""
    unique = {canonical(value): value for value in values}
    return sorted(unique.values(), key=lambda value: (isinstance(value, str), value is None, sort_key(value)))


def sort_key(value: Level) -> tuple[float, str]:
    """Numbers by size, anything else by its text."""
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def follows(settings: list[dict[str, Level]], key: str, other: str) -> bool:
    """Whether the value of `key` is the same wherever the value of `other` is."""
    seen: dict[object, object] = {}
    return all(
        seen.setdefault(canonical(setting.get(other)), canonical(setting.get(key))) == canonical(setting.get(key))
        for setting in settings
    )


def unpaired(
    records: Collection[RunRecord], settings: Sequence[Mapping[str, Level]], factors: Sequence[str], factor: str
) -> set[str]:
    """What runs that differ in `factor` alone do not share: an arm changes less than another data set does."""
    seen: dict[object, str] = {}
    changed = set()
    for record, setting in zip(records, settings, strict=True):
        others = tuple(canonical(setting.get(other)) for other in factors if other != factor)
        for name, digest in record.pairing.items():
            if seen.setdefault((name, record.seed, others), digest) != digest:
                changed.add(name)
    return changed


def inferred_metrics(records: Collection[RunRecord]) -> list[Metric]:
    """Every number that any row measured; which way is better is known where the evaluator said so."""
    names = dict.fromkeys(
        name
        for record in records
        for row in record.rows
        for name, value in row.metrics.items()
        if not math.isnan(value)
    )
    known = {measure["name"]: measure for record in records for measure in record.measures}
    return [Metric(**known[name]) if name in known else Metric(name, "neither") for name in names]  # type: ignore[arg-type]


def within_levels(records: Collection[RunRecord]) -> dict[str, list[Level]]:
    """The within-run factors that rows speak of, and their levels."""
    names = dict.fromkeys(name for record in records for row in record.rows for name in row.levels)
    return {
        name: distinct(row.levels[name] for record in records for row in record.rows if name in row.levels)
        for name in names
    }
