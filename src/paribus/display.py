"""One display for a sweep: done, running, failed, time left. It watches records, so it serves every launcher."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TextIO

from paribus.study.records import RECORD_FILE, UnreadableRecord, read_record

TERMINAL_SECONDS, FILE_SECONDS = 0.5, 30.0
POPULATIONS = ".population"
"""Folder beside the runs' own, in which runs that are trained together keep their checkpoint and their progress."""
PROGRESS_FILE = "progress"
"""In it: how many runs' worth of steps are done, as a number."""
CLEAR = "\r\033[K"
"""Goes to the start of a terminal's line and empties it."""


class SweepDisplay:
    """Shows how far the runs in `folders` have come while it is entered.

    A line that renews itself on a terminal; elsewhere a plain line now and then and one at the end.
    """

    def __init__(self, folders: Sequence[Path], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._seen = {folder: (_written(folder), "new") for folder in folders}
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "SweepDisplay":
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._show(last=True)

    def line(self) -> str:
        """`12 of 240 done, 2 running, 1 failed; 3 min left`."""
        for folder, (before, _) in self._seen.items():
            now = _written(folder)
            if now != before:
                self._seen[folder] = (now, _status(folder))
        counts = Counter(status for _, status in self._seen.values())
        done = sum(count for status, count in counts.items() if status not in ("new", "running"))
        others = [f"{counts[status]} {status}" for status in ("running", "failed", "diverged", "interrupted")]
        text = ", ".join([f"{done} of {len(self._seen)} done", *(each for each in others if each[0] != "0")])
        elapsed = time.monotonic() - self._start
        worked = done + self._partly_done()
        if 0 < worked < len(self._seen):
            left = duration(elapsed / worked * (len(self._seen) - worked))
            return f"{text}; {worked / len(self._seen):.0%}, about {left} left"
        return f"{text}; {duration(elapsed)}"

    def _partly_done(self) -> float:
        """Runs' worth of steps that runs have taken which are trained together and not done."""
        parents = {folder.parent for folder in self._seen}
        files = (path for parent in parents for path in parent.glob(f"{POPULATIONS}/*/{PROGRESS_FILE}"))
        return sum(map(_number, files))

    def _watch(self) -> None:
        while not self._stop.wait(TERMINAL_SECONDS if self._live else FILE_SECONDS):
            self._show(last=False)

    def _show(self, last: bool) -> None:
        if not self._seen:
            return
        self._stream.write(f"{CLEAR}{self.line()}" if self._live else f"{self.line()}\n")
        if self._live and last:
            self._stream.write("\n")
        self._stream.flush()


def say(text: str) -> None:
    """Print a line where a display may be under way."""
    if sys.stderr.isatty():
        print(CLEAR, end="", file=sys.stderr, flush=True)
    print(text, flush=True)


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _written(folder: Path) -> int:
    """When the record was last replaced; 0 where there is none."""
    try:
        return (folder / RECORD_FILE).stat().st_mtime_ns
    except OSError:
        return 0


def _number(path: Path) -> float:
    """What a file says; 0 if it has just been removed."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0


def _status(folder: Path) -> str:
    try:
        return read_record(folder).status
    except (OSError, UnreadableRecord):
        return "new"
