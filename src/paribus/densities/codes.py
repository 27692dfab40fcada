"""The structured part of a latent: categories and continuous features, and what a network says of them."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot

from paribus.densities.gaussian import gaussian_log_density
from paribus.noise import NoiseSpec

LEAST_LOG_VARIANCE = -10.0
"""Of a continuous feature: below it q would be rewarded without end for a feature that it reads exactly."""


class LatentCode(nn.Module):
    """One category, uniform over some, and features uniform on [-1, 1], all independent.

    Source: Chen et al., InfoGAN (2016).

    Args:
        categories: how many; 0 for no category, else at least 2.
        continuous: features; at least 0.

    Attributes:
        features: numbers of a code: a 1 among zeros for the category, then the continuous features.
        parameters_of_q: numbers that say what a code was: logits, then means, then logarithms of variances.
        entropy: H(c), in nats; of the continuous features the differential entropy, log 2 each.

    Raises:
        ValueError: an argument is out of range, or the code is empty.
    """

    def __init__(self, categories: int, continuous: int) -> None:
        super().__init__()
        if categories < 0 or categories == 1:
            raise ValueError(f"categories is {categories}, expected 0 or at least 2")
        if continuous < 0 or categories + continuous == 0:
            raise ValueError(f"continuous is {continuous}, expected at least {0 if categories else 1}")
        self.categories, self.continuous = categories, continuous
        self.features = categories + continuous
        self.parameters_of_q = categories + 2 * continuous
        self.entropy = math.log(max(categories, 1)) + continuous * math.log(2)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for the category, and one for each continuous feature."""
        spec = {"category": NoiseSpec((), "uniform")} if self.categories else {}
        return spec | ({"continuous": NoiseSpec((self.continuous,), "uniform")} if self.continuous else {})

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """Codes, as a function of noise."""
        parts = []
        if self.categories:
            uniform = noise["category"]
            category = (uniform * self.categories).long().clamp(max=self.categories - 1)
            parts.append(one_hot(category, self.categories).to(uniform.dtype))
        if self.continuous:
            parts.append(2 * noise["continuous"] - 1)
        return torch.cat(parts, dim=1)

    def log_q(
        self, parameters: Float[Tensor, "batch parameters"], code: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch"]:
        """log q(c): the log-probability of the category and the Gaussian log-density of the continuous features."""
        category, continuous = code.split([self.categories, self.continuous], dim=1)
        logits, mean, log_variance = parameters.split([self.categories, self.continuous, self.continuous], dim=1)
        of_category = (logits.log_softmax(dim=1) * category).sum(dim=1)
        held = log_variance.clamp(min=LEAST_LOG_VARIANCE)
        return of_category + gaussian_log_density(continuous, mean, held).sum(dim=1)
