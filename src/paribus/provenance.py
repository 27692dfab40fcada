"""Where a result comes from: versions, code, machine, time and memory."""

import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("paribus", "torch", "pytorch-lightning", "hydra-core", "numpy", "scikit-learn")
USERS_OWN = "PARIBUS_TARGETS"
"""Environment variable with more packages that a config may name, separated by commas."""
NOT_COMPUTING = (
    "report", "study", "commands", "loggers", "cli.py", "__main__.py", "run.py", "claimed.py", "sweep.py", "display.py",
    "config/explain.py", "config/settings.py", "config/tree.py", "convergence.py", "mirror.py", "provenance.py",
    "use.py", "model.py", "shares.py", "preemption.py",
)  # fmt: skip
"""What of the package can be changed without changing what a run computes. Anything new counts until it is named."""


def environment() -> dict[str, Any]:
    """What all runs of this process share: versions, git commit, hash of the code, host and processor."""
    return _surroundings() | {"code": code_hash()}


@cache
def _surroundings() -> dict[str, Any]:
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "git": _git(),
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "command": " ".join(sys.argv[1:]),
    }


def code_hash() -> str:
    """Identifies the source that training and evaluation are made of, the user's own packages included.

    As it was when this process first asked, so that records of an older one are noticed.
    """
    return _hash_of(Path(__file__).parent, os.environ.get(USERS_OWN, ""))


@cache
def _hash_of(root: Path, users_own: str) -> str:
    digest = blake2b(digest_size=8)
    left_out = {root / name for name in NOT_COMPUTING}
    sources = [(root, path) for path in root.rglob("*.py") if left_out.isdisjoint((path, *path.parents))]
    for package in filter(None, map(str.strip, users_own.split(","))):
        sources += [(place.parent, path) for place in _places(package) for path in (place, *place.rglob("*.py"))]
    for base, path in sorted(sources):
        if path.is_file():
            digest.update(path.relative_to(base).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _places(package: str) -> list[Path]:
    """The folder or the file of a package or module, found without importing it; empty where there is none."""
    top, *below = package.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a module without a spec, such as __main__
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.has_location and spec.origin else []
    inner = [Path(place).joinpath(*below) for place in spec.submodule_search_locations]
    return [found for place in inner for found in (place, place.with_suffix(".py")) if found.exists()]


class Usage:
    """Wall time, processor time and peak memory of this process from now on; the peak includes what it holds."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._own_peak = _reset_peak()

    def so_far(self) -> dict[str, Any]:
        """`seconds`, `cpu_seconds` and `peak_memory` in bytes (of the process; of the run where Linux can reset it)."""
        return {
            "seconds": time.monotonic() - self._wall,
            "cpu_seconds": time.process_time() - self._cpu,
            "peak_memory": _peak_memory() if self._own_peak else _largest_ever(),
        }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git() -> dict[str, Any]:
    """Commit of the repository that the package or the working directory lies in; empty where there is none."""
    for folder in (Path(__file__).parent, Path.cwd()):
        try:
            commit, changes = (
                subprocess.run(
                    ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
                ).stdout.strip()
                for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return {"commit": commit, "dirty": bool(changes)}
    return {}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, platform.machine())}, {os.cpu_count()} cores"


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _largest_ever() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
