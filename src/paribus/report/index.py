"""A page that lists all studies with the badges of their verdicts."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from paribus.errors import UserError
from paribus.report.claims import badges
from paribus.report.collect import STUDY_FILE
from paribus.report.page import rendered
from paribus.report.summaries import count
from paribus.study.records import RECORD_FILE, write_atomically


@dataclass(frozen=True)
class StudyEntry:
    """A study as the index lists it; `link` is empty where no report was made."""

    name: str
    question: str
    link: str
    state: str
    tally: list[dict[str, str]]


def write_index(runs: Path) -> Path:
    """Write `index.html` into `runs`: each folder with records, its question, and the verdicts of its last report.

    Raises:
        UserError: there is no such folder.
    """
    if not runs.is_dir():
        raise UserError(f"There is no folder {runs}; give the one that holds the studies' folders.")
    studies = [entry(folder) for folder in sorted(runs.iterdir()) if folder.is_dir() and holds_records(folder)]
    path = runs / "index.html"
    write_atomically(
        path,
        rendered("index.html.j2", {"studies": studies, "summary": count(len(studies), "folder") + " with records"}),
    )
    return path


def holds_records(folder: Path) -> bool:
    """Whether any run was recorded below `folder`."""
    return next(folder.glob(f"**/{RECORD_FILE}"), None) is not None


def entry(folder: Path) -> StudyEntry:
    """What the index says of one study."""
    records = list(folder.glob(f"**/{RECORD_FILE}"))
    declared, judged = read_json(folder / STUDY_FILE), read_json(folder / "verdicts.json")
    judged = judged if isinstance(judged, list) else []
    ends = Counter(str(verdict.get("status")) for verdict in judged if isinstance(verdict, dict))
    reported = (folder / "report.html").exists()
    state = [count(len(records), "record")]
    if not reported:
        state.append(f"no report yet: paribus report {folder.name}")
    elif max(path.stat().st_mtime_ns for path in records) > (folder / "report.html").stat().st_mtime_ns:
        state.append("records are newer than the report")
    return StudyEntry(
        name=folder.name,
        question=str(declared.get("question", "")) if isinstance(declared, dict) else "",
        link=f"{quote(folder.name)}/report.html" if reported else "",
        state=" · ".join(state),
        tally=badges(ends),
    )


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none or it is not complete."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
