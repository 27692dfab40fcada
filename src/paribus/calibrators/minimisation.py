"""A smooth convex function's minimum by L-BFGS, in float64, within a budget of work."""

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

EVALUATIONS = 2000
"""At most so many values and gradients, however little they cost."""
GRADIENT = 1e-8
"""The largest partial derivative at which the descent ends."""
NEARLY = 1e-7
"""The same, for a minimum to count as found: rounding in the value can end the descent before GRADIENT."""
PATIENCE = 10
"""Evaluations over which the value must fall by a share of STALLED, or the descent ends."""
STALLED = 1e-9
LEFT = 1e-7
"""And what a Newton step may still gain there, as a share of the value, for a minimum to count as found."""


class Enough(Exception):
    """Ends the optimiser from within an evaluation."""


class Descent:
    """The function as the optimiser sees it: the best point so far is kept, and where to stop is decided.

    Args:
        function: from a point to the value and its gradient there.
        start: the first point.
        evaluations: how many are allowed, the first included.
    """

    def __init__(self, function: Callable[[Tensor], tuple[float, Tensor]], start: Tensor, evaluations: int) -> None:
        self.function = function
        self.evaluations = evaluations
        self.point = start
        value, self.gradient = function(start)
        self.best = [value]

    def evaluate(self, point: Tensor) -> tuple[float, Tensor]:
        """The function there.

        Raises:
            Enough: nothing more is to be gained, or no evaluation is left.
        """
        if len(self.best) >= self.evaluations or self.stalled() or self.flat(GRADIENT):
            raise Enough
        value, gradient = self.function(point)
        if value < self.best[-1]:
            self.point, self.gradient = point.clone(), gradient
        self.best.append(min(value, self.best[-1]))
        return value, gradient

    def stalled(self) -> bool:
        """Whether the last evaluations gained next to nothing."""
        return len(self.best) > PATIENCE and self.best[-1 - PATIENCE] - self.best[-1] <= STALLED * abs(self.best[-1])

    def flat(self, most: float) -> bool:
        """Whether no partial derivative at the best point is larger."""
        return bool(self.gradient.abs().max() <= most)

    def found(self) -> bool:
        """Whether the best point counts as the minimum."""
        newton_gain = float(self.gradient.square().sum()) / 2
        return self.flat(NEARLY) or (self.stalled() and newton_gain <= LEFT * abs(self.best[-1]))


def minimise(
    function: Callable[[Tensor], tuple[float, Tensor]], start: Tensor, evaluations: int = EVALUATIONS
) -> tuple[Tensor, bool]:
    """The point where the function is least, never worse than the start, and whether it counts as the minimum.

    It does where the gradient vanishes, or where ten evaluations gained less than 1e-9 of the value and a Newton step
    would gain less than 1e-7 of it. The tolerances suit variables in whose units the curvature is about 1.

    Args:
        function: from a point to the value and its gradient there.
        start: where to begin; it is not changed.
        evaluations: how often the function may be called.
    """
    descent = Descent(function, start, evaluations)
    point = start.clone()
    point.requires_grad_(False)

    def closure() -> float:
        value, point.grad = descent.evaluate(point)
        return value

    optimizer = torch.optim.LBFGS(
        [point],
        max_iter=evaluations,
        max_eval=evaluations,
        tolerance_grad=GRADIENT,
        tolerance_change=1e-15,
        history_size=30,
        line_search_fn="strong_wolfe",
    )
    with suppress(Enough):
        optimizer.step(closure)
    return descent.point, descent.found()
