"""A smooth convex function's minimum by L-BFGS, in float64."""

from collections.abc import Callable

import torch
from torch import Tensor

ITERATIONS = 1000
GRADIENT = 1e-8
"""The largest partial derivative at which the descent ends."""
NEARLY = 1e-7
"""The same, for a minimum to count as found: rounding in the value can end the descent before GRADIENT."""


def minimise(function: Callable[[Tensor], tuple[float, Tensor]], start: Tensor) -> tuple[Tensor, bool]:
    """The point where the function is least, never worse than the start, and whether its gradient vanishes there.

    The tolerances suit a function whose curvature is at most about 1, such as the mean NLL of standardised logits.

    Args:
        function: from a point to the value and its gradient there.
        start: where to begin; it is not changed.
    """
    point = start.clone()
    point.requires_grad_(False)
    best = (function(point)[0], start)

    def closure() -> float:
        nonlocal best
        value, point.grad = function(point)
        if value < best[0]:
            best = (value, point.clone())
        return value

    optimizer = torch.optim.LBFGS(
        [point],
        max_iter=ITERATIONS,
        max_eval=2 * ITERATIONS,
        tolerance_grad=GRADIENT,
        tolerance_change=1e-15,
        history_size=30,
        line_search_fn="strong_wolfe",
    )
    optimizer.step(closure)
    _, gradient = function(best[1])
    return best[1], bool(gradient.abs().max() <= NEARLY)
