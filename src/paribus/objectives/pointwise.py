"""Regression losses that grow without bound: squared, absolute, Huber, log-cosh and quantile.

Each is a pure term per example, rho(r) of the residual r = target - prediction, and an objective that takes its mean.
The influence function is psi(r) = d rho / d r: what one example can pull.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.number import Number
from paribus.objectives.loss import Loss, RegressionObjective, batch_mean
from paribus.objectives.residuals import residuals


def squared(residual: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """r^2."""
    return residual.square()


def absolute(residual: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """|r|."""
    return residual.abs()


def huber(residual: Float[Tensor, "batch"], delta: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """r^2 / 2 within delta, delta (|r| - delta / 2) beyond; written as q (|r| - q / 2) with q = min(|r|, delta)."""
    size = residual.abs()
    capped = torch.minimum(size, delta.to(residual.dtype))
    return capped * (size - capped / 2)


def log_cosh(residual: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """log cosh r, as |r| + log(1 + e^(-2|r|)) - log 2; within 1, where that cancels, as log(1 + 2 sinh^2(r / 2))."""
    size = residual.abs()
    near, far = size.clamp(max=1), size.clamp(min=1)
    return torch.where(
        size <= 1,
        torch.log1p(2 * torch.sinh(near / 2).square()),
        far + torch.log1p(torch.exp(-2 * far)) - math.log(2),
    )


def quantile(residual: Float[Tensor, "batch"], level: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """max(level r, (level - 1) r)."""
    over, under = level.to(residual.dtype), (level - 1).to(residual.dtype)
    return torch.maximum(over * residual, under * residual)


class Squared(RegressionObjective):
    """The mean of r^2, minimised by the conditional mean. Unit: that of the target, squared.

    Influence 2 r: unbounded, so that one gross outlier moves the fit as far as it likes.
    Source: Gauss, Theoria combinationis observationum (1823).
    Where r^2 exceeds the dtype (1.8e19 in float32) it is +inf, and its gradient still finite.
    """

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `squared`."""
        mean = batch_mean(squared(residuals(prediction, target)))
        return Loss(mean, {"squared": mean})


class Absolute(RegressionObjective):
    """The mean of |r|, minimised by the conditional median. Unit: that of the target.

    Influence sign(r), 0 at 0: bounded. Source: Bloomfield and Steiger, Least Absolute Deviations (1983).
    """

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `absolute`."""
        mean = batch_mean(absolute(residuals(prediction, target)))
        return Loss(mean, {"absolute": mean})


class Huber(RegressionObjective):
    """The mean of r^2 / 2 within delta and delta (|r| - delta / 2) beyond. Unit: that of the target, squared.

    Influence clip(r, -delta, delta): bounded. Source: Huber, Robust estimation of a location parameter (1964).

    Args:
        delta: where the square becomes linear, in the target's units; above 0.

    Raises:
        ValueError: delta is out of range.
    """

    delta = Number(above=0)

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `huber`."""
        mean = batch_mean(huber(residuals(prediction, target), self.delta))
        return Loss(mean, {"huber": mean})


class LogCosh(RegressionObjective):
    """The mean of log cosh r: r^2 / 2 near 0 and |r| - log 2 far away, with every derivative continuous.

    Influence tanh(r): bounded. Source: Green, Bayesian reconstructions from emission tomography data (1990).
    """

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `log_cosh`."""
        mean = batch_mean(log_cosh(residuals(prediction, target)))
        return Loss(mean, {"log_cosh": mean})


class Quantile(RegressionObjective):
    """The mean of max(level r, (level - 1) r), minimised by the conditional quantile. Unit: that of the target.

    Influence level above 0 and level - 1 below: bounded. At level 0.5 it is half the absolute loss.
    Source: Koenker and Bassett, Regression quantiles (1978).

    Args:
        level: the share of targets to lie below the prediction; above 0 and below 1.

    Raises:
        ValueError: level is out of range.
    """

    level = Number(above=0, below=1)

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `quantile`."""
        mean = batch_mean(quantile(residuals(prediction, target), self.level))
        return Loss(mean, {"quantile": mean})
