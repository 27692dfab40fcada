"""Claims of run folders: which process works on which run, on one machine or on several that share a folder.

A claim is a file `claim.<n>` in the run's folder, created exclusively, whose owner touches it every few seconds. Its
owner is dead when its process is gone, as far as that can be seen from here, or else when the file has not been
touched for a minute. Ages are differences between two times written by the same file system, so clocks may disagree.
A dead claim is taken over by creating `claim.<n+1>`, which only one process can do; an owner that was merely
asleep finds the higher number and has lost its claim.
"""

import json
import os
import re
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from uuid import uuid4

STALE_AFTER = 60.0
HEARTBEAT = 5.0
SETTLE = 0.2

_NAME = re.compile(r"claim\.(\d+)")


class ClaimLost(RuntimeError):
    """Another process took this claim over; whatever this one still writes would be a second run of the same job."""


@dataclass(frozen=True)
class Owner:
    """Who holds a claim.

    Attributes:
        host: name of the machine, for people.
        place: what process numbers are relative to: the machine's boot and its process namespace.
        pid: the process.
        started: when that process started, since a number is used again after a process has ended.
        token: unlike that of any other claim.
    """

    host: str
    place: str
    pid: int
    started: str
    token: str


def claim(
    folder: Path, *, host: str | None = None, stale_after: float = STALE_AFTER, heartbeat: float = HEARTBEAT
) -> "Claim | None":
    """Claim a run's folder for this process; None where a living owner has it.

    What another process finished a moment ago shows only in the record: read it again once the claim is held.

    Args:
        folder: the run's folder, made if it does not exist.
        host: acts as a machine of this name, whose processes cannot be seen from elsewhere. None: this machine.
        stale_after: seconds without a sign of life after which an owner that cannot be seen is taken for dead.
        heartbeat: seconds between signs of life.

    Raises:
        ValueError: an owner could miss a single sign of life and lose its claim.
        OSError: the folder cannot be written.
    """
    if not 0 < 2 * heartbeat <= stale_after:
        raise ValueError(f"heartbeat is {heartbeat} s and stale_after {stale_after} s; expected 0 < 2 heartbeat <= it")
    folder.mkdir(parents=True, exist_ok=True)
    place = _place(host)
    before = _claims(folder)
    if before and _is_alive(folder / f"claim.{max(before)}", before[max(before)], place, stale_after):
        return None
    number = max(before, default=0) + 1
    owner = Owner(host or socket.gethostname(), place, os.getpid(), _process_start(os.getpid()) or "", uuid4().hex)
    try:
        descriptor = _create(folder / f"claim.{number}", owner)
    except FileExistsError:
        return None
    # The dead claim may have been taken over, released and claimed anew since it was looked at.
    others = {n: other for n, other in _claims(folder).items() if n != number}
    if any(n > number or before.get(n) != other for n, other in others.items()):
        (folder / f"claim.{number}").unlink(missing_ok=True)
        os.close(descriptor)
        return None
    return Claim(folder, number, descriptor, heartbeat)


def holder(folder: Path, *, host: str | None = None, stale_after: float = STALE_AFTER) -> str | None:
    """The living owner of a run's folder, e.g. `"node7, process 4321"`; None where there is none."""
    claims = _claims(folder)
    if not claims:
        return None
    owner = claims[max(claims)]
    if not _is_alive(folder / f"claim.{max(claims)}", owner, _place(host), stale_after):
        return None
    return f"{owner.host}, process {owner.pid}" if owner else "a process that is just starting"


def is_own(folder: Path) -> bool:
    """Whether this process itself holds a run's folder."""
    claims = _claims(folder)
    owner = claims[max(claims)] if claims else None
    own = (_place(None), os.getpid(), _process_start(os.getpid()) or "")
    return owner is not None and (owner.place, owner.pid, owner.started) == own


class Claim:
    """A run's folder, held by this process until it is released; leaving its `with` block releases it."""

    def __init__(self, folder: Path, number: int, descriptor: int, heartbeat: float) -> None:
        self.folder = folder
        self.number = number
        self._descriptor = descriptor
        self._lost = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(heartbeat,), daemon=True, name=f"claim of {folder}")
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether the last look, at most one heartbeat ago, found that another process has taken over."""
        return self._lost

    def check(self) -> None:
        """Look now.

        Raises:
            ClaimLost: another process has taken over.
        """
        # A process that took a dead claim over in the same moment steps back; only one that stays has taken this one.
        if not self._lost and self._is_overtaken():
            self._released.wait(SETTLE)
            self._lost = self._is_overtaken()
        if self._lost:
            raise ClaimLost(f"{self.folder} was taken over by another process while this one did not answer")

    def release(self) -> None:
        """Give the folder back, after the record is written; a claim that was lost leaves everything to its taker."""
        if self._released.is_set():
            return
        self._released.set()
        self._thread.join()
        if not self._lost and not self._is_overtaken():
            for number in sorted(_numbers(self.folder)):
                if number <= self.number:
                    (self.folder / f"claim.{number}").unlink(missing_ok=True)
        os.close(self._descriptor)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _beat(self, heartbeat: float) -> None:
        while not self._released.wait(heartbeat) and not self._lost:
            with suppress(OSError, ClaimLost):  # A file server may be away for a moment; the next look decides.
                os.utime(self._descriptor)
                self.check()

    def _is_overtaken(self) -> bool:
        try:
            own = (self.folder / f"claim.{self.number}").stat()
        except FileNotFoundError:
            return True
        return (
            not os.path.samestat(own, os.fstat(self._descriptor))
            or max(_numbers(self.folder), default=0) != self.number
        )


def _create(path: Path, owner: Owner) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        os.write(descriptor, json.dumps(asdict(owner)).encode())
    except OSError:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _numbers(folder: Path) -> list[int]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [int(match[1]) for name in names if (match := _NAME.fullmatch(name))]


def _claims(folder: Path) -> dict[int, Owner | None]:
    """The claims of a folder; one whose owner is not (yet) written in it has None."""
    claims: dict[int, Owner | None] = {}
    for number in _numbers(folder):
        try:
            claims[number] = Owner(**json.loads((folder / f"claim.{number}").read_text()))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            claims[number] = None
    return claims


def _is_alive(path: Path, owner: Owner | None, place: str, stale_after: float) -> bool:
    if owner and owner.place == place:
        return _process_start(owner.pid) in ("", owner.started)
    try:
        # Opening makes a network file system ask its server; a bare stat may be answered from a cache a minute old.
        with path.open() as stream:
            touched = os.fstat(stream.fileno()).st_mtime
    except FileNotFoundError:
        return False
    return file_system_time(path.parent) - touched <= stale_after


def file_system_time(folder: Path) -> float:
    """The present by the clock of the file system that holds `folder`."""
    probe = folder / f".now-{uuid4().hex}"
    descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.utime(descriptor)
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def _place(host: str | None) -> str:
    return f"host {host}" if host else _this_place()


@cache
def _this_place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # Not Linux.
        return socket.gethostname()


def _process_start(pid: int) -> str | None:
    """When a process of this machine started, None if it is gone; an empty text where only its existence is known."""
    try:
        # The name, in parentheses, may itself hold spaces and parentheses; the state is the first field after it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # Gone, or another user's where those are hidden, or not Linux.
        return "" if _exists(pid) else None
    return None if fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
