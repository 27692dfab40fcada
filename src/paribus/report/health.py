"""What went wrong and what differs between records that should not: failures, strangers, mixed code, mixed machines."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paribus.errors import UserError
from paribus.report.collect import Collected
from paribus.report.summaries import count
from paribus.study.comparison import Result
from paribus.study.confounds import check_records
from paribus.study.levels import label
from paribus.study.narrowing import narrowings
from paribus.study.numbers import number
from paribus.study.records import RunRecord

MOST_FAILURES = 30


@dataclass(frozen=True)
class FailedRun:
    """A run that did not finish, as the page shows it."""

    status: str
    arm: str
    what: str
    trace: str
    command: str


@dataclass(frozen=True)
class Failures:
    """All of them in a sentence, and the first ones in detail."""

    text: str
    items: tuple[FailedRun, ...]
    note: str = ""


def failures(collected: Collected) -> Failures:
    """Which runs did not finish, what happened and how to run them again."""
    ends = Counter(record.status for record in collected.records.values())
    arms: dict[str, Result] = {result.key: result for result in reversed(collected.comparison.results)}
    ended = [record for record in collected.records.values() if record.status != "finished"]
    missing = sum(cell.not_run for cell in collected.comparison.counts()) if collected.declared else 0
    told = [(ends[status], status) for status in ("failed", "diverged", "interrupted")]
    told += [(ends["running"], "not ended"), (missing, "planned without a record")]
    parts = [f"{count(n, 'run')} {what}" for n, what in told if n]
    every = "Every run that was planned finished." if collected.declared else "Every run finished."
    text = "; ".join(parts) + "." if parts else every
    if ends["diverged"]:
        text += " A run that diverged counts as an outcome: the worst value in every comparison."
    return Failures(
        text=text,
        items=tuple(failed_run(record, arms.get(record.key), collected) for record in ended[:MOST_FAILURES]),
        note=f"{len(ended) - MOST_FAILURES} more are in results.csv." if len(ended) > MOST_FAILURES else "",
    )


def failed_run(record: RunRecord, result: Result | None, collected: Collected) -> FailedRun:
    """What happened to one run."""
    failure = record.failure
    what = f"{failure.kind}: {failure.message.rstrip('.')}." if failure else f"The run is recorded as {record.status}."
    if failure and failure.step is not None:
        what += f" After {count(failure.step, 'step')}."
    if failure and failure.last_metrics:
        last = ", ".join(f"{name} = {number(value)}" for name, value in failure.last_metrics.items())
        what += f" Last finite values: {last}."
    trace = failure.trace.strip() if failure else ""
    command = f"paribus run --key {shlex.quote(record.key)}"
    return FailedRun(record.status, arm_text(record, result, collected), what, trace, command)


def arm_text(record: RunRecord, result: Result | None, collected: Collected) -> str:
    """Which run it was: its levels and its replicate."""
    if result is None:
        return f"{record.key}, seed {record.seed}"
    levels = [f"{name}={label(level)}" for name, level in result.levels.items()]
    return ", ".join([*levels, f"{collected.study.replicate.key}={label(result.replicate)}"])


def warnings(collected: Collected) -> list[str]:
    """What a reader has to know before believing the page."""
    records = collected.records.values()
    texts = []
    if not any(record.status == "finished" for record in records):
        texts.append("No run has finished yet, so there is nothing to compare.")
    texts.extend(confounds(collected))
    if narrowed := narrowings(collected.study):
        texts.append(f"This is a part of the study as it was declared: {', '.join(narrowed)}.")
    codes = different(records, "code") or different(records, "git.commit")
    if len(codes) > 1:
        texts.append(f"These records come from {len(codes)} versions of the code ({counted(codes)}).")
    if any(plain(record.provenance.get("git", {})).get("dirty") for record in records):
        texts.append("Some records come from code with changes that were not committed.")
    for name, what in (("host", "machines"), ("device", "kinds of device"), ("versions.torch", "versions of PyTorch")):
        values = different(records, name)
        if len(values) > 1:
            texts.append(
                f"These records come from {len(values)} {what} ({counted(values)}): "
                "times do not compare, and digits may differ."
            )
    if collected.unreadable:
        texts.append(
            f"{count(len(collected.unreadable), 'record')} could not be used: {'; '.join(collected.unreadable[:3])}."
        )
    strangers = collected.comparison.strangers
    if strangers:
        reasons = Counter(stranger.reason for stranger in strangers).most_common(3)
        told = "; ".join(f"{reason} ({n})" for reason, n in reasons)
        texts.append(f"In no cell of the study, and so left out: {count(len(strangers), 'result')}; {told}.")
    texts.extend(collected.notes)
    return texts


def confounds(collected: Collected) -> list[str]:
    """A warning where the compared runs differ in more than the study declares."""
    if not collected.declared:
        return []
    compared = dict.fromkeys(result.key for result in collected.comparison.results)
    try:
        check_records(collected.study, [collected.records[key] for key in compared])
    except UserError as error:
        return [f"Confounded: {error}"]
    return []


def plain(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else none of it."""
    return value if isinstance(value, Mapping) else {}


def looked_up(record: RunRecord, name: str) -> str:
    """A value of the record's provenance by dotted name, as text; empty where it is not recorded."""
    value: Any = record.provenance
    for part in name.split("."):
        value = plain(value).get(part)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def different(records: Any, name: str) -> dict[str, int]:
    """The values that the records' provenance has under `name`, and how many records have each."""
    return dict(Counter(value for record in records if (value := looked_up(record, name))).most_common())


def counted(values: Mapping[str, int]) -> str:
    """`abc (200), def (3)`."""
    return ", ".join(f"{value[:16]}: {n}" for value, n in list(values.items())[:4]) + (
        ", ..." if len(values) > 4 else ""
    )
