"""Whether a program of many trains each as it would be alone: tried on two members for a few steps, in float64."""

from collections.abc import Sequence
from copy import deepcopy
from itertools import chain

import torch
from torch import Tensor
from torch.optim import Optimizer

from paribus.data.chunks import Batch, Chunk, ChunkLoader
from paribus.errors import NonFiniteLoss
from paribus.families.contract import Family
from paribus.population.optimizers import NotStackable
from paribus.population.stack import Stack
from paribus.population.structure import structure

STEPS = 3
"""From the start, with the optimizers' state; the losses of a step at the end of training are compared as well."""
TOLERANCE = 1e-8
"""Relative: a step in float64 rounds by about 1e-13, and Adam's eps of 1e-8 lets rounding move a weight by 1e-8 lr."""
VALIDATION_ROWS = 16

Values = dict[str, Tensor]


def refusal(families: Sequence[Family], loaders: Sequence[ChunkLoader], held_out: Sequence[Batch], total: int) -> str:
    """Why two members cannot be one program; empty if they can. Nothing that is given changes.

    Args:
        families: of one structure, begun, on the device of the rows.
        loaders: of their training parts.
        held_out: of each some rows of its validation part, equally many; or none.
        total: steps of the training.
    """
    try:
        structure(families[0])
    except NotStackable as reason:
        return str(reason)
    in_double = [_InDouble(loader) for loader in loaders]
    rows = [_double(batch) for batch in held_out]
    try:
        alone = [_alone(*each) for each in zip(_copies(families), in_double, rows, [total] * len(rows), strict=True)]
    except Exception as error:
        return f"it cannot be tried in float64 ({_told(error)})"
    try:
        together = _together(_copies(families), in_double, rows, total)
    except NotStackable as reason:
        return str(reason)
    except Exception as error:  # whatever vmap refuses, it refuses here
        return f"it does not go through vmap ({_told(error)})"
    return next(filter(None, map(_difference, together, alone)), "")


class _InDouble(ChunkLoader):
    """A loader whose minibatches are in float64."""

    def __init__(self, loader: ChunkLoader) -> None:
        super().__init__(
            loader.rows,
            loader.batch_size,
            loader.seed,
            position=loader.position,
            stop=loader.stop,
            chunk_steps=loader.chunk_steps,
        )

    def chunk(self, steps: range) -> Chunk:
        """The minibatches of consecutive steps."""
        chunk = super().chunk(steps)
        return Chunk(_double(chunk.rows), chunk.sizes)


def _double(batch: Batch) -> Batch:
    return {name: rows.double() if rows.is_floating_point() else rows for name, rows in batch.items()}


def _copies(families: Sequence[Family]) -> list[Family]:
    return [deepcopy(family).double() for family in families]


def _late(family: Family, total: int) -> list[range]:
    """A step near the end at which all phases run that run at different steps, unless that is among the first."""
    every = max(phase.every for phase in family.phases)
    late = (total - 1) // every * every
    return [range(late, late + 1)] if late >= STEPS else []


def _count_steps(family: Family, optimizers: Sequence[Optimizer]) -> None:
    """Let the optimizers have taken the steps before the family's: a later phase sees what an earlier one has moved."""
    for phase, optimizer in zip(family.phases, optimizers, strict=True):
        for state in optimizer.state.values():
            if "step" in state:
                state["step"].fill_(phase.turns(family.step))


def _alone(family: Family, loader: ChunkLoader, held_out: Batch, total: int) -> Values:
    """What a member's loop computes, by name."""
    optimizers = family.configure_optimizers()
    values: Values = {}
    try:
        first = family.advance(loader.chunk(range(min(STEPS, total))), optimizers)
        values |= _named("the mean of", first.means())
        values |= _state(family)
        if held_out:
            values["val/loss"] = deepcopy(family).eval().validation_loss(held_out).total.detach()
        for steps in _late(family, total):
            family.step = steps.start
            _count_steps(family, optimizers)
            values |= _named("at the last step,", family.advance(loader.chunk(steps), optimizers).means())
    except NonFiniteLoss as error:
        return {"the step of divergence": torch.tensor(float(error.step))}
    return values


def _together(
    families: Sequence[Family], loaders: Sequence[ChunkLoader], held_out: Sequence[Batch], total: int
) -> list[Values]:
    """Likewise, of each member of a program."""
    stack = Stack(families)
    before = structure(stack.program)
    values: list[Values] = [{} for _ in families]
    first = stack.advance(range(min(STEPS, total)), loaders, families[0].clip_norm)
    for row, family in enumerate(families):
        stack.write_into(row, family)
        values[row] |= _named("the mean of", {name: mean[row] for name, mean in first.items()})
        values[row] |= _state(family)
    if changed := structure(stack.program).difference(before):
        raise NotStackable(f"{changed} changes in its loss, and is no buffer")
    if held_out[0]:
        batch = {name: torch.stack([rows[name] for rows in held_out]) for name in held_out[0]}
        losses = stack.validation_loss(batch).total.detach()
        for row, each in enumerate(values):
            each["val/loss"] = losses[row]
    for steps in [] if stack.is_over() else _late(families[0], total):
        means = stack.advance(steps, loaders, families[0].clip_norm)
        for row, each in enumerate(values):
            each |= _named("at the last step,", {name: mean[row] for name, mean in means.items()})
    failed = stack.failed.tolist()
    return [
        {"the step of divergence": torch.tensor(float(step))} if step >= 0 else each
        for step, each in zip(failed, values, strict=True)
    ]


def _named(what: str, values: Values) -> Values:
    return {f"{what} {name}": value for name, value in values.items()}


def _state(family: Family) -> Values:
    return {name: tensor.detach().clone() for name, tensor in chain(family.named_parameters(), family.named_buffers())}


def _difference(together: Values, alone: Values) -> str:
    if list(together) != list(alone):
        return f"trained together it logs {', '.join(together)}, alone {', '.join(alone)}"
    for name, value in alone.items():
        size = value.double().abs().max().clamp(min=1e-3) if value.numel() else torch.ones(())
        if not torch.allclose(together[name].double() / size, value.double() / size, 0, TOLERANCE, equal_nan=True):
            return f"trained together its values differ from those alone: {name}"
    return ""


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
