"""`paribus compare`: paired comparisons over any folders of records, or over a CSV of results made elsewhere."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from paribus.errors import UserError
from paribus.study.comparison import Comparison, compare
from paribus.study.confounds import check_records
from paribus.study.findings import Finding
from paribus.study.inference import inferred_study
from paribus.study.levels import describe
from paribus.study.outside import results_from_csv, study_of_csv
from paribus.study.records import RunRecord, UnreadableRecord, read_records
from paribus.study.structure import Direction, Factor, Metric, Scale, Study
from paribus.study.telling import estimate_text
from paribus.study.verdicts import pairwise

FOLDER = "folder"
"""The factor that tells folders apart which hold runs of the same configs."""


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
    for metric in chosen:
        findings = pairwise(study, comparison, metric.name, study.factors[0].name)
        if any(finding.n for finding in findings):
            print(f"\n{metric_text(metric)}\n" + "\n".join(line(finding, study.factors[0]) for finding in findings))
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
    found = [(path, record) for path in paths for record in read_records(path)]
    for unreadable in (each for _, each in found if isinstance(each, UnreadableRecord)):
        print(f"left out: {unreadable}", file=sys.stderr)
    placed = [(path, record) for path, record in found if isinstance(record, RunRecord)]
    if not placed:
        raise UserError(f"there are no records below {', '.join(map(str, paths))}")
    records = [record for _, record in placed]
    if len({record.key for record in records}) < len(
        records
    ):  # one study, run more than once: before and after a change
        records = [replace(record, choices={**record.choices, FOLDER: str(path)}) for path, record in placed]
        factors = [*factors, FOLDER]
    study, _ = inferred_study(records)
    for name in factors:
        study.factor(name, "--factor")
    first = sorted(study.factors, key=lambda each: (*factors, each.name).index(each.name))
    study = Study(study.question, tuple(first), study.replicate, study.metrics, study.within)
    check_records(study, records)
    return compare(study, records)


def describe_design(comparison: Comparison) -> str:
    """What is compared, in a line."""
    study = comparison.study
    parts = [f"{factor.name} ({', '.join(map(factor.label, factor.levels))})" for factor in study.factors]
    return f"{len(comparison.results)} results; {' x '.join(parts)}; paired by {study.replicate.key}"


def metric_text(metric: Metric) -> str:
    """`mae, lower is better, as a ratio`."""
    way = {"minimise": ", lower is better", "maximise": ", higher is better", "neither": ""}[metric.direction]
    return f"{metric.name}{way}, {'as a ratio' if metric.scale == 'log' else 'as a difference'}"


def line(finding: Finding, factor: Factor) -> str:
    """A comparison with its interval, n, and what pairing was worth."""
    cell = {name: levels for name, levels in finding.pairs.first.items() if name != factor.name}
    shared = f"; shared {', '.join(finding.pairs.shared)}" if finding.pairs.shared else ""
    narrowing = finding.pairs.narrowing
    worth = f"; pairing made it {1 / narrowing:.1f} x narrower" if narrowing and 1e-6 < narrowing < 1 else ""
    note = f"; {finding.note}" if finding.note else ""
    place = f"  [{describe(cell)}]" if cell else ""
    return f"  {estimate_text(finding)} at {100 * finding.level:.4g} %, n = {finding.n}{note}{shared}{worth}{place}"
