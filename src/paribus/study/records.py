"""The record of a run: what was run, on what terms, and what came out. The one thing that reports and resuming read."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

SCHEMA = 1
RECORD_FILE = "run.json"
CONFIG_FILE = "config.yaml"
CURVES_FILE = "curves.csv"
FIT_FILE = "fit.json"
WEIGHTS_FILE = "last.ckpt"
STUDY_FILE = "study.json"
KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]*")
"""What a record's key may be: folders and files are called by it."""

ADDED: Mapping[str, Any] = {
    "trainer.devices": 1,
    "trainer.compile": False,
    "trainer.accumulate": 1,
    "trainer.approximate": False,
    "trainer.deterministic": False,
    "trainer.detect_anomaly": False,
}
"""Config keys that came when there were records already, each with the value that stands for what was done before."""
OWN_TARGET = "paribus."
"""A node of another package's class has the keys that its class takes, and gains none."""

Status = Literal["finished", "failed", "diverged", "interrupted", "running"]


@dataclass(frozen=True)
class Row:
    """One line of a results table: the metrics of a trained run under some levels of the within-run factors.

    Attributes:
        metrics: numbers by name; NaN and infinities are kept.
        levels: levels of within-run factors, e.g. `{"calibrator": "temperature"}`; empty where there are none.
        evaluation: the evaluation key of the evaluator that made the row.
    """

    metrics: Mapping[str, float]
    levels: Mapping[str, str | float | int | bool] = field(default_factory=dict)
    evaluation: str = ""


@dataclass(frozen=True)
class Failure:
    """What stopped a run, and where.

    Attributes:
        kind: the exception's type, e.g. `NonFiniteLoss`, `MemoryError`, `KeyboardInterrupt`.
        message: its text.
        step: optimizer steps done, if training had begun.
        last_metrics: the last finite values that were logged.
        trace: the last lines of the traceback.
    """

    kind: str
    message: str
    step: int | None = None
    last_metrics: Mapping[str, float] = field(default_factory=dict)
    trace: str = ""


@dataclass(frozen=True)
class RunRecord:
    """`runs/<experiment>/<key>/run.json`.

    Attributes:
        key: the train key: a hash of what training reads.
        experiment: name of the folder above.
        status: how the run ended. `diverged`: its loss or its weights stopped being finite, which is an outcome.
            `running`: it has not ended, or was killed; the claim beside it tells which.
        config: the resolved config, without Hydra's own node and without the study, which `study.json` holds.
        choices: the option chosen of each config group, e.g. `{"objective": "huber"}`.
        seed: the run's seed.
        rows: what the evaluators measured.
        pairing: hash of each thing that paired runs share: `split`, `corruption`, `init/<part>`, `order`.
        replication: what another seed means for the data: `fresh`, `resplit` or `fixed`.
        measures: what the metrics in `rows` are: name, direction, unit and scale of each.
        sizes: examples a part, `{"train": 300, "validation": 50, "test": 42}`.
        steps: optimizer steps done.
        seconds: wall time: of all legs of a run that was resumed; of one trained together with others, its share.
        cpu_seconds: processor time of the last leg, shared likewise.
        peak_memory: bytes: on a GPU, the most that tensors took there; else the most that the process took, with
            whatever else it held.
        started: ISO 8601 in UTC.
        provenance: versions of packages, git commit and whether dirty, hash of the code and of the files that the data
            is read from, device, threads, host.
        failure: what stopped it, unless it finished.
        schema: version of this format.
    """

    key: str
    experiment: str
    status: Status
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    seed: int
    rows: tuple[Row, ...] = ()
    pairing: Mapping[str, str] = field(default_factory=dict)
    replication: str = "fresh"
    measures: tuple[Mapping[str, str], ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    started: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    schema: int = SCHEMA

    def with_rows(self, rows: tuple[Row, ...]) -> "RunRecord":
        """This record with `rows` added; a row of an evaluation that it already has is replaced."""
        new = {row.evaluation for row in rows}
        return replace(self, rows=(*(row for row in self.rows if row.evaluation not in new), *rows))


class UnreadableRecord(Exception):
    """A `run.json` that is truncated, not a record, or of a schema that this version does not know."""


def run_folder(config: Mapping[str, Any], key: str) -> Path:
    """Where the run of a resolved config with train key `key` is recorded."""
    return Path(config["output"]) / config["name"] / key


def written_since(folder: Path, moment: int) -> bool:
    """Whether a run's record was written after `moment`, in nanoseconds of the file system that it lies on."""
    try:
        return (folder / RECORD_FILE).stat().st_mtime_ns > moment
    except FileNotFoundError:
        return False


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write `run.json` so that a reader sees the old one or the new one, never a part."""
    path = folder / RECORD_FILE
    # That a run was begun is not worth waiting for the disk: after a power cut it is run again in any case.
    write_atomically(path, json.dumps(asdict(record), indent=1), durable=record.status != "running")
    return path


def read_record(folder: Path) -> RunRecord:
    """The record in `folder`.

    Raises:
        FileNotFoundError: there is none.
        UnreadableRecord: it cannot be used; the message says why.
    """
    path = folder / RECORD_FILE
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"{path} is not complete JSON ({error})") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise UnreadableRecord(f"{path} has schema {found!r}; this version reads schema {SCHEMA}")
    try:
        rows = tuple(Row(**row) for row in data.pop("rows"))
        failure = data.pop("failure")
        data["measures"] = tuple(data.get("measures", ()))
        data["config"] = completed(data["config"])
        record = RunRecord(**data, rows=rows, failure=Failure(**failure) if failure else None)
    except (TypeError, KeyError) as error:
        raise UnreadableRecord(f"{path} lacks or has an unknown field: {error}") from None
    if not isinstance(record.key, str) or not KEY.fullmatch(record.key):
        raise UnreadableRecord(f"{path} has the key {record.key!r}, which no run has")
    return record


def completed(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded config with the keys that came after it."""
    nodes: dict[str, dict[str, Any]] = {}
    for key, value in ADDED.items():
        node, name = key.split(".")
        if isinstance(config.get(node), Mapping) and str(config[node].get("_target_")).startswith(OWN_TARGET):
            nodes.setdefault(node, {})[name] = value
    return {**config, **{node: {**added, **config[node]} for node, added in nodes.items()}}


def read_records(folder: Path, without: Collection[str] = ()) -> Iterator[RunRecord | UnreadableRecord]:
    """Every record below `folder` in the order of their paths; one that cannot be read is yielded as its error.

    without: names of runs' folders that are passed over.
    """
    for path in sorted(folder.glob(f"**/{RECORD_FILE}")):
        if path.parent.name in without:
            continue
        try:
            yield read_record(path.parent)
        except UnreadableRecord as error:
            yield error


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace `path` in one step: whoever reads, sees the old file or the new one, and a full disk leaves the old one.

    durable: wait until the content is on the disk, so that a power cut cannot take it either.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def key_of(config: Any) -> str:
    """12 hexadecimal digits that identify a plain config; the order of its keys does not matter."""
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=6).hexdigest()
