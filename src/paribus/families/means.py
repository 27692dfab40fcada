"""Whether a family's losses are means over examples, so that a minibatch may be divided: tried on its own data."""

from copy import deepcopy

import torch
from torch import Tensor

from paribus.data.chunks import ChunkLoader
from paribus.families.contract import Family, Phase
from paribus.families.division import Division

TOLERANCE = 1e-8
"""Relative: a sum in float64 rounds by about 1e-13."""
FEWEST, MOST = 5, 31
"""Rows that are tried, in two shares: odd numbers, so that these are not of one size."""


def what_is_no_mean(family: Family, loader: ChunkLoader, shares: int) -> str:
    """The first loss, or part of one, that is not the mean of those of a minibatch's shares; empty if all are.

    Tried in float64 at the first step and at the last ones, where what training turns on by and by is at work. What a
    network draws without declaring it is drawn otherwise for shares, and counts as no mean. What is a mean on some rows
    is one on all, so a few are tried: no more than take the memory of a share in float32, for which there are shares.

    Args:
        family: begun, on the device of the rows; it is copied, not changed.
        loader: of its training part.
        shares: of a minibatch.
    """
    rows = max(FEWEST, (min(MOST, loader.batch_size // shares // 2) - 1) | 1)
    every = max(phase.every for phase in family.phases)
    with torch.random.fork_rng():
        for step in dict.fromkeys([0, (family.total_steps - 1) // every * every]):
            whole, divided = (_values(family, loader, step, rows, passes) for passes in (1, 2))
            for name, value in whole.items():
                size = value.abs().max().clamp(min=1e-6)
                if not torch.allclose(divided[name] / size, value / size, 0, TOLERANCE, equal_nan=True):
                    return name
    return ""


def _values(family: Family, loader: ChunkLoader, step: int, rows: int, passes: int) -> dict[str, Tensor]:
    """The losses, their terms and gradients on the first rows of a step's minibatch, by name."""
    trial = deepcopy(family).double()
    trial.step, trial.division = step, Division(passes=passes)
    (batch,) = loader.chunk(range(step, step + 1))
    batch = {name: column[:rows] for name, column in batch.items()}
    batch = {name: column.double() if column.is_floating_point() else column for name, column in batch.items()}
    noise = trial.noise.at(step, like=batch["x"])
    values: dict[str, Tensor] = {}
    for phase in trial.phases:
        values |= _of_phase(trial, phase, batch, noise)
    return values


def _of_phase(trial: Family, phase: Phase, batch: dict[str, Tensor], noise: dict[str, Tensor]) -> dict[str, Tensor]:
    parameters = trial.parameters_of(phase)
    trial.fix_undeclared_noise(0)
    loss = trial.gradient(phase, parameters, batch, noise)
    gradient = [each.grad.reshape(-1) for each in parameters if each.grad is not None]
    trial.zero_grad()
    terms = {f"the term {name} of phase {phase.name}": value.detach() for name, value in loss.terms.items()}
    return {**terms, f"the loss of phase {phase.name}": loss.total.detach()} | {
        f"the gradient of phase {phase.name}": torch.cat(gradient)
    }
