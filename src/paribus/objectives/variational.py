"""Bounds on log p(x): what a variational autoencoder minimises, each term in nats."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.densities import DiagonalGaussian, EvaluablePrior
from paribus.densities.gaussian import gaussian_log_density
from paribus.number import Number
from paribus.objectives.loss import Loss, Objective, batch_mean
from paribus.supplied import Supplied

NEXT_TO_NOTHING = 1e-300


class Inference(NamedTuple):
    """What is inferred of a minibatch.

    Attributes:
        posterior: q(z | x) of each example.
        code: samples of it, `[samples, batch, features]`.
        distortion: of each sample, in nats: -log p(x | z), or what the likelihood has in its place; `[samples, batch]`.
        prior: p(z).
        progress: the share of training that is done, in [0, 1].
        constant: what -log p(x | z) has beyond the distortion, so that bounds are bounds; in nats.
    """

    posterior: DiagonalGaussian
    code: Float[Tensor, "samples batch features"]
    distortion: Float[Tensor, "samples batch"]
    prior: EvaluablePrior
    progress: float
    constant: float = 0.0

    def log_weights(self) -> Float[Tensor, "samples batch"]:
        """log p(x, z) - log q(z | x) of each sample."""
        log_likelihood = -(self.distortion + self.constant)
        return self.prior.log_prob(self.code) + log_likelihood - self.posterior.log_prob(self.code)

    def elbo(self, distortion: Float[Tensor, ""], rate: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """The evidence lower bound, unweighted, of a mean distortion and a mean rate."""
        return -(distortion + self.constant + rate)


class VariationalObjective(Objective):
    """Of what is inferred of a minibatch: `forward(inference) -> Loss`.

    Attributes:
        samples: of each posterior that it needs.
    """

    samples: int = 1


class Elbo(VariationalObjective):
    """distortion + weight * rate: the negative evidence lower bound where the weight is 1.

    distortion = E_q[-log p(x | z)], rate = KL(q(z | x) || p(z)), both summed over an example's numbers and averaged
    over the batch. The weight climbs linearly from 0 to beta over the first part of each cycle and stays there.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013); beta: Higgins et al. (2017); free bits: Kingma
    et al., Improving Variational Inference with Inverse Autoregressive Flow (2016), appendix C.8; cyclic annealing: Fu
    et al. (2019), R and M.

    Args:
        beta: weight of the rate.
        free_nats: the least that each group of features (each feature, where the prior factorises) counts for: the rate
            that is minimised is sum_j max(free_nats, minibatch mean of KL_j). 0 frees nothing: an estimate of a rate
            counts as it is, even below 0.
        ramp: share of a cycle over which the weight climbs, in [0, 1]; 0: it is beta from the start.
        cycles: how often training goes through such a climb; 1 is linear annealing.
        samples: of each posterior; the mean over them estimates the distortion.

    Raises:
        ValueError: an argument is out of range.
    """

    beta = Number(least=0)
    free_nats = Number(least=0)
    ramp = Number(least=0)

    def __init__(self, beta: float, free_nats: float, ramp: float, cycles: int, samples: int) -> None:
        super().__init__()
        self.beta, self.free_nats, self.ramp = beta, free_nats, ramp
        if ramp > 1:
            raise ValueError(f"ramp is {ramp}, expected a share of a cycle from 0 to 1")
        for name, value in {"cycles": cycles, "samples": samples}.items():
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self.cycles, self.samples = cycles, samples

    def weight(self, progress: float) -> Float[Tensor, ""]:
        """Of the rate, when a share `progress` of training is done."""
        position = min(progress, math.nextafter(1.0, 0.0)) * self.cycles % 1.0  # the end is that of the last cycle
        climbed = (position + NEXT_TO_NOTHING) / self.ramp.clamp(min=NEXT_TO_NOTHING)  # at once where the ramp is 0
        return self.beta * climbed.clamp(max=1.0)

    def forward(self, inference: Inference) -> Loss:
        """The loss, with the terms `distortion`, `rate` (nothing freed, unweighted), `elbo` and `weight`."""
        distortion = batch_mean(inference.distortion.flatten())
        by_group = inference.prior.rate(inference.posterior, inference.code).mean(dim=0)
        rate = by_group.sum()
        floor = torch.where(self.free_nats > 0, self.free_nats, -torch.inf).to(by_group.dtype)
        counted = by_group.clamp(min=floor).sum()
        weight = self.weight(inference.progress).to(rate.dtype)
        terms = {"distortion": distortion, "rate": rate, "elbo": inference.elbo(distortion, rate), "weight": weight}
        return Loss(distortion + weight * counted, terms)


def log_aggregate(
    posterior: DiagonalGaussian, code: Float[Tensor, "batch features"], examples: int
) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch"]]:
    """log q(z) and sum_j log q(z_j) at a sample of each posterior of a minibatch, of so many examples in all.

    At a sample of q(z | x_i), q(z) ~ q(z | x_i) / N + (N - 1) / N * (mean of q(z | x_j) over the others): exact where
    the minibatch is all N examples, and else unbiased, so that its logarithm is too small on average (Jensen).
    Chen et al. (2018), appendix C.2, averaged over which of the others their stratified minibatch has last. The weights
    of their C.1, 1 / (N * batch) for all, understate q(z) by up to a factor of N: no term would mean what it is called.
    """
    n, others = examples, len(code) - 1
    own, other = -math.log(n), math.log(max(n - 1, 1) / (n * max(others, 1)))
    shares = torch.eye(others + 1, dtype=code.dtype, device=code.device) * (own - other) + other
    # log q(z_i's feature | x_j), [i, j, features]
    pairs = gaussian_log_density(code[:, None], posterior.mean[None], posterior.log_variance[None])
    log_joint = torch.logsumexp(pairs.sum(dim=-1) + shares, dim=1)
    return log_joint, torch.logsumexp(pairs + shares[..., None], dim=1).sum(dim=-1)


class BetaTcVae(VariationalObjective):
    """distortion + alpha * mutual information + beta * total correlation + gamma * dimension-wise KL.

    The three add up to the rate (Hoffman and Johnson, ELBO surgery, 2016). They are of the aggregate posterior q(z) =
    mean of q(z | x_n) over the training part, which `log_aggregate` estimates from the minibatch.
    Source: Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders (2018), equation 2.

    Args:
        alpha: weight of I(x; z).
        beta: weight of KL(q(z) || prod_j q(z_j)).
        gamma: weight of sum_j KL(q(z_j) || p(z_j)).
        examples: in the training part.

    Raises:
        ValueError: a weight is out of range.
    """

    alpha = Number(least=0)
    beta = Number(least=0)
    gamma = Number(least=0)

    def __init__(self, alpha: float, beta: float, gamma: float, examples: Supplied[int]) -> None:
        super().__init__()
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.examples = examples

    def forward(self, inference: Inference) -> Loss:
        """The loss, with the terms `distortion`, `mutual_information`, `total_correlation`, `dimension_wise_kl`,
        `rate` (their sum: a Monte-Carlo estimate) and `elbo`.
        """
        posterior, code = inference.posterior, inference.code[0]
        dtype = code.dtype
        log_joint, log_marginals = log_aggregate(posterior, code, self.examples)
        log_posterior, log_prior = posterior.log_prob(inference.code)[0], inference.prior.log_prob(code)
        information = batch_mean(log_posterior - log_joint)
        correlation = batch_mean(log_joint - log_marginals)
        by_dimension = batch_mean(log_marginals - log_prior)
        distortion = batch_mean(inference.distortion.mean(dim=0))
        rate = information + correlation + by_dimension
        weighted = (
            self.alpha.to(dtype) * information + self.beta.to(dtype) * correlation + self.gamma.to(dtype) * by_dimension
        )
        terms = {
            "distortion": distortion,
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_wise_kl": by_dimension,
            "rate": rate,
            "elbo": inference.elbo(distortion, rate),
        }
        return Loss(distortion + weighted, terms)


class Iwae(VariationalObjective):
    """-log 1/K sum_k p(x, z_k) / q(z_k | x): a bound that is the tighter the more samples it has.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders (2016), equation 8. With one sample it is
    the ELBO, with the rate estimated from that sample.

    Args:
        samples: K, at least 1.

    Raises:
        ValueError: samples is below 1.
    """

    def __init__(self, samples: int) -> None:
        super().__init__()
        if samples < 1:
            raise ValueError(f"samples is {samples}, expected at least 1")
        self.samples = samples

    def forward(self, inference: Inference) -> Loss:
        """The loss, with the terms `distortion`, `rate`, `elbo` (for comparison) and `bound`."""
        bound = batch_mean(torch.logsumexp(inference.log_weights(), dim=0) - math.log(self.samples))
        distortion = batch_mean(inference.distortion.mean(dim=0))
        rate = batch_mean(inference.prior.rate(inference.posterior, inference.code).sum(dim=1))
        terms = {"distortion": distortion, "rate": rate, "elbo": inference.elbo(distortion, rate), "bound": bound}
        return Loss(-bound, terms)
