"""Numbers of objectives, likelihoods and priors, kept so that they can be stacked over the members of a population."""

import math
from typing import Self, overload

import torch
from torch import Tensor, nn

SINGLE = torch.finfo(torch.float32)


class Number:
    """A number of a part: checked when its constructor sets it, then kept as a 0-d float64 buffer.

    A buffer, so that `torch.func.stack_module_state` stacks it over the members of a population; float64, so that the
    number typed is the number used (0.1 stays 0.1 under float64); non-persistent, since the config and not the
    checkpoint says what it is. A term casts it to its residuals' dtype, so a size that float32 would turn into 0 or
    infinity is refused.

    Example:
        class Huber(RegressionObjective):
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
        within = math.isfinite(value) and value > self.above and value >= self.least and value < self.below
        if not within or not (value == 0 or SINGLE.tiny <= abs(value) <= SINGLE.max):
            raise ValueError(f"{self.name} is {value!r}, expected {self._range()}")
        module.register_buffer(self.name, torch.tensor(value, dtype=torch.float64), persistent=False)

    @overload
    def __get__(self, module: None, owner: type) -> Self: ...

    @overload
    def __get__(self, module: nn.Module, owner: type) -> Tensor: ...

    def __get__(self, module: nn.Module | None, owner: type) -> Self | Tensor:
        if module is None:
            return self
        number = module._buffers.get(self.name)
        if number is None:
            raise AttributeError(f"{owner.__name__} has no number {self.name}")
        return number

    def _range(self) -> str:
        bounds = [
            f"above {self.above:g}" if self.above > -math.inf else "",
            f"at least {self.least:g}" if self.least > -math.inf else "",
            f"below {self.below:g}" if self.below < math.inf else "",
        ]
        return " ".join(filter(None, ["a finite number", " and ".join(filter(None, bounds)), "within float32's range"]))
