"""Training jobs that were begun as one program, so that each ends as it would have ended alone."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from paribus.display import say
from paribus.errors import stopped
from paribus.population.begun import Begun
from paribus.population.members import Population
from paribus.population.share import counted
from paribus.population.unfinished import write_members
from paribus.study.records import WEIGHTS_FILE
from paribus.training.callbacks import TimeLimitReached


def train_together(group: Sequence[Begun], tile: int, folder: Path) -> bool:
    """Train, evaluate and close the members of a group; or False, with all that are open as they were before.

    Args:
        group: of one structure, budget and sizes of data.
        tile: members of a tile.
        folder: of the population, held; its checkpoint is gone on from.

    Raises:
        KeyboardInterrupt: stopped; the members are open.
    """
    try:
        write_members(folder, [each.run.job for each in group], tile)
        ends = _train(group, tile, folder)
    except Exception as failure:
        if stopped(failure):
            raise KeyboardInterrupt from failure
        say(f"{len(group)} runs as one program: {type(failure).__name__}: {failure}; going on one by one")
    else:
        for each, end in zip(group, ends, strict=True):
            each.end(end)
        return True
    for each in group:
        each.run.curves.rows.clear()
        each.do(partial(each.run.prepare, each.run.data))
    return False


def _train(group: Sequence[Begun], tile: int, folder: Path) -> list[Callable[[], None]]:
    """Train, and of each member what is left to do."""
    training = group[0].run.training
    limit = False
    try:
        with counted([each.share for each in group]):
            population = Population([each.member for each in group], training, tile)
            population.fit(folder, terms=[each.run.terms for each in group])
    except TimeLimitReached:
        limit = True
    finally:
        for each in group:
            each.share.seconds += training.earlier_seconds / len(group)
    checkpoint = (
        torch.load(folder / WEIGHTS_FILE, weights_only=True) if training.save_checkpoint and not limit else None
    )
    ends: list[Callable[[], None]] = []
    for each, diverged in zip(group, population.failures(), strict=True):
        had_ended = each.member.family.step < population.step and not training.save_checkpoint  # whose weights are lost
        late = _time_is_up(training.max_minutes, len(group)) if limit and not had_ended else None
        ends.append(partial(_finish, each, diverged or late, checkpoint))
    return ends


def _finish(each: Begun, error: Exception | None, checkpoint: Mapping[str, Any] | None) -> None:
    """What is left of a run that was trained: its checkpoint, its evaluation."""
    if error is not None:
        raise error
    if checkpoint is not None:
        _save(each, checkpoint)
    each.run.finish()


def _time_is_up(minutes: float | None, runs: int) -> TimeLimitReached:
    return TimeLimitReached(
        f"training took more than trainer.max_minutes={minutes:g} for each of the {runs} runs that shared the time"
    )


def _save(each: Begun, checkpoint: Mapping[str, Any]) -> None:
    """A member's checkpoint: that of the population, with its own weights."""
    family = each.run.family
    assert family is not None
    own = {**checkpoint, "state_dict": family.state_dict(), "paribus_step": family.step}
    torch.save(own, each.run.job.folder / WEIGHTS_FILE)
