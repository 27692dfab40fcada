"""Learning-rate schedules as pure functions of progress.

Each is called with the step, from 0, and the number of steps of the whole budget, and gives the factor that multiplies
the base learning rate. Having no state, one schedule serves a run alone, a population of stacked optimizers and a
resumed run alike. Past the end of the budget the last factor is kept.
"""

import math
from dataclasses import dataclass


def cosine_decay(progress: float, final: float) -> float:
    """From 1 at progress 0 to `final` at progress 1 along half a cosine (Loshchilov and Hutter 2017, equation 5)."""
    return final + (1 - final) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def _require(condition: bool, name: str, value: float, expected: str) -> None:
    if not condition:
        raise ValueError(f"{name} is {value!r}, expected {expected}")


@dataclass(frozen=True)
class Constant:
    """The base learning rate throughout."""

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor at a step: 1."""
        return 1.0


@dataclass(frozen=True)
class Step:
    """Multiplies the learning rate by a factor every so many steps, as `torch.optim.lr_scheduler.StepLR`.

        factor ** floor(step / every)

    Args:
        every: how many optimizer steps between two changes; at least 1.
        factor: what each change multiplies by; above 0 and at most 1.

    Raises:
        ValueError: every or factor is out of range.
    """

    every: int
    factor: float

    def __post_init__(self) -> None:
        _require(self.every >= 1, "every", self.every, "at least 1")
        _require(0 < self.factor <= 1, "factor", self.factor, "a number above 0 and at most 1")

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor at a step."""
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the base learning rate to a share of it, as `torch.optim.lr_scheduler.CosineAnnealingLR`.

        final + (1 - final) (1 + cos(pi step / total_steps)) / 2

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017), equation 5, no restart.

    Args:
        final: the share that is left at the end of the budget; from 0 to 1.

    Raises:
        ValueError: final is out of range, or the budget has no step.
    """

    final: float

    def __post_init__(self) -> None:
        _require(0 <= self.final <= 1, "final", self.final, "a number from 0 to 1")

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor at a step."""
        _require(total_steps >= 1, "total_steps", total_steps, "at least 1")
        return cosine_decay(step / total_steps, self.final)


@dataclass(frozen=True)
class Warmup:
    """A straight line from a share of the base learning rate up to it, then half a cosine down to another share.

    The line is `torch.optim.lr_scheduler.LinearLR`; with `final` 1 the learning rate stays constant after it. A budget
    that is no longer than the warm-up ends within it.

        start + (1 - start) step / steps                                               up to `steps`
        final + (1 - final) (1 + cos(pi (step - steps) / (total_steps - steps))) / 2   after them

    Source: Goyal et al., Accurate, Large Minibatch SGD (2017), section 2.2; Loshchilov and Hutter, SGDR (2017),
    equation 5.

    Args:
        steps: how many optimizer steps the warm-up takes; at least 1.
        start: the share at the first step; from 0 to 1.
        final: the share at the end of the budget; from 0 to 1.

    Raises:
        ValueError: steps, start or final is out of range.
    """

    steps: int
    start: float
    final: float

    def __post_init__(self) -> None:
        _require(self.steps >= 1, "steps", self.steps, "at least 1")
        _require(0 <= self.start <= 1, "start", self.start, "a number from 0 to 1")
        _require(0 <= self.final <= 1, "final", self.final, "a number from 0 to 1")

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor at a step."""
        if step <= self.steps:
            return self.start + (1 - self.start) * step / self.steps
        return cosine_decay((step - self.steps) / max(total_steps - self.steps, 1), self.final)
