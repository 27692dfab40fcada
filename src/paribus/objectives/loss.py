"""What every objective is and returns: a `Loss`, and numbers that can be stacked over the members of a population."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Loss(NamedTuple):
    """A scalar to minimise and the named terms it is made of; a family logs each as `{stage}/{term}`."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]


class Number:
    """A number of an objective: checked when it is set, kept as a 0-d float64 buffer.

    A buffer, so that `torch.func.stack_module_state` stacks it over the members of a population; float64, so that the
    number typed is the number used (0.1 stays 0.1 under float64 and does not widen float32 arithmetic); non-persistent,
    since the config and not the checkpoint says what it is.

    Example:
        class Huber(Objective):
            delta = Number(above=0)

            def __init__(self, delta: float) -> None:
                super().__init__()
                self.delta = delta
    """

    def __init__(self, *, above: float = -math.inf, least: float = -math.inf, below: float = math.inf) -> None:
        self.above, self.least, self.below = above, least, below

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, module: nn.Module, value: float) -> None:
        if not (math.isfinite(value) and value > self.above and value >= self.least and value < self.below):
            raise ValueError(f"{self.name} is {value!r}, expected {self._range()}")
        module.register_buffer(self.name, torch.tensor(value, dtype=torch.float64), persistent=False)

    def __get__(self, module: nn.Module, owner: type) -> Tensor:
        if module is None:
            return self  # type: ignore[return-value]  # the descriptor itself, for documentation tools
        try:
            return module._buffers[self.name]  # type: ignore[return-value]
        except KeyError:
            raise AttributeError(self.name) from None

    def _range(self) -> str:
        bounds = [
            f"above {self.above:g}" if self.above > -math.inf else "",
            f"at least {self.least:g}" if self.least > -math.inf else "",
            f"below {self.below:g}" if self.below < math.inf else "",
        ]
        return "a finite number " + " and ".join(bound for bound in bounds if bound)


class Objective(nn.Module):
    """What is minimised. Plain arguments; knows no config, optimizer, logger or network."""
