"""Deep ensembles: the members of a population as one predictive distribution.

Source: Lakshminarayanan, Pritzel and Blundell, Simple and scalable predictive uncertainty estimation using deep
ensembles (2017). Members differ in their initial weights and the order of their batches; each sees all the data.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap

from paribus.families.regression import Regression
from paribus.objectives.likelihoods import Likelihood
from paribus.population.members import Population


def mixture_mean(means: Float[Tensor, "members n"]) -> Float[Tensor, "n"]:
    """The mean of an equal mixture."""
    return means.mean(dim=0)


def mixture_variance(
    means: Float[Tensor, "members n"], variances: Float[Tensor, "members n"] | Float[Tensor, "members 1"]
) -> Float[Tensor, "n"]:
    """The variance of an equal mixture, mean(variance + mean^2) - (mean of means)^2, as it does not cancel.

    That is the mean variance (what each member calls noise) plus the variance of the means (what they disagree on). For
    point predictions `variances` is 0 and this is the spread.
    """
    return variances.mean(dim=0) + means.var(dim=0, correction=0)


def mixture_log_density(log_densities: Float[Tensor, "members n"]) -> Float[Tensor, "n"]:
    """The log-density of an equal mixture, log mean exp, in nats."""
    return torch.logsumexp(log_densities, dim=0) - math.log(len(log_densities))


class Ensemble:
    """Regressions that predict together.

    Args:
        members: trained, of one kind of data.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, members: Sequence[Regression]) -> None:
        if not members:
            raise ValueError("members is empty, expected at least one trained regression")
        self.members = tuple(members)

    @classmethod
    def of(cls, population: Population) -> "Ensemble":
        """The members of a trained population that did not diverge."""
        pairs = zip(population.members, population.failures(), strict=True)
        return cls([member.family for member, failure in pairs if failure is None])  # type: ignore[misc]

    @torch.no_grad()
    def predict(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "members n"]:
        """Each member's prediction, in the units of the scaled target."""
        return torch.stack([member.eval().predict(x) for member in self.members])

    @torch.no_grad()
    def log_densities(self, x: Float[Tensor, "n features"], y: Float[Tensor, "n"]) -> Float[Tensor, "members n"]:
        """Each member's log-density of each target, in nats.

        Raises:
            ValueError: a member's objective is no likelihood, so it says nothing of the noise.
        """
        return torch.stack([_log_density(member, x, y) for member in self.members])

    def log_density(self, x: Float[Tensor, "n features"], y: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The mixture's log-density of each target, in nats; on average at least that of the mean member (Jensen)."""
        return mixture_log_density(self.log_densities(x, y))

    def spread(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n"]:
        """The standard deviation of the members' predictions: what they disagree on."""
        means = self.predict(x)
        return mixture_variance(means, torch.zeros_like(means)).sqrt()


def _log_density(member: Regression, x: Float[Tensor, "n features"], y: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    objective = member.objective
    if not isinstance(objective, Likelihood):
        raise ValueError(f"the objective is {type(objective).__name__}, expected a likelihood, which has a density")
    return vmap(lambda mean, target: -objective(mean[None], target[None]).total)(member.eval().predict(x), y)
