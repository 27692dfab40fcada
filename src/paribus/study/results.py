"""Records placed in the cells of a study. Plain Python."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from paribus.errors import UserError
from paribus.study.keys import flat
from paribus.study.levels import Cell, Level, canonical, label
from paribus.study.matching import ABSENT, NoLevel, Placer, cell_key, known_levels
from paribus.study.mixing import differing, ways_out
from paribus.study.records import RunRecord
from paribus.study.structure import Study


@dataclass(frozen=True)
class Result:
    """One row of a record, placed in the study.

    Attributes:
        levels: a level for each factor, and for those within-run factors that the row speaks of.
        replicate: the level of the study's replicate.
        metrics: as measured; empty where the run failed.
        status: how the run ended, as its record says.
        key: the record's train key.
        failure: what stopped the run, in a line; empty if it finished.
    """

    levels: Cell
    replicate: Level
    metrics: Mapping[str, float]
    status: str
    key: str
    pairing: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    replication: str = "fresh"
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Stranger:
    """A record, or a row of one, that belongs to no cell of the study, and why."""

    key: str
    reason: str


def placed(study: Study, records: Iterable[RunRecord]) -> tuple[list[Result], list[Stranger]]:
    """The rows of `records` as results of `study`, and what belongs to no cell of it.

    Raises:
        UserError: two records answer for one cell and replicate.
    """
    placer = Placer(study)
    within = {factor.name: known_levels(factor.levels) for factor in study.within}
    owners: dict[tuple[object, ...], RunRecord] = {}
    twins: list[tuple[RunRecord, RunRecord, Cell]] = []
    results: list[Result] = []
    strangers: list[Stranger] = []
    for record in records:
        try:
            cell, replicate = placer.place(record)
        except NoLevel as why:
            strangers.append(Stranger(record.key, str(why)))
            continue
        owner = owners.setdefault((*cell_key(cell), canonical(replicate)), record)
        if owner is not record:
            twins.append((owner, record, {**cell, study.replicate.key: replicate}))
            continue
        results.extend(_results(record, cell, replicate, within, strangers))
    if twins:
        raise UserError(_twins(study, twins))
    return results, strangers


def _results(
    record: RunRecord,
    cell: Cell,
    replicate: Level,
    within: Mapping[str, Mapping[object, Level]],
    strangers: list[Stranger],
) -> Iterator[Result]:
    """The rows of `record` that the study shows; one without metrics where there are no rows."""
    failure = record.failure
    bare = Result(
        levels=cell,
        replicate=replicate,
        metrics={},
        status=record.status,
        key=record.key,
        pairing=record.pairing,
        sizes=record.sizes,
        replication=record.replication,
        seconds=record.seconds,
        failure=f"{failure.kind}: {failure.message}".strip(": ") if failure else "",
    )
    shown = 0
    for row in record.rows:
        unknown = [name for name in row.levels if name not in within]
        if unknown:
            names = ", ".join(unknown)
            strangers.append(Stranger(record.key, f"a row has a level of {names}, not declared under study.within"))
            continue
        levels = {name: within[name].get(canonical(level), ABSENT) for name, level in row.levels.items()}
        if ABSENT not in levels.values():
            shown += 1
            yield replace(bare, levels={**cell, **levels}, metrics=dict(row.metrics))  # type: ignore[dict-item]
    if not shown:
        yield bare


def _twins(study: Study, twins: Sequence[tuple[RunRecord, RunRecord, Cell]]) -> str:
    """Which records answer for one cell, in what they differ, and what to do about it."""
    told = []
    for one, other, cell in twins[:3]:
        left, right = flat(one.config), flat(other.config)
        keys = differing(left, right)[:3]
        values = ", ".join(f"{key} ({left.get(key, 'absent')} and {right.get(key, 'absent')})" for key in keys)
        how = f"they differ in {values}" if keys else "their configs are alike"
        told.append(f"{one.key} and {other.key} are both {place_name(cell)}; {how}")
    more = f"; and {len(twins) - 3} more" if len(twins) > 3 else ""
    one, other, _ = twins[0]
    configs = [flat(one.config), flat(other.config)]
    old = [record for _, record, _ in twins]
    out = "\n".join(ways_out(study, None, differing(*configs), configs, old))
    return f"Two records answer for one cell: {'; '.join(told)}{more}\n{out}"


def place_name(cell: Cell) -> str:
    """`objective=huber, seed=3`."""
    return ", ".join(f"{name}={label(level)}" for name, level in cell.items()) or "the study's only cell"
