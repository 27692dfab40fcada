"""Losses of consecutive steps, kept as tensors until the end of a chunk so that no step waits for a number."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.objectives.loss import Loss


class History:
    """The losses of a chunk's steps by name: of one run, each `[]`, or of a population, each `[members]`."""

    def __init__(self) -> None:
        self._series: dict[str, list[Tensor]] = {}
        self._totals: list[Tensor] = []
        self._steps: list[int] = []

    def add(self, phase: str, step: int, loss: Loss) -> None:
        """Keep a phase's loss at a step."""
        self._steps.append(step)
        self._totals.append(loss.total.detach())
        self._series.setdefault(phase, []).append(loss.total.detach())
        for name, value in loss.terms.items():
            self._series.setdefault(name, []).append(value.detach())

    def means(self) -> dict[str, Float[Tensor, "*members"]]:
        """The mean over the steps of each series: phases' totals by the phase's name, and terms by theirs."""
        return {name: torch.stack(values).mean(dim=0) for name, values in self._series.items()}

    def first_non_finite(self) -> tuple[Int[Tensor, "*members"], Float[Tensor, "*members"]]:
        """The first step at which a total was not finite, -1 where all were; and that total."""
        totals = torch.stack(self._totals)
        broken = ~torch.isfinite(totals)
        first = broken.int().argmax(dim=0, keepdim=True)
        steps = torch.tensor(self._steps, device=totals.device)[first[0]]
        return torch.where(broken.any(dim=0), steps, -1), totals.gather(0, first)[0]
