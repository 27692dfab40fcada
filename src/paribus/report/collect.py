"""Everything that a report reads: the records below a folder and the study that they belong to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paribus.errors import UserError
from paribus.study.comparison import Comparison, compare
from paribus.study.declaration import study_of
from paribus.study.inference import inferred_study
from paribus.study.records import RECORD_FILE, STUDY_FILE, RunRecord, UnreadableRecord, read_record
from paribus.study.structure import Study


@dataclass(frozen=True)
class Collected:
    """What a folder holds.

    Attributes:
        folder: where the records lie, usually `runs/<experiment>`.
        study: what was declared; where nothing was, what the records differ in.
        declared: whether `study.json` declared it.
        records: the readable records by train key.
        places: the folder of each record by train key.
        unreadable: a message for each record that cannot be used.
        comparison: the records placed in the study's cells.
        notes: what inference left out of an undeclared study.
    """

    folder: Path
    study: Study
    declared: bool
    records: Mapping[str, RunRecord]
    places: Mapping[str, Path]
    unreadable: tuple[str, ...]
    comparison: Comparison
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.folder.resolve().name


def collect(folder: Path) -> Collected:
    """Read the records below `folder` and its `study.json`.

    Raises:
        UserError: the folder does not exist, its study cannot be read, or two records answer for one cell and
            replicate.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}; give one with records, such as runs/<experiment>.")
    records: dict[str, RunRecord] = {}
    places: dict[str, Path] = {}
    unreadable = []
    for path in sorted(folder.glob(f"**/{RECORD_FILE}")):
        try:
            record = read_record(path.parent)
        except (UnreadableRecord, OSError, UnicodeDecodeError) as error:
            unreadable.append(str(error))
            continue
        if record.key in records:
            unreadable.append(f"{path} repeats the key {record.key} of {places[record.key]}; it is left out")
            continue
        records[record.key] = record
        places[record.key] = path.parent
    declared = (folder / STUDY_FILE).exists()
    study, notes = (declared_study(folder / STUDY_FILE), ()) if declared else inferred_study(records.values())
    comparison = compare(study, records.values())
    return Collected(folder, study, declared, records, places, tuple(unreadable), comparison, notes)


def declared_study(path: Path) -> Study:
    """The study in `path`; UserError if it is not one."""
    try:
        mapping = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not complete JSON ({error}).") from None
    if not isinstance(mapping, dict):
        raise UserError(f"{path} holds a {type(mapping).__name__}, not a study.")
    return study_of(mapping)
