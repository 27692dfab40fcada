"""What a variational autoencoder infers of held-out or training examples, in bounded memory."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import rows_at_once
from paribus.densities import DiagonalGaussian
from paribus.evaluation.evidence import LinearGaussianModel
from paribus.families.vae import Vae


class Inferred(NamedTuple):
    """What is inferred of examples, in float64 and nats.

    Attributes:
        posterior: q(z | x) of each.
        distortion: E_q[-log p(x | z)] of each.
        rate: KL(q(z | x) || p(z)) of each, as groups of features that add up to it.
    """

    posterior: DiagonalGaussian
    distortion: Float[Tensor, "batch"]
    rate: Float[Tensor, "batch groups"]

    @property
    def elbo(self) -> Float[Tensor, "batch"]:
        """Of each example."""
        return -(self.distortion + self.rate.sum(dim=1))


def inferred(family: Vae, x: Float[Tensor, "batch ..."], samples: int, exact: LinearGaussianModel | None) -> Inferred:
    """The posterior and the terms of the ELBO of each example, by some samples of each posterior.

    Args:
        family: evaluated.
        x: examples.
        samples: of each posterior.
        exact: what the family is, where the distortion needs no samples.
    """
    parts = []
    for some in x.split(max(1, rows_at_once(x) // samples)):
        single, flat = family.posterior(some), some.flatten(1)
        code = single.sample(torch.randn(len(some), samples, family.prior.features).to(some))
        posterior = DiagonalGaussian(single.mean.double(), single.log_variance.double())
        if exact:
            distortion = exact.distortion(flat, posterior)
        else:
            distortion = -family.likelihood.log_prob(flat, family.decode(code)).double().mean(dim=0)
        parts.append((*posterior, distortion, family.prior.rate(posterior, code.double())))
    mean, log_variance, distortion, rate = (torch.cat(column) for column in zip(*parts, strict=True))
    return Inferred(DiagonalGaussian(mean, log_variance), distortion, rate)
