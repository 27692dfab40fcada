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
ROUND_SECONDS = 0.03
LONGEST_ROUND = 16
TILES = (16, 64, 256)
"""Members of a tile that are tried on a processor: fewer stay in its cache, more share the cost of a call."""


@dataclass(frozen=True)
class Choice:
    """How members of one structure are trained.

    Attributes:
        together: as one program; else one after the other.
        tile: members of a tile of that program.
        why: the measurement, or what keeps them apart.
    """

    together: bool
    why: str
    tile: int = 0


def choose(members: Sequence[Member], training: Training) -> Choice:
    """The faster way for members of one structure. Neither their weights nor their streams change."""
    if len(members) == 1:
        return Choice(False, "there is one of its kind")
    limits = TILES if training.device.type == "cpu" else (len(members),)
    sizes = sorted({min(limit, len(members)) for limit in limits})
    try:
        fused, tile = min((_fused_seconds(members[:size], training), size) for size in sizes)
    except NotStackable as reason:
        return Choice(False, str(reason))
    except Exception as error:  # whatever vmap refuses, it refuses here
        return Choice(False, f"it does not go through vmap ({type(error).__name__}: {_first_line(error)})")
    looped = _looped_seconds(members[0], training)
    why = f"{fused * 1e3:.3g} ms a step each together, {looped * 1e3:.3g} ms alone"
    return Choice(fused < looped, why, tile)


def _fused_seconds(members: Sequence[Member], training: Training) -> float:
    """Of a step of a member in a tile."""
    population = Population(members, training, tile=len(members))
    stack, places = next(population.tiles())
    loaders = [training.loader(members[place].data, lambda: 0) for place in places]

    def advance(steps: range) -> None:
        with _precision(training):
            stack.advance(steps, loaders, training.clip_norm)

    return _seconds_a_step(advance, training) / len(places)


def _looped_seconds(member: Member, training: Training) -> float:
    """Of a step of one member alone."""
    family = deepcopy(member.family)
    training.place(family)
    optimizers = family.configure_optimizers()
    loader = training.loader(member.data, lambda: 0)

    def advance(steps: range) -> None:
        with _precision(training):
            family.advance(loader.chunk(steps), optimizers)

    return _seconds_a_step(advance, training)


def _seconds_a_step(advance: Callable[[range], None], training: Training) -> float:
    """The least over some rounds, which is the time without what else the machine does."""
    one_core = training.accelerator == "cpu" and training.threads == 1
    clock = time.process_time if one_core else time.perf_counter

    def seconds(first: int, count: int) -> float:
        begin = clock()
        with suppress(NonFiniteLoss):  # which took its time all the same
            advance(range(first, first + count))
        return max(clock() - begin, 1e-9) / count

    seconds(0, 1)  # what is set up at the first step is not a step's
    count = int(min(LONGEST_ROUND, max(1, ROUND_SECONDS / seconds(1, 1))))
    return min(seconds(2 + number * count, count) for number in range(ROUNDS))


def _precision(training: Training) -> AbstractContextManager[object]:
    if training.precision == "bf16-mixed":
        return torch.autocast(training.device.type, torch.bfloat16)
    return nullcontext()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]
