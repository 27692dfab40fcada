"""Whether training together pays: a few steps of both ways, on copies, compared and timed."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass

import torch

from paribus.errors import NonFiniteLoss
from paribus.families.contract import Family
from paribus.population.agreement import VALIDATION_ROWS, refusal
from paribus.population.members import Member, Population
from paribus.population.structure import what_sets_apart
from paribus.training import Training

ROUNDS = 3
ROUND_SECONDS = 0.03
LONGEST_ROUND = 16
MARGIN = 0.9
"""Share of the loop's time that a program may take to be chosen: what is measured as closer than that is noise."""
FEW = 4
"""Fewer members than this gain little, so that trying costs more than it wins unless they train for long."""
LONG = 2.0
"""Seconds of the loop from which on trying what is faster pays for few members too."""
TILES = (16, 64, 256)
"""Members of a tile that are tried on a processor: fewer stay in its cache, more share the cost of a call."""
TILE_BYTES = 256_000_000
"""Of the weights, gradients and optimizers' states of a tile that is tried: far more than any cache."""

Advance = Callable[[range], None]


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


def choose(members: Sequence[Member], training: Training, others: Sequence[Family] = ()) -> Choice:
    """The way to train members of one structure: together if that is right and clearly faster.

    Neither their weights nor their streams change. `others`: of other structures, to tell what keeps one apart.
    """
    if training.alone:
        return Choice(False, training.alone)
    if len(members) == 1:
        return Choice(False, what_sets_apart(members[0].family, others))
    if reason := why_apart(members, training):
        return Choice(False, reason)
    clock = _clock(training)
    if len(members) < FEW:
        (alone,) = rounds([_alone(members[0], training)], clock)
        if (whole := alone * len(members) * training.steps_for(members[0].data)) < LONG:
            return Choice(False, f"{whole:.2g} s are too few to try for {len(members)} what is faster")
    sizes = _tile_sizes(members, training)
    *together, alone = rounds(
        [*(_together(members[:size], training) for size in sizes), _alone(members[0], training)], clock
    )
    fused, tile = min((seconds / size, size) for seconds, size in zip(together, sizes, strict=True))
    return Choice(
        fused < MARGIN * alone, f"{fused * 1e3:.3g} ms a step each together, {alone * 1e3:.3g} ms alone", tile
    )


def why_apart(members: Sequence[Member], training: Training) -> str:
    """Why members of one structure cannot be trained as one program, found by trying two; empty if they can."""
    pair = [members[0], members[-1]]
    loaders, held_out = [], []
    for member in pair:
        loaders.append(training.begin(member.family, member.data, lambda: 0))
        rows = member.data.parts["validation"] if member.data.sizes()["validation"] else {}
        held_out.append({name: tensor[:VALIDATION_ROWS] for name, tensor in rows.items()})
    return refusal([member.family for member in pair], loaders, held_out, training.steps_for(pair[0].data))


def rounds(candidates: Sequence[Advance], clock: Callable[[], float]) -> list[float]:
    """Seconds a step of each way to advance: the least over rounds, when the machine did least besides.

    The candidates take turns, so that a stretch in which the machine is slow falls on all of them.
    """

    def seconds(advance: Advance, first: int, count: int) -> float:
        begin = clock()
        with suppress(NonFiniteLoss):  # which took its time all the same
            advance(range(first, first + count))
        return max(clock() - begin, 1e-9) / count

    for advance in candidates:
        seconds(advance, 0, 1)  # what is set up at the first step is not a step's
    counts = [int(min(LONGEST_ROUND, max(1, ROUND_SECONDS / seconds(advance, 1, 1)))) for advance in candidates]
    turns = [
        [seconds(advance, 2 + number * count, count) for advance, count in zip(candidates, counts, strict=True)]
        for number in range(ROUNDS)
    ]
    return [min(column) for column in zip(*turns, strict=True)]


def _tile_sizes(members: Sequence[Member], training: Training) -> list[int]:
    if training.device.type != "cpu":
        return [len(members)]
    each = 4 * sum(parameter.nbytes for parameter in members[0].family.parameters())
    smallest, *others = TILES
    limits = [smallest, *(size for size in others if size * each <= TILE_BYTES)]
    return sorted({min(limit, len(members)) for limit in limits})


def _together(members: Sequence[Member], training: Training) -> Advance:
    """Steps of members in one tile."""
    population = Population(members, training, tile=len(members))
    stack, places = next(population.tiles())
    loaders = [training.loader(members[place].data, lambda: 0) for place in places]

    def advance(steps: range) -> None:
        stack.stopped.fill_(-1)  # members that diverge at once are timed as if they had not
        with _precision(training):
            stack.advance(steps, loaders, training.clip_norm)

    return advance


def _alone(member: Member, training: Training) -> Advance:
    """Steps of one member."""
    family = deepcopy(member.family)
    optimizers = family.configure_optimizers()
    loader = training.loader(member.data, lambda: 0)

    def advance(steps: range) -> None:
        with _precision(training):
            family.advance(loader.chunk(steps), optimizers)

    return advance


def _clock(training: Training) -> Callable[[], float]:
    one_core = training.accelerator == "cpu" and training.threads == 1
    return time.process_time if one_core else time.perf_counter


def _precision(training: Training) -> AbstractContextManager[object]:
    if training.precision == "bf16-mixed":
        return torch.autocast(training.device.type, torch.bfloat16)
    return nullcontext()
