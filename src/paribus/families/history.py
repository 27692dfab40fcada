"""Losses of consecutive steps, kept as tensors until the end of a chunk so that no step waits for a number."""

import torch
from torch import Tensor

from paribus.errors import NonFiniteLoss
from paribus.objectives.loss import Loss


class History:
    """The losses of a chunk's steps by name."""

    def __init__(self) -> None:
        self._series: dict[str, list[Tensor]] = {}
        self._steps: dict[str, list[int]] = {}

    def add(self, phase: str, step: int, loss: Loss) -> None:
        """Keep a phase's loss at a step."""
        self._steps.setdefault(phase, []).append(step)
        self._series.setdefault(phase, []).append(loss.total.detach())
        for name, value in loss.terms.items():
            self._series.setdefault(name, []).append(value.detach())

    def means(self) -> dict[str, Tensor]:
        """The mean of each series: phases' totals by the phase's name, and terms by theirs.

        Raises:
            NonFiniteLoss: a total is not finite; names the first such step.
        """
        stacked = {name: torch.stack(values) for name, values in self._series.items()}
        for phase, steps in self._steps.items():
            finite = torch.isfinite(stacked[phase])
            if not finite.all():
                first = int(finite.int().argmin())
                raise NonFiniteLoss(steps[first], float(stacked[phase][first]))
        return {name: values.mean() for name, values in stacked.items()}
