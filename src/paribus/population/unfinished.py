"""The folders of populations, from whose checkpoints an interrupted sweep goes on.

A checkpoint is one of all members, in their order and their tiles, so `members.json` beside it says who they are. The
same members, and no others, go on from it; one who has ended or is to be run elsewhere leaves the others to start over.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from paribus.display import POPULATIONS, say
from paribus.errors import stopped
from paribus.job import Job
from paribus.study.locks import Claim, claim
from paribus.study.records import key_of, write_atomically
from paribus.training import RESUME_FILE

MEMBERS_FILE = "members.json"
ATTEMPTS = 100


class FolderHeld(OSError):
    """Another process has a population's folder."""


@dataclass(frozen=True)
class Unfinished:
    """A population that was stopped.

    Attributes:
        folder: with its checkpoint.
        places: of its members among the jobs, in their order.
        tile: members of a tile.
    """

    folder: Path
    places: tuple[int, ...]
    tile: int


def population_folder(jobs: Sequence[Job]) -> Path:
    """Where these jobs, in this order, keep what they have as a population."""
    return jobs[0].folder.parent / POPULATIONS / key_of([job.key for job in jobs])


@contextmanager
def opened(folder: Path) -> Iterator[None]:
    """A population's folder, held by this process; removed at the end, unless stopped with a checkpoint in it.

    Raises:
        FolderHeld: another process has it.
        OSError: it cannot be made.
    """
    mine = _claimed(folder)
    keep = False
    try:
        yield
    except BaseException as error:
        keep = stopped(error) and (folder / RESUME_FILE).exists()
        raise
    finally:
        _close(mine, keep)


def write_members(folder: Path, jobs: Sequence[Job], tile: int) -> None:
    """Say who the members are, and in which tiles."""
    content = {"members": [job.key for job in jobs], "tile": tile}
    write_atomically(folder / MEMBERS_FILE, json.dumps(content), durable=False)


def find_unfinished(jobs: Sequence[Job]) -> tuple[list[Unfinished], set[int]]:
    """The populations that these jobs go on with, and the places of jobs that another process is going on with.

    A population that some of these jobs start over is removed; one of none of them is left alone.
    """
    found: list[Unfinished] = []
    elsewhere: set[int] = set()
    for parent in dict.fromkeys(job.folder.parent for job in jobs):
        places = {job.key: place for place, job in enumerate(jobs) if job.folder.parent == parent}
        for folder in sorted((parent / POPULATIONS).glob("*/")):
            mine = claim(folder)
            members, tile = _members(folder)
            here = [places[key] for key in members if key in places]
            if mine is None:
                elsewhere.update(here)
                continue
            keep = True
            try:
                keep = _is_kept(folder, len(members), [jobs[place] for place in here])
                if keep and here:
                    found.append(Unfinished(folder, tuple(here), tile))
            finally:
                _close(mine, keep)
    return found, elsewhere


def members_of(populations: Iterable[Unfinished], places: Sequence[int]) -> list[Unfinished]:
    """The populations among jobs of which those at `places` are taken, with the members' places among those."""
    at = {place: number for number, place in enumerate(places)}
    return [
        Unfinished(each.folder, tuple(at[place] for place in each.places), each.tile)
        for each in populations
        if all(place in at for place in each.places)
    ]


def tell_over(here: int, size: int) -> None:
    """Say that a checkpoint is not gone on from."""
    say(f"{here} of {size} runs that were trained together are left to run here: they start over")


def _members(folder: Path) -> tuple[list[str], int]:
    """The keys of the members, and the members of a tile; none where that cannot be read."""
    try:
        content = json.loads((folder / MEMBERS_FILE).read_text())
        return list(content["members"]), int(content["tile"])
    except (OSError, ValueError, KeyError, TypeError):
        return [], 0


def _is_kept(folder: Path, size: int, here: Sequence[Job]) -> bool:
    """Whether a stopped population's folder is still of use. `here`: its members that are to be run."""
    if size and not here:
        return True
    if not (folder / RESUME_FILE).exists() or any(job.config.get("rerun") == "all" for job in here):
        return False
    if len(here) < size:
        tell_over(len(here), size)
    return len(here) == size > 0


def _claimed(folder: Path) -> Claim:
    """The claim of a population's folder, which is made."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            mine = claim(folder)
        except FileNotFoundError:  # another process has just removed the folder above, which was empty
            if attempt == ATTEMPTS:
                raise
        else:
            break
    if mine is None:
        raise FolderHeld(f"{folder} is held by another process")
    return mine


def _close(mine: Claim, keep: bool) -> None:
    """Let a population's folder go, with its checkpoint or removed; the one above goes with the last."""
    if not keep:
        shutil.rmtree(mine.folder, ignore_errors=True)
    with suppress(OSError):
        mine.release()
    for folder in (mine.folder, mine.folder.parent):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
