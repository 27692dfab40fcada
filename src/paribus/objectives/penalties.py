"""What keeps a discriminator smooth: penalties on its gradient in the example, each example by itself."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paribus.noise import NoiseSpec
from paribus.number import Number
from paribus.objectives.loss import batch_mean

Critic = Callable[[Float[Tensor, "batch ..."]], Float[Tensor, "batch"]]
LEAST_SQUARE = 1e-20
"""Below it a gradient's square counts as this: the norm of 0 has no gradient of its own."""


class Penalty(nn.Module):
    """Base of all penalties: `forward(critic, real, fake, noise) -> []`, weighted and ready to be added to a loss."""

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The random numbers that each example needs, by name."""
        return {}

    def forward(
        self,
        critic: Critic,
        real: Float[Tensor, "batch ..."],
        fake: Float[Tensor, "batch ..."],
        noise: Mapping[str, Tensor],
    ) -> Float[Tensor, ""]:
        """The penalty of a minibatch."""
        raise NotImplementedError(f"{type(self).__name__} must implement forward")


def squared_gradient_norms(critic: Critic, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch"]:
    """|d critic(x_i) / d x_i|^2 of each example, differentiable in the critic's parameters.

    By `torch.func.grad` of the sum, which is each example's own gradient because no example changes another's score: a
    discriminator with batch normalisation breaks that.
    """
    gradient = torch.func.grad(lambda points: critic(points).sum())(x)
    return gradient.flatten(1).square().sum(dim=1)


class GradientPenalty(Penalty):
    """weight * mean (|gradient| - 1)^2 at points drawn uniformly between a real and a fake example.

    One-sided: only what exceeds 1 counts. Source: Gulrajani et al., Improved Training of Wasserstein GANs (2017),
    equation 3 and section 4.

    Args:
        weight: lambda; 10 in the paper.
        one_sided: whether gradients smaller than 1 go free.

    Raises:
        ValueError: weight is out of range.
    """

    weight = Number(least=0)

    def __init__(self, weight: float, one_sided: bool) -> None:
        super().__init__()
        self.weight, self.one_sided = weight, one_sided

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """Where between the two each point lies."""
        return {"between": NoiseSpec((), "uniform")}

    def forward(
        self,
        critic: Critic,
        real: Float[Tensor, "batch ..."],
        fake: Float[Tensor, "batch ..."],
        noise: Mapping[str, Tensor],
    ) -> Float[Tensor, ""]:
        """The penalty of a minibatch."""
        share = noise["between"].reshape(-1, *[1] * (real.ndim - 1))
        points = share * real + (1 - share) * fake
        excess = squared_gradient_norms(critic, points).clamp(min=LEAST_SQUARE).sqrt() - 1
        return self.weight.to(real.dtype) * batch_mean((excess.relu() if self.one_sided else excess).square())


class R1(Penalty):
    """weight / 2 * mean |gradient|^2 at the real examples.

    Source: Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually Converge? (2018), equation 9.

    Args:
        weight: gamma.

    Raises:
        ValueError: weight is out of range.
    """

    weight = Number(least=0)

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(
        self,
        critic: Critic,
        real: Float[Tensor, "batch ..."],
        fake: Float[Tensor, "batch ..."],
        noise: Mapping[str, Tensor],
    ) -> Float[Tensor, ""]:
        """The penalty of a minibatch."""
        return self.weight.to(real.dtype) / 2 * batch_mean(squared_gradient_norms(critic, real))
