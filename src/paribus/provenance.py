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
from pathlib import Path
from typing import Any

PACKAGES = ("paribus", "torch", "pytorch-lightning", "hydra-core", "numpy", "scikit-learn")


@cache
def environment() -> dict[str, Any]:
    """What all runs of this process share: versions, git commit, hash of the code, host and processor."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "git": _git(),
        "code": code_hash(),
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "command": " ".join(sys.argv[1:]),
    }


@cache
def code_hash() -> str:
    """Identifies the source of the installed package, so that records of an older one are noticed."""
    digest = blake2b(digest_size=8)
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Usage:
    """Wall time, processor time and peak memory of this process from now on."""

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
