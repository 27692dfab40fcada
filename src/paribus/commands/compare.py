"""`paribus compare`: paired comparisons over any folders of records, or over a CSV of results made elsewhere."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from paribus.errors import UserError
from paribus.study.comparison import Comparison, Pairs, compare
from paribus.study.confounds import find_confounds, is_derived
from paribus.study.factors import Direction, Factor, Metric, Scale
from paribus.study.findings import Finding
from paribus.study.inference import inferred_study
from paribus.study.keys import flat
from paribus.study.levels import describe
from paribus.study.numbers import percent
from paribus.study.outside import results_from_csv, study_of_csv
from paribus.study.records import RECORD_FILE, RunRecord, UnreadableRecord, read_records
from paribus.study.structure import Study
from paribus.study.telling import estimate_text, missing_text
from paribus.study.verdicts import pairwise

FOLDER = "folder"
"""The factor that tells folders apart which hold runs of the same configs."""
SHOWN = 3
NOTHING = 1e-6
"""A paired interval narrower than this, relative to an unpaired one, is rounding."""


def compare_paths(paths: Sequence[Path], factors: Sequence[str], metrics: Sequence[str], replicate: str) -> int:
    """Print each level of the first factor against the baseline, its first level, in every cell; the exit code.

    Args:
        paths: folders of records, read as one; or one CSV file.
        factors: names of the factors, the compared one first; of records, those not named follow.
        metrics: names of the metrics, of a CSV also `name:minimise:log`; all that the records measured where none is
            named.
        replicate: of a CSV, the column that pairs the rows.

    Raises:
        UserError: the paths hold nothing to compare, or are confounded.
    """
    wanted = [_metric(name) for name in metrics]
    if any(path.is_file() for path in paths):
        if len(paths) > 1:
            raise UserError(f"{', '.join(map(str, paths))}: expected folders of records, or one CSV file alone")
        comparison = _of_table(paths[0], factors, wanted, replicate)
    else:
        comparison = _of_records(paths, factors)
    study = comparison.study
    if not study.factors:
        raise UserError(f"the runs below {', '.join(map(str, paths))} differ in nothing but {study.replicate.key}")
    chosen = [study.metric(metric.name, "--metric") for metric in wanted] or list(study.metrics)
    print(describe_design(comparison))
    told = 0
    for metric in chosen:
        findings = pairwise(study, comparison, metric.name, study.factors[0].name)
        if findings and (wanted or any(finding.n for finding in findings)):
            told += 1
            print(f"\n{metric_text(metric)}\n" + "\n".join(line(finding, study.factors[0]) for finding in findings))
    if not told:
        print(f"\nno two arms have a {study.replicate.key} in common, so there is nothing to compare pair by pair")
    return 0


def _metric(text: str) -> Metric:
    """`mae`, `mae:minimise` or `mae:minimise:log`."""
    name, direction, scale, *more = [*text.split(":"), "", ""][: max(3, text.count(":") + 1)]
    directions, scales = get_args(Direction), get_args(Scale)
    if more or direction not in (*directions, "") or scale not in (*scales, ""):
        raise UserError(
            f"--metric {text}: expected NAME, or NAME:DIRECTION:SCALE with {' or '.join(directions)} and "
            f"{' or '.join(scales)}"
        )
    return Metric(name, cast(Direction, direction or "neither"), "", cast(Scale, scale or "linear"))


def _of_table(path: Path, factors: Sequence[str], metrics: Sequence[Metric], replicate: str) -> Comparison:
    if not factors or not metrics:
        raise UserError(
            f"{path}: name the columns to compare, e.g. paribus compare {path} --factor method --metric mae "
            f"--replicate {replicate}"
        )
    study = study_of_csv(path, factors, replicate, metrics)
    return results_from_csv(path, study)


def _of_records(paths: Sequence[Path], factors: Sequence[str]) -> Comparison:
    found = [
        (path if len(paths) > 1 else file.parent.parent, record)
        for path in paths
        for file in sorted(path.glob(f"**/{RECORD_FILE}"))
        for record in read_records(file.parent)
    ]
    for unreadable in (each for _, each in found if isinstance(each, UnreadableRecord)):
        print(f"left out: {unreadable}", file=sys.stderr)
    placed = [(place, record) for place, record in found if isinstance(record, RunRecord)]
    if not placed:
        raise UserError(f"there are no records below {', '.join(map(str, paths))}")
    records = [record for _, record in placed]
    if len({record.key for record in records}) < len(records):
        # One study, run more than once: before and after a change.
        records = [replace(record, choices={**record.choices, FOLDER: str(place)}) for place, record in placed]
        factors = [*factors, FOLDER]
    study, _ = inferred_study(records)
    for name in factors:
        study.factor(name, "--factor")
    first = sorted(study.factors, key=lambda each: (*factors, each.name).index(each.name))
    study = Study(study.question, tuple(first), study.replicate, study.metrics, study.within)
    _refuse_confounded(study, records, paths)
    return compare(study, records)


def _refuse_confounded(study: Study, records: Sequence[RunRecord], paths: Sequence[Path]) -> None:
    leaves = [flat(record.config) for record in records]
    confounds = [each for each in find_confounds(study, leaves) if not is_derived(study, each.key, leaves)]
    if not confounds:
        return
    told = [
        "  " + ", ".join(f"{each.key}={value} in {len(where)}" for value, where in each.values.items())
        for each in confounds[:SHOWN]
    ]
    if more := [each.key for each in confounds[SHOWN:]]:
        told.append(f"  and {', '.join(more)}")
    factors = " and ".join(factor.name for factor in study.factors)
    raise UserError(
        f"not everything else is equal among the {len(records)} runs below {', '.join(map(str, paths))}. These differ "
        f"too, in a way that cannot be told apart from {factors}:\n" + "\n".join(told) + "\n"
        "Compare the runs of one question: paribus run ... name=NAME keeps them in a folder of their own"
    )


def describe_design(comparison: Comparison) -> str:
    """What is compared, in a line, and what is left out, in another."""
    study = comparison.study
    parts = [f"{factor.name} ({', '.join(map(factor.label, factor.levels))})" for factor in study.factors]
    lines = [f"{len(comparison.results)} results; {' x '.join(parts)}; paired by {study.replicate.key}"]
    if comparison.strangers:
        reasons = "; ".join(stranger.reason for stranger in comparison.strangers[:SHOWN])
        more = ", ..." if len(comparison.strangers) > SHOWN else ""
        lines.append(f"left out, as they belong to no cell: {len(comparison.strangers)} ({reasons}{more})")
    return "\n".join(lines)


def metric_text(metric: Metric) -> str:
    """`mae in mpg, lower is better, as a ratio`."""
    way = {"minimise": ", lower is better", "maximise": ", higher is better", "neither": ""}[metric.direction]
    unit = f" in {metric.unit}" if metric.unit else ""
    return f"{metric.name}{unit}{way}, {'as a ratio' if metric.scale == 'log' else 'as a difference'}"


def line(finding: Finding, factor: Factor) -> str:
    """A comparison with its interval, n, what is missing or diverged, and what pairing was worth."""
    pairs = finding.pairs
    cell = {name: levels for name, levels in pairs.first.items() if name != factor.name}
    place = f"  [{describe(cell)}]" if cell else ""
    missing = missing_text(pairs)
    if not finding.n or finding.estimate is None:
        told = [f"{finding.name}: nothing to compare", finding.note, missing]
    else:
        bounds = ", no interval" if finding.low is None else ""
        told = [f"{estimate_text(finding)}{bounds} at {percent(finding.level)}, n = {finding.n}", finding.note]
        told += [_diverged(pairs), f"shared {', '.join(pairs.shared)}" if pairs.shared else "", _worth(pairs), missing]
    return f"  {'; '.join(each for each in told if each)}{place}"


def _diverged(pairs: Pairs) -> str:
    """`diverged: 2 of 5 against 0 of 5`."""
    runs = len(pairs.replicates) * pairs.cells
    first, second = pairs.diverged
    return f"diverged: {first} of {runs} against {second} of {runs}" if first or second else ""


def _worth(pairs: Pairs) -> str:
    """How the paired interval compares with an unpaired one of the same values."""
    narrowing = pairs.narrowing
    if narrowing is None:
        return ""
    if narrowing < NOTHING:
        return "pairing left no spread"
    if 0.995 < narrowing < 1.005:
        return "pairing left it as wide"
    way, ratio = ("narrower", 1 / narrowing) if narrowing < 1 else ("wider", narrowing)
    return f"pairing made it {ratio:.{1 if ratio >= 2 else 2}f} x {way}"
