"""Gaussians with independent numbers: log-densities, divergences and reparametrised samples, in nats."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LOG_TWO_PI = math.log(2 * math.pi)


def gaussian_log_density(
    x: Float[Tensor, "*#shape"], mean: Float[Tensor, "*#shape"], log_variance: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*#shape"]:
    """log N(x; mean, exp(log_variance)) of each number, in nats; arguments are broadcast.

    Points so far out that the square overflows count as being at the edge of that, where a gradient of 0 is one.
    """
    edge = math.sqrt(torch.finfo(log_variance.dtype).max) / 2
    return -(LOG_TWO_PI + log_variance + standardised(x, mean, log_variance).clamp(-edge, edge).square()) / 2


def standardised(
    x: Float[Tensor, "*#shape"], mean: Float[Tensor, "*#shape"], log_variance: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*#shape"]:
    """(x - mean) / exp(log_variance / 2); 0 at the mean of a deviation too small for its inverse to be a number."""
    largest = math.log(torch.finfo(log_variance.dtype).max) - 1
    return (x - mean) * (-log_variance / 2).clamp(max=largest).exp()


def kl_from_standard_normal(
    mean: Float[Tensor, "*shape"], log_variance: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) of each number, in nats; 0 only at mean 0 and variance 1.

    1/2 (mean^2 + s^2 - 1 - log s^2), Kingma and Welling (2013), appendix B; expm1, because the two ends cancel near
    s = 1.
    """
    return (mean.square() + log_variance.expm1() - log_variance) / 2


class DiagonalGaussian(NamedTuple):
    """q(z | x) = N(mean, diag(exp(log_variance))) of each example.

    Attributes:
        mean, log_variance: `[batch, features]`.
    """

    mean: Float[Tensor, "batch features"]
    log_variance: Float[Tensor, "batch features"]

    def sample(self, noise: Float[Tensor, "batch samples features"]) -> Float[Tensor, "samples batch features"]:
        """mean + exp(log_variance / 2) * noise: samples, differentiable in mean and log_variance."""
        return self.mean + (self.log_variance / 2).exp() * noise.transpose(0, 1)

    def log_prob(self, code: Float[Tensor, "samples batch features"]) -> Float[Tensor, "samples batch"]:
        """log q(z | x), in nats."""
        squares = standardised(code, self.mean, self.log_variance).square()
        return -((squares + self.log_variance).sum(dim=-1) + self.mean.shape[-1] * LOG_TWO_PI) / 2
