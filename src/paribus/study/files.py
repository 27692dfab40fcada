"""The files that a run's data is read from, so that one which has changed is noticed. Plain Python."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from paribus.study.keys import flat

Fingerprint = Mapping[str, list[int | str]]
"""Path to size in bytes and hash of the content."""


def fingerprint(config: Mapping[str, Any]) -> Fingerprint:
    """Of the files that a resolved config's node `data` names, and of those in the folders that it names."""
    found: dict[str, list[int | str]] = {}
    for key, value in flat(config.get("data") or {}).items():
        if isinstance(value, str) and value and not key.endswith("_target_"):
            for path in _files(value):
                stat = path.stat()
                found[str(path)] = [stat.st_size, _hash(path.absolute(), stat.st_size, stat.st_mtime_ns)]
    return found


def _files(named: str) -> Iterator[Path]:
    """The file of this name; or the files of the folder, and of the folder `data` in it, where UCI sets keep theirs."""
    with suppress(OSError, ValueError, RuntimeError):  # a text that cannot be a path
        path = Path(named).expanduser()
        if path.is_file():
            yield path
        for folder in (path, path / "data"):
            if folder.is_dir():
                yield from sorted(each for each in folder.iterdir() if each.is_file())


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int) -> str:
    """`size` and `modified`, in nanoseconds: of the file, which is read again when they change."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
