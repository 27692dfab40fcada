"""What every objective is and returns: a `Loss`, and numbers that can be stacked over the members of a population."""

import math
from collections.abc import Mapping
from typing import NamedTuple, Self, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn

SINGLE = torch.finfo(torch.float32)


class Loss(NamedTuple):
    """A scalar to minimise and the named terms it is made of; a family logs each as `{stage}/{term}`."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]


def batch_mean(term: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
    """The mean over the batch, in the term's dtype: the one division of an objective.

    Summed in float64, because the sum of a batch overflows float32 where its mean does not.
    """
    return term.mean(dtype=torch.float64).to(term.dtype)


class Number:
    """A number of an objective: checked when its constructor sets it, then kept as a 0-d float64 buffer.

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


class Objective(nn.Module):
    """What is minimised. Plain arguments; knows no config, optimizer, logger or network."""

    def __init__(self) -> None:  # so that the signature of an objective without arguments is empty, not nn.Module's
        super().__init__()


class RegressionObjective(Objective):
    """Of a prediction and a target of each example: `forward(prediction [batch], target [batch]) -> Loss`."""


class ClassificationObjective(Objective):
    """Of the logits and the label of each example: `forward(logits [batch, classes], label [batch]) -> Loss`."""
