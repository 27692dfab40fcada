"""Whether training together pays: a few steps of both ways, on copies, timed."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass

import torch

from paribus.errors import NonFiniteLoss
from paribus.population.members import Member, Population
from paribus.population.optimizers import NotStackable
from paribus.training import Training

ROUNDS = 3
ROUND_SECONDS = 0.05
LONGEST_ROUND = 16


@dataclass(frozen=True)
class Choice:
    """How members of one structure are trained.

    Attributes:
        together: as one program; else one after the other.
        why: the measurement, or what keeps them apart.
    """

    together: bool
    why: str


def choose(members: Sequence[Member], training: Training) -> Choice:
    """The faster way for members of one structure. Neither their weights nor their streams change."""
    if len(members) == 1:
        return Choice(False, "there is one of its kind")
    try:
        fused = _fused_seconds(members, training)
    except NotStackable as reason:
        return Choice(False, str(reason))
    except Exception as error:  # whatever vmap refuses, it refuses here
        return Choice(False, f"it does not go through vmap ({type(error).__name__}: {_first_line(error)})")
    looped = _looped_seconds(members[0], training)
    why = f"{fused * 1e3:.3g} ms a step each together, {looped * 1e3:.3g} ms alone"
    return Choice(fused < looped, why)


def _fused_seconds(members: Sequence[Member], training: Training) -> float:
    """Of a member's step in the first tile."""
    population = Population(members, training)
    stack, places = next(population.tiles())
    loaders = [training.loader(members[place].data, lambda: 0) for place in places]

    def advance(steps: range) -> None:
        with _precision(training):
            stack.advance(steps, loaders, training.clip_norm)

    return _seconds_a_step(advance) / len(places)


def _looped_seconds(member: Member, training: Training) -> float:
    """Of a step of one member alone."""
    family = deepcopy(member.family)
    training.place(family)
    optimizers = family.configure_optimizers()
    loader = training.loader(member.data, lambda: 0)

    def advance(steps: range) -> None:
        with _precision(training):
            family.advance(loader.chunk(steps), optimizers)

    return _seconds_a_step(advance)


def _seconds_a_step(advance: Callable[[range], None]) -> float:
    """The least over some rounds, which is the time without what else the machine does."""

    def seconds(first: int, count: int) -> float:
        begin = time.perf_counter()
        with suppress(NonFiniteLoss):  # which took its time all the same
            advance(range(first, first + count))
        return (time.perf_counter() - begin) / count

    seconds(0, 1)  # what is set up at the first step is not a step's
    count = int(min(LONGEST_ROUND, max(1, ROUND_SECONDS / seconds(1, 1))))
    return min(seconds(2 + number * count, count) for number in range(ROUNDS))


def _precision(training: Training) -> AbstractContextManager[object]:
    if training.precision == "bf16-mixed":
        return torch.autocast(training.device.type, torch.bfloat16)
    return nullcontext()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]
