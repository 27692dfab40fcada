"""The one model of which everything is known: an affine decoder, a Gaussian of one variance, a standard normal prior.

x ~ N(offset, W W' + variance I): probabilistic PCA. Its evidence, its evidence lower bound for any Gaussian posterior
and the best that training can reach have closed forms, computed in float64.

Source: Tipping and Bishop, Probabilistic Principal Component Analysis (1999); as the linear VAE: Lucas et al., Don't
Blame the ELBO! (2019).
"""

import math
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.densities import DiagonalGaussian, Likelihood
from paribus.densities.gaussian import LOG_TWO_PI, kl_from_standard_normal
from paribus.families.vae import Vae

PROBES = 32
"""Random vectors at which a family's densities are held against those of such a model."""
AGREEMENT = 1e-9
"""How far apart the two may be, relative to their size: rounding, and no curve of a network."""


class LinearGaussianModel(NamedTuple):
    """p(z) = N(0, I), p(x | z) = N(offset + W z, variance I); everything in float64.

    Attributes:
        weight: W, `[numbers, features]`.
        offset: `[numbers]`.
        variance: of each number given the code.
    """

    weight: Float[Tensor, "numbers features"]
    offset: Float[Tensor, "numbers"]
    variance: Float[Tensor, ""]

    def log_evidence(self, x: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch"]:
        """log p(x), in nats, by Woodbury's identity: no matrix of numbers x numbers is made."""
        scale, (numbers, features) = self.variance.sqrt(), self.weight.shape
        stacked = torch.cat([self.weight / scale, torch.eye(features).to(self.weight)])
        basis, root = torch.linalg.qr(stacked)  # root' root = I + W' W / variance
        difference = torch.nn.functional.pad((x.double() - self.offset) / scale, (0, features))
        # The quadratic form is the least of |x - offset - W z|^2 / variance + |z|^2, a sum in which nothing cancels.
        quadratic = (difference - difference @ basis @ basis.T).square().sum(dim=1)
        log_determinant = numbers * self.variance.log() + 2 * root.diagonal().abs().log().sum()
        return -(numbers * LOG_TWO_PI + log_determinant + quadratic) / 2

    def distortion(self, x: Float[Tensor, "batch numbers"], posterior: DiagonalGaussian) -> Float[Tensor, "batch"]:
        """E_q[-log p(x | z)], in nats, of each example: exact, no sample is drawn."""
        mean, variance = posterior.mean.double(), posterior.log_variance.double().exp()
        residual = (x.double() - self.offset - mean @ self.weight.T).square().sum(dim=1)
        spread = variance @ self.weight.square().sum(dim=0)
        return (len(self.offset) * (LOG_TWO_PI + self.variance.log()) + (residual + spread) / self.variance) / 2

    def elbo(self, x: Float[Tensor, "batch numbers"], posterior: DiagonalGaussian) -> Float[Tensor, "batch"]:
        """The evidence lower bound, in nats, of each example: exact, no sample is drawn."""
        rate = kl_from_standard_normal(posterior.mean.double(), posterior.log_variance.double()).sum(dim=1)
        return -self.distortion(x, posterior) - rate


def linear_gaussian(family: Vae) -> LinearGaussianModel | None:
    """The model that a family is, where it is one of these.

    Found by asking, not by the names of its parts: the decoder is evaluated at zero and at the unit codes, which tell
    an affine map, and then it and the prior are held against what they should be at random codes of many sizes.
    """
    like, features, probes = next(family.parameters()), family.prior.features, Probes()
    decoder = deepcopy(family.decoder).double()
    units = torch.cat([torch.zeros(1, features), torch.eye(features)]).double()
    at_zero, *at_units = decoder(units.to(like.device)).flatten(1)
    weight = torch.stack(at_units, dim=1) - at_zero[:, None]
    variance = shared_variance(family.likelihood, at_zero)
    if variance is None:
        return None
    code = probes.normal(features).to(like.device)
    length, size = code.square().sum(dim=1), at_zero.abs().max() + code.abs() @ weight.abs().amax(dim=0)
    affine = _agree(decoder(code).flatten(1), at_zero + code @ weight.T, size[:, None])
    standard = _agree(family.prior.log_prob(code), -(features * LOG_TWO_PI + length) / 2, features + length)
    return LinearGaussianModel(weight, at_zero, variance) if affine and standard else None


def shared_variance(likelihood: Likelihood, output: Float[Tensor, "numbers"]) -> Float[Tensor, ""] | None:
    """The variance that a likelihood gives each number, where it is a Gaussian of one variance about the output.

    Found by asking: its density at the mean tells the variance, and then it is held against that Gaussian at random
    outputs and examples of many sizes.

    Args:
        likelihood: of any kind.
        output: of a decoder, in float64: how many numbers there are, and where.
    """
    numbers, probes = len(output), Probes()
    at_mean = likelihood.log_prob(output[None], output[None])[0]
    variance = (-2 * at_mean / numbers - LOG_TWO_PI).exp()
    outputs = probes.normal(numbers).to(output.device)
    x = outputs + probes.normal(numbers).to(output.device) * variance.sqrt()
    squares, constant = (x - outputs).square().sum(dim=1) / variance, numbers * (LOG_TWO_PI + variance.log())
    found = _agree(likelihood.log_prob(x, outputs), -(constant + squares) / 2, constant.abs() + squares)
    return variance if found else None


class Probes:
    """Random numbers of their own stream: an evaluation that asks draws afterwards what it would have drawn."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.sizes = torch.logspace(-2, 2, PROBES, dtype=torch.float64)[:, None]

    def normal(self, numbers: int) -> Float[Tensor, "probes numbers"]:
        """Vectors of many sizes, in float64."""
        return self.sizes * torch.randn(PROBES, numbers, generator=self.generator, dtype=torch.float64)


def _agree(given: Tensor, expected: Tensor, size: Tensor) -> bool:
    return bool(((given - expected).abs() <= AGREEMENT * size).all())


class Optimum(NamedTuple):
    """The best of these models for given examples.

    Attributes:
        variance: of each number given the code.
        log_evidence: the mean over the examples of log p(x), in nats. The ELBO reaches it.
        rate: the mean over the examples of KL(q(z | x) || p(z)) at the true posterior, in nats.
    """

    variance: float
    log_evidence: float
    rate: float


def covariance_eigenvalues(x: Float[Tensor, "batch numbers"]) -> Float[Tensor, "numbers"]:
    """Of the covariance of examples (divided by their number, as maximum likelihood has it), the largest first."""
    centred = x - x.mean(dim=0, dtype=torch.float64)
    return torch.linalg.eigvalsh(centred.T @ centred / len(x)).clamp(min=0).flip(0)


def optimum(eigenvalues: Float[Tensor, "numbers"], features: int, variance: float | None = None) -> Optimum | None:
    """The maximum of the likelihood, from the eigenvalues of the examples' covariance, the largest first.

    A free variance becomes the mean of the eigenvalues beyond the first `features`. W has a column
    sqrt(eigenvalue - variance) times the eigenvector for each of the first that exceeds the variance; the rate is
    sum 1/2 log(eigenvalue / variance) over these. So a fixed variance that none exceeds leaves W = 0: the posterior
    collapses. A free one cannot, unless all eigenvalues are equal.

    Args:
        eigenvalues: of `covariance_eigenvalues`.
        features: of the code.
        variance: where it is fixed; None: free.

    Returns:
        None where the likelihood has no maximum: no variance is left beyond the features.
    """
    eigenvalues = eigenvalues.double()
    if variance is None:
        left = eigenvalues[features:]
        variance = left.mean().item() if len(left) else 0.0
        if variance <= len(eigenvalues) * torch.finfo(torch.float64).eps * eigenvalues[0].item():
            return None
    kept = eigenvalues[:features].clamp(min=variance)
    quadratic = (eigenvalues[:features] / kept).sum() + (eigenvalues[features:] / variance).sum()
    log_ratio = (kept / variance).log().sum()
    log_determinant = log_ratio + len(eigenvalues) * math.log(variance)
    log_evidence = -(len(eigenvalues) * LOG_TWO_PI + log_determinant + quadratic) / 2
    return Optimum(variance, log_evidence.item(), (log_ratio / 2).item())
