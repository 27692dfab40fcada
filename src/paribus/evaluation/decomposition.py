"""What the rate is made of, over the aggregate posterior of some examples: information, correlation, distance."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.densities import DiagonalGaussian, EvaluablePrior
from paribus.densities.gaussian import gaussian_log_density

PAIRS_AT_ONCE = 2**16
"""Log-densities of a feature of a sample under the posterior of an example that are held at once, in float64."""


class RateTerms(NamedTuple):
    """Means over examples and samples, in nats: rate = mutual_information + aggregate_kl, and
    aggregate_kl = total_correlation + dimension_wise_kl.

    Attributes:
        rate: E KL(q(z | x) || p(z)), estimated from the samples.
        mutual_information: I(x; z) = E KL(q(z | x) || q(z)); of N examples it cannot exceed log N.
        aggregate_kl: KL(q(z) || p(z)), the distance of the aggregate posterior from the prior.
        total_correlation: KL(q(z) || prod_j q(z_j)).
        dimension_wise_kl: sum_j KL(q(z_j) || p(z_j)) where the prior factorises; else no divergence, but what is left.
    """

    rate: float
    mutual_information: float
    aggregate_kl: float
    total_correlation: float
    dimension_wise_kl: float


def rate_terms(
    posterior: DiagonalGaussian, code: Float[Tensor, "samples batch features"], prior: EvaluablePrior
) -> RateTerms:
    """The terms over q(z) = 1/N sum_n q(z | x_n), the mixture of these N posteriors and no estimate of it.

    The expectations are over the same samples, so the terms add up to the rate estimated from these up to rounding,
    whatever the Monte-Carlo error of each.

    Source: Hoffman and Johnson, ELBO surgery (2016); Chen et al., Isolating Sources of Disentanglement in Variational
    Autoencoders (2018), equation 2.

    Args:
        posterior: q(z | x_n) of the N examples.
        code: samples of it.
        prior: p(z).
    """
    posterior, code = DiagonalGaussian(posterior.mean.double(), posterior.log_variance.double()), code.double()
    log_posterior, log_prior = posterior.log_prob(code).flatten(), prior.log_prob(code).flatten()
    log_joint, log_marginals = log_mixture(posterior, code.flatten(0, 1))
    return RateTerms(
        rate=(log_posterior - log_prior).mean().item(),
        mutual_information=(log_posterior - log_joint).mean().item(),
        aggregate_kl=(log_joint - log_prior).mean().item(),
        total_correlation=(log_joint - log_marginals.sum(dim=1)).mean().item(),
        dimension_wise_kl=(log_marginals.sum(dim=1) - log_prior).mean().item(),
    )


def log_mixture(
    posterior: DiagonalGaussian, code: Float[Tensor, "codes features"]
) -> tuple[Float[Tensor, "codes"], Float[Tensor, "codes features"]]:
    """log q(z) and the log q(z_j) of each feature, in nats, of the mixture of all examples' posteriors."""
    mean, log_variance = posterior.mean.T, posterior.log_variance.T  # the examples last: they are summed over
    joint, marginals = [], []
    for some in code.split(max(1, PAIRS_AT_ONCE // mean.numel())):
        pairs = gaussian_log_density(some[:, :, None], mean, log_variance)  # [codes, features, examples]
        joint.append(torch.logsumexp(pairs.sum(dim=1), dim=1))
        marginals.append(torch.logsumexp(pairs, dim=2))
    examples = math.log(mean.shape[1])
    return torch.cat(joint) - examples, torch.cat(marginals) - examples
