"""Regression losses whose influence falls back to 0 for gross outliers: Cauchy and Tukey's biweight.

They are not convex: a fit can have several minima, so the start matters. Both behave as r^2 / 2 near 0.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.number import Number
from paribus.objectives.loss import Loss, RegressionObjective, batch_mean
from paribus.objectives.residuals import log1p_square, residuals


def cauchy(residual: Float[Tensor, "batch"], scale: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """scale^2 / 2 log(1 + (r / scale)^2)."""
    unit = scale.to(residual.dtype)
    return unit.square() / 2 * log1p_square(residual.abs(), unit)


def tukey(residual: Float[Tensor, "batch"], cutoff: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """cutoff^2 / 6 (1 - (1 - x)^3) with x = min(|r| / cutoff, 1)^2, multiplied out since it cancels for small r."""
    unit = cutoff.to(residual.dtype)
    capped = torch.minimum(residual.abs(), unit)
    share = (capped / unit).square()
    return capped.square() / 2 * (1 - share + share.square() / 3)


class Cauchy(RegressionObjective):
    """The mean of scale^2 / 2 log(1 + (r / scale)^2). Unit: that of the target, squared.

    Influence r / (1 + (r / scale)^2): redescending, largest at |r| = scale, falls as 1 / r.
    Source: Holland and Welsch, Robust regression using iteratively reweighted least-squares (1977).

    Args:
        scale: where the influence is largest, in the target's units; its square must be a float32 number.

    Raises:
        ValueError: scale is out of range.
    """

    scale = Number(least=1e-18, below=1e18)

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `cauchy`."""
        mean = batch_mean(cauchy(residuals(prediction, target), self.scale))
        return Loss(mean, {"cauchy": mean})


class Tukey(RegressionObjective):
    """The mean of Tukey's biweight, cutoff^2 / 6 (1 - (1 - (r / cutoff)^2)^3), constant beyond the cutoff.

    Influence r (1 - (r / cutoff)^2)^2 within the cutoff and 0 beyond: redescending, so that an example beyond it does
    not pull at all. Unit: that of the target, squared. A cutoff of 4.685 standard deviations is 95 % efficient under
    Gaussian noise. Source: Beaton and Tukey, The fitting of power series (1974).

    Args:
        cutoff: where the influence ends, in the target's units; its square must be a float32 number.

    Raises:
        ValueError: cutoff is out of range.
    """

    cutoff = Number(least=1e-18, below=1e18)

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `tukey`."""
        mean = batch_mean(tukey(residuals(prediction, target), self.cutoff))
        return Loss(mean, {"tukey": mean})
