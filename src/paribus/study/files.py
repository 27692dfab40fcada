"""The files that a run's data is read from, so that one which has changed is noticed. Plain Python."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from paribus.study.keys import flat

Fingerprint = Mapping[str, list[int | str]]
"""Path to size in bytes and hash of the content; of a folder of images, of all of them."""

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
"""How the names of images end."""


def fingerprint(config: Mapping[str, Any]) -> Fingerprint:
    """Of the files that a resolved config's node `data` names, and of those in the folders that it names.

    Images in sub-folders, one a class, may be many: each such sub-folder has one entry.
    """
    found: dict[str, list[int | str]] = {}
    for key, value in flat(config.get("data") or {}).items():
        if isinstance(value, str) and value and not key.endswith("_target_"):
            for path in _files(value):
                stat = path.stat()
                found[str(path)] = [stat.st_size, _hash(path.absolute(), stat.st_size, stat.st_mtime_ns)]
            for folder, images in _image_folders(value):
                found[str(folder)] = [sum(size for _, size, _ in images), _hash_images(folder.absolute(), images)]
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


def _image_folders(named: str) -> Iterator[tuple[Path, tuple[tuple[str, int, int], ...]]]:
    """The sub-folders with images in the folder of this name; of each image its name, size and time of change."""
    with suppress(OSError, ValueError, RuntimeError):
        path = Path(named).expanduser()
        for folder in sorted(path.iterdir()) if path.is_dir() else ():
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    images = [each for each in entries if each.name.lower().endswith(IMAGES) and each.is_file()]
                stats = sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in images)
                if stats:
                    yield folder, tuple(stats)


@lru_cache(maxsize=1024)
def _hash_images(folder: Path, images: tuple[tuple[str, int, int], ...]) -> str:
    """Of the names and contents of the images of a folder, which are read again when one of them changes."""
    digest = hashlib.blake2b(digest_size=8)
    for name, size, modified in images:
        digest.update(f"{name}/{_hash(folder / name, size, modified)}/".encode())
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int) -> str:
    """`size` and `modified`, in nanoseconds: of the file, which is read again when they change."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
