"""A page that lists all studies with the badges of their verdicts."""

import json
import shlex
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
    folders = [folder for folder in sorted(runs.iterdir()) if folder.is_dir() and holds_records(folder)]
    studies = [entry(folder) for folder in folders]
    total: Counter[str] = sum(map(ends, folders), Counter())
    path = runs / "index.html"
    summary = count(len(studies), "folder") + " with records"
    write_atomically(path, rendered("index.html.j2", {"studies": studies, "summary": summary, "tally": badges(total)}))
    return path


def holds_records(folder: Path) -> bool:
    """Whether any run was recorded below `folder`."""
    return next(folder.glob(f"**/{RECORD_FILE}"), None) is not None


def holds_studies(folder: Path) -> bool:
    """Whether `folder` is one of studies' folders, as `runs` is, and no study's own."""
    own = (folder / STUDY_FILE).exists() or next(folder.glob(f"*/{RECORD_FILE}"), None) is not None
    return not own and next(folder.glob(f"*/*/{RECORD_FILE}"), None) is not None


def ends(folder: Path) -> Counter[str]:
    """How many claims of a study had which verdict, in its last report."""
    judged = read_json(folder / "verdicts.json")
    judged = judged if isinstance(judged, list) else []
    return Counter(str(verdict.get("status")) for verdict in judged if isinstance(verdict, dict))


def entry(folder: Path) -> StudyEntry:
    """What the index says of one study."""
    records = list(folder.glob(f"**/{RECORD_FILE}"))
    read = read_json(folder / STUDY_FILE)
    declared = read if isinstance(read, dict) else {}
    reported = (folder / "report.html").exists()
    state = [count(len(records), "record"), *([] if declared.get("claims") else ["no claims"])]
    if not reported:
        state.append(f"no report yet: paribus report {shlex.quote(str(folder))}")
    elif max(path.stat().st_mtime_ns for path in records) > (folder / "report.html").stat().st_mtime_ns:
        state.append("records are newer than the report")
    return StudyEntry(
        name=folder.name,
        question=str(declared.get("question", "")),
        link=f"{quote(folder.name)}/report.html" if reported else "",
        state=" · ".join(state),
        tally=badges(ends(folder)),
    )


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none or it is not complete."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
