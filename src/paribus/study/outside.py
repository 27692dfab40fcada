"""Results made elsewhere, as a table in a CSV file: a column for each factor, for the replicate and for each metric."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from paribus.errors import UserError, nearest
from paribus.study.comparison import Comparison, Result, Stranger
from paribus.study.factors import Factor, Metric
from paribus.study.levels import Level, canonical, label
from paribus.study.matching import cell_key, known_levels
from paribus.study.parsing import ad_hoc_study
from paribus.study.structure import Study

STATUSES = ("finished", "failed", "diverged", "interrupted", "running")


def results_from_csv(path: Path, study: Study) -> Comparison:
    """Place the rows of `path` in the cells of `study`.

    There is a column for each factor with its levels, and one for the replicate. Columns of within-run factors may
    be empty where a row has none; an empty metric is missing, `nan` and `inf` are outcomes. If there is a column
    `status`, it says how the run ended. Columns that `study` does not name are not read.

    Raises:
        UserError: a column is missing, a metric is no number, or two rows answer for one cell.
    """
    header, rows = read_table(path)
    factors = [factor.name for factor in study.factors]
    for name in (*factors, study.replicate.key):
        _needs(path, header, name)
    metrics = [metric.name for metric in study.metrics if metric.name in header]
    if not metrics:
        _needs(path, header, study.metrics[0].name)
    within = [factor for factor in study.within if factor.name in header]
    known = {factor.name: known_levels(factor.levels) for factor in study.factors}
    known[study.replicate.key] = known_levels(study.replicate.levels)
    cells = {cell_key(cell) for cell in study.cells()}
    results: list[Result] = []
    strangers: list[Stranger] = []
    taken: dict[object, int] = {}
    for number, row in enumerate(rows, start=2):
        key = row.get("key") or f"line {number}"
        unknown = [f"{name} is {row[name]!r}" for name in known if canonical(row[name]) not in known[name]]
        inner = _inner_levels(row, within)
        if unknown or inner is None:
            strangers.append(
                Stranger(key, f"line {number}: {', '.join(unknown) or 'a within-run level'}: no such level")
            )
            continue
        levels = {name: known[name][canonical(row[name])] for name in factors}
        if cell_key(levels) not in cells:
            strangers.append(Stranger(key, f"line {number}: the study excludes this cell"))
            continue
        replicate = known[study.replicate.key][canonical(row[study.replicate.key])]
        place = (cell_key(levels), canonical(replicate), canonical(inner))
        if taken.setdefault(place, number) != number:
            raise UserError(f"{path}: lines {taken[place]} and {number} answer for one cell and {study.replicate.key}")
        numbers = {name: _number(path, number, name, row[name]) for name in metrics if row[name]}
        results.append(Result({**levels, **inner}, replicate, numbers, _status(path, number, row), key))
    return Comparison(study, results, strangers)


def study_of_csv(
    path: Path, factors: Sequence[str], replicate: str, metrics: Iterable[Metric], within: Sequence[str] = ()
) -> Study:
    """A study without claims whose factors are columns of `path`, with the levels found there in order."""
    header, rows = read_table(path)
    for name in (*factors, *within, replicate):
        _needs(path, header, name)

    def levels(name: str) -> list[Level]:
        return list(known_levels(tuple(_level(row[name]) for row in rows if row[name])).values())

    return ad_hoc_study(
        factors={name: levels(name) for name in factors},
        replicate={replicate: levels(replicate)},
        metrics=metrics,
        within={name: levels(name) for name in within},
    )


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The header and the rows of a CSV file, as text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="", skipinitialspace=True)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no table of comma-separated values: {error}") from None
    if not rows:
        raise UserError(f"{path} has no rows; expected a header and a row for each result")
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise UserError(f"{path}: line {number} has more entries than the header has columns ({len(header)})")
    return header, [{name: text.strip() for name, text in row.items()} for row in rows]


def _needs(path: Path, header: Sequence[str], name: str) -> None:
    if name not in header:
        raise UserError(f"{path} has no column {name!r}; it has {', '.join(header)}.{nearest(name, header)}")


def _inner_levels(row: Mapping[str, str], within: Sequence[Factor]) -> dict[str, Level] | None:
    """The within-run levels of a row; None if it has one that is not to be shown."""
    inner: dict[str, Level] = {}
    for factor in within:
        text, known = row[factor.name], known_levels(factor.levels)
        if text:
            if canonical(text) not in known:
                return None
            inner[factor.name] = known[canonical(text)]
    return inner


def _level(text: str) -> Level:
    """A number where `text` is one."""
    number = canonical(text)
    if not isinstance(number, float):
        return text
    return int(number) if number.is_integer() else number


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{path}: line {line} has {text!r} for {name}; expected a number or nothing") from None


def _status(path: Path, line: int, row: Mapping[str, str]) -> str:
    status = row.get("status") or "finished"
    if status not in STATUSES:
        raise UserError(
            f"{path}: line {line} has the status {label(status)!r}; expected {', '.join(STATUSES)}."
            f"{nearest(status, STATUSES)}"
        )
    return status
