"""What the record in a run's folder says of it, and which states are run again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from paribus.study.files import fingerprint
from paribus.study.keys import evaluation_key
from paribus.study.locks import holder
from paribus.study.records import WEIGHTS_FILE, RunRecord, UnreadableRecord, read_record

State = Literal[
    "finished",
    "other code",
    "other data",
    "incomplete",
    "diverged",
    "failed",
    "interrupted",
    "unreadable",
    "running",
    "new",
]
"""In the order in which they are told."""
Rerun = Literal["none", "failed", "changed", "all"]

_UNDONE: frozenset[State] = frozenset({"new", "incomplete"})
_FAILED: frozenset[State] = frozenset({"failed", "interrupted", "unreadable"})
CHANGED: frozenset[State] = frozenset({"other code", "other data"})
"""The states of records that ended, and that the same command would not make again as they are."""
RUN_AGAIN: Mapping[Rerun, frozenset[State]] = {
    "none": _UNDONE,
    "failed": _UNDONE | _FAILED,
    "changed": _UNDONE | _FAILED | CHANGED,
    "all": _UNDONE | _FAILED | CHANGED | {"finished", "diverged"},
}
"""The states in which a job is run, by the root key `rerun`. That a run diverged is an outcome, as if it finished."""


def lacks_rows(record: RunRecord, config: Mapping[str, Any]) -> bool:
    """Whether the evaluator of a resolved config has not measured this run."""
    return evaluation_key(record.key, config["evaluation"]) not in {row.evaluation for row in record.rows}


def lacks_weights(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a resolved config asks for weights that the run did not keep."""
    return bool(config["trainer"].get("save_checkpoint")) and not (folder / WEIGHTS_FILE).exists()


def state_of(folder: Path, config: Mapping[str, Any], code: str | None) -> tuple[State, str, float | None]:
    """The state of the run of a resolved config, a note on it, and how long it took. `code`: as for `make_plan`."""
    owner = holder(folder)
    if owner is not None:
        return "running", owner, None
    try:
        record = read_record(folder)
    except FileNotFoundError:
        return "new", "", None
    except UnreadableRecord as error:
        return "unreadable", str(error), None
    state, note = record_state(record, folder, config, code)
    return state, note, None if state in _FAILED else record.seconds


def record_state(record: RunRecord, folder: Path, config: Mapping[str, Any], code: str | None) -> tuple[State, str]:
    """What the record in a folder that nobody holds says of the run of a resolved config, and a note on it."""
    if record.status == "running":
        return "interrupted", "its process is gone"
    if record.failure is not None and record.status != "diverged":
        return record.status, f"{record.failure.kind}: {record.failure.message}"
    if code is not None and record.provenance.get("code", code) != code:
        return "other code", f"{record.status}, started {record.started}"
    if files := changed_files(record, config):
        return "other data", f"{record.status}, started {record.started}, before {', '.join(files)} changed"
    if record.status == "finished" and lacks_rows(record, config):
        return "incomplete", "not measured by this evaluation"
    if record.status == "finished" and lacks_weights(folder, config):
        return "incomplete", "its weights were not kept"
    return record.status, record.failure.message if record.failure else ""


def changed_files(record: RunRecord, config: Mapping[str, Any]) -> list[str]:
    """The data files that are not as they were when the run began; none where they cannot be found from here."""
    now = fingerprint(config)
    before = record.provenance.get("files", now)
    return sorted(path for path in {*now, *before} if now.get(path) != before.get(path)) if now else []
