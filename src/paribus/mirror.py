"""Showing runs elsewhere: what a logger is told when a run has ended, and what is noted of it beside the record.

Loggers mirror a record; nothing is read back from them.
"""

import json
import sys
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytorch_lightning.loggers import Logger

from paribus.study.levels import label
from paribus.study.records import CURVES_FILE, FIT_FILE, RECORD_FILE, RunRecord, write_atomically

if TYPE_CHECKING:
    from paribus.loggers.exhibit import Exhibit

Curves = Mapping[int, dict[str, float]]
"""The values that were logged at each step."""
NONE: Curves = MappingProxyType({})
PUBLISHED_FILE = "published.json"
"""Beside a record: where the run is shown, and a hash of what is shown there."""


class Mirror(Logger):
    """A logger that shows a whole record: its rows, its pictures, how the run ended.

    Attributes:
        at_once: how many may be open at a time.
    """

    at_once = 1

    @property
    def send(self) -> str:
        """The command that sends what is kept on the disk; empty where nothing is."""
        return ""

    @property
    @abstractmethod
    def destination(self) -> str:
        """Where it shows: runs that are complete there are not shown again."""

    @property
    def covers(self) -> tuple[str, ...]:
        """Destinations at which a run need not be shown here any more."""
        return (self.destination,)

    def replaces(self, destination: str) -> bool:
        """Whether showing a run anew takes it away from `destination`, where it is noted as shown."""
        return destination == self.destination

    def replay(self) -> None:
        """Get ready for a run that is over, here or on another machine. Before anything is logged."""

    @abstractmethod
    def log_record(self, record: RunRecord, folder: Path) -> None:
        """Show what a run left besides its curves and its metrics. `folder`: of the run."""

    @abstractmethod
    def log_exhibit(self, exhibit: "Exhibit", step: int) -> None:
        """Show tables and pictures."""


def conclude(loggers: Iterable[Logger], record: RunRecord, folder: Path | None, curves: Curves = NONE) -> list[str]:
    """Log what the evaluators measured as `evaluation/<metric>`, show the rest, and end each: `finished` or `failed`.

    The record on the disk is what counts: a logger that fails is named on stderr, and the run keeps its status.

    Args:
        loggers: of the run.
        record: of the run.
        folder: where it lies; None if it does not, as when the input was at fault.
        curves: what they were not told while the run was trained.

    Returns:
        What went wrong, a line each.
    """
    problems = []
    for logger in loggers:
        try:
            _conclude(logger, record, folder, curves)
        except Exception as error:
            told = str(error).partition("\n")[0]
            problems.append(f"{type(logger).__name__} could not be concluded for run {record.key}: {told}")
            print(f"paribus: {problems[-1]}", file=sys.stderr)
    return problems


def _conclude(logger: Logger, record: RunRecord, folder: Path | None, curves: Curves) -> None:
    if isinstance(logger, Mirror) and folder is not None:
        forget_replaced(folder, logger)
    try:
        for step, values in curves.items():
            logger.log_metrics(values, step)
        if metrics := evaluation_metrics(record):
            logger.log_metrics(metrics, record.steps)
        if isinstance(logger, Mirror) and folder is not None:
            logger.log_record(record, folder)
    finally:  # whatever could not be shown: the run has ended
        logger.finalize("finished" if record.status == "finished" else "failed")
    if isinstance(logger, Mirror) and folder is not None:
        note_published(folder, logger.destination, fingerprint(folder))


def evaluation_metrics(record: RunRecord) -> dict[str, float]:
    """What the evaluators measured, as loggers name it: `evaluation/mae`, `evaluation/calibrator=none/ece`."""
    return {
        "/".join(("evaluation", *(f"{name}={label(level)}" for name, level in row.levels.items()), metric)): value
        for row in record.rows
        for metric, value in row.metrics.items()
    }


def fingerprint(folder: Path) -> str:
    """A hash of what there is to show of the run in `folder`."""
    found = blake2b(digest_size=16)
    for name in (RECORD_FILE, CURVES_FILE, FIT_FILE):
        path = folder / name
        content = path.read_bytes() if path.exists() else b""
        found.update(b"%d:" % len(content) + content)
    return found.hexdigest()


def published(folder: Path) -> Mapping[str, str]:
    """Where what lies in `folder` is shown, and the hash of what is shown there."""
    try:
        noted = json.loads((folder / PUBLISHED_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def note_published(folder: Path, destination: str, shown: str) -> None:
    """Note that what has the hash `shown` is shown at `destination`."""
    _write_notes(folder, {**published(folder), destination: shown})


def forget_replaced(folder: Path, mirror: Mirror) -> None:
    """Drop the notes that are not true any more once `mirror` shows anew what lies in `folder`."""
    noted = published(folder)
    kept = {destination: shown for destination, shown in noted.items() if not mirror.replaces(destination)}
    if len(kept) < len(noted):
        _write_notes(folder, kept)


def _write_notes(folder: Path, noted: Mapping[str, str]) -> None:
    write_atomically(folder / PUBLISHED_FILE, json.dumps(noted, indent=1), durable=False)
