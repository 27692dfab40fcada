"""Regression by maximum likelihood: negative log-densities of the residual, in nats, constants included.

One scale is shared by all examples: fixed, or learned together with the network. The total is that of a density:
it may be negative.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paribus.number import Number
from paribus.objectives.loss import Loss, RegressionObjective, batch_mean
from paribus.objectives.residuals import log1p_square, residuals

LEAST_SCALE, LARGEST_SCALE = 1e-18, 1e18


def gaussian_nll(residual: Float[Tensor, "batch"], log_scale: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """-log N(r; 0, scale^2), in nats."""
    return log_scale + math.log(2 * math.pi) / 2 + (residual / log_scale.exp()).square() / 2


def laplace_nll(residual: Float[Tensor, "batch"], log_scale: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """-log Laplace(r; 0, scale), in nats."""
    return log_scale + math.log(2) + residual.abs() / log_scale.exp()


def student_t_nll(
    residual: Float[Tensor, "batch"], log_scale: Float[Tensor, ""], degrees_of_freedom: Float[Tensor, ""]
) -> Float[Tensor, "batch"]:
    """-log t(r; 0, scale) with n degrees of freedom, in nats: (n + 1) / 2 log(1 + r^2 / (n scale^2)) + constants."""
    dtype, half = residual.dtype, degrees_of_freedom / 2
    constant = torch.lgamma(half) - torch.lgamma(half + 0.5) + (math.pi * degrees_of_freedom).log() / 2
    unit = log_scale.exp() * degrees_of_freedom.sqrt().to(dtype)
    return log_scale + constant.to(dtype) + (half + 0.5).to(dtype) * log1p_square(residual.abs(), unit)


class Likelihood(RegressionObjective):
    """What the likelihoods share: a scale in the target's units, a fixed number or the parameter `log_scale`.

    A learned scale is held between 1e-18 and 1e18, because a perfect fit would drive it to 0.

    Args:
        scale: the scale of the noise, or where a learned one starts.
        learn_scale: learn it, as a parameter that the optimizer of the network trains.

    Raises:
        ValueError: scale is out of range.
    """

    scale = Number(least=LEAST_SCALE, below=LARGEST_SCALE)

    def __init__(self, scale: float, learn_scale: bool) -> None:
        super().__init__()
        self.scale = scale
        self.learn_scale = learn_scale
        if learn_scale:
            self.log_scale = nn.Parameter(self.scale.log().to(torch.get_default_dtype()))
            del self.scale  # one source of the scale: the number only says where the parameter starts

    def log_scale_as(self, dtype: torch.dtype) -> Float[Tensor, ""]:
        """The logarithm of the scale in use."""
        if self.learn_scale:
            return self.log_scale.clamp(math.log(LEAST_SCALE), math.log(LARGEST_SCALE)).to(dtype)
        return self.scale.log().to(dtype)


class GaussianLikelihood(Likelihood):
    """The mean of log scale + log(2 pi) / 2 + (r / scale)^2 / 2: the squared loss, with its noise.

    Influence r / scale^2: unbounded. A learned scale ends at the root mean square of the residuals.
    Source: Bishop, Pattern Recognition and Machine Learning (2006), section 1.2.5. Arguments as `Likelihood`.
    """

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `negative_log_likelihood`."""
        mean = batch_mean(gaussian_nll(residuals(prediction, target), self.log_scale_as(prediction.dtype)))
        return Loss(mean, {"negative_log_likelihood": mean})


class LaplaceLikelihood(Likelihood):
    """The mean of log(2 scale) + |r| / scale: the absolute loss, with its noise.

    Influence sign(r) / scale: bounded. A learned scale ends at the mean absolute residual.
    Source: Murphy, Probabilistic Machine Learning: An Introduction (2022), section 2.7.3. Arguments as `Likelihood`.
    """

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `negative_log_likelihood`."""
        mean = batch_mean(laplace_nll(residuals(prediction, target), self.log_scale_as(prediction.dtype)))
        return Loss(mean, {"negative_log_likelihood": mean})


class StudentTLikelihood(Likelihood):
    """The mean of -log t(r): heavy tails, between Cauchy (1 degree of freedom) and Gaussian (infinitely many).

    Influence (n + 1) r / (n scale^2 + r^2): redescending, largest at |r| = scale sqrt(n).
    Source: Lange, Little and Taylor, Robust statistical modeling using the t distribution (1989).

    Args:
        degrees_of_freedom: n; above 0, and below a million, where it is Gaussian to six digits.
        scale: of the density, in the target's units, or where a learned one starts. It is not the standard deviation,
            which is scale sqrt(n / (n - 2)) for n > 2.
        learn_scale: see `Likelihood`.

    Raises:
        ValueError: degrees_of_freedom or scale is out of range.
    """

    degrees_of_freedom = Number(above=0, below=1e6)

    def __init__(self, degrees_of_freedom: float, scale: float, learn_scale: bool) -> None:
        super().__init__(scale, learn_scale)
        self.degrees_of_freedom = degrees_of_freedom

    def forward(self, prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Loss:
        """The loss of a batch, with the term `negative_log_likelihood`."""
        log_scale = self.log_scale_as(prediction.dtype)
        mean = batch_mean(student_t_nll(residuals(prediction, target), log_scale, self.degrees_of_freedom))
        return Loss(mean, {"negative_log_likelihood": mean})
