"""How far a discriminator is from the best one, where the densities of both kinds of examples are known.

Source: Goodfellow et al., Generative Adversarial Nets (2014), section 4.1: against p and q the best discriminator is
D = p / (p + q), and the value of the game with it is 2 JSD(p, q) - log 4.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from paribus.data.contract import rows_at_once
from paribus.data.gaussian_mixtures import GaussianModes
from paribus.densities.gaussian import LOG_TWO_PI
from paribus.families.gan import Gan
from paribus.noise import NoiseSpec
from paribus.study.factors import Metric

PROBES = 32
"""Random latents at which a generator is held against an affine map."""
AGREEMENT = 1e-5
"""How far apart the two may be, relative to their size: float32's rounding, and no curve of a network."""
SINGULAR = 1e-6
"""A covariance's root whose singular values differ by more has no density to compute in float32."""
NODES, REACH = 8001, 10.0
"""Of the quadrature in one dimension: over so many deviations to each side of a Gaussian."""

MEASURES = (
    Metric("value_of_discriminator", "neither", "nats"),
    Metric("optimal_value", "neither", "nats"),
    Metric("value_gap", "minimise", "nats"),
    Metric("score_difference", "neither"),
    Metric("jsd", "minimise", "nats"),
    Metric("wasserstein_1", "minimise", "units of the inputs"),
)


class Gaussian(NamedTuple):
    """N(mean, root root'), in float64.

    Attributes:
        mean: `[numbers]`.
        root: lower triangular, with a diagonal above 0, `[numbers, numbers]`.
    """

    mean: Float[Tensor, "numbers"]
    root: Float[Tensor, "numbers numbers"]

    def points(self, standard: Float[Tensor, "n numbers"]) -> Float[Tensor, "n numbers"]:
        """Where standard normal points are moved to."""
        return self.mean + standard @ self.root.T

    def log_density(self, x: Float[Tensor, "n numbers"]) -> Float[Tensor, "n"]:
        """In nats."""
        standard = torch.linalg.solve_triangular(self.root, (x - self.mean).T, upper=False)
        log_volume = self.root.diagonal().log().sum() + len(self.mean) * LOG_TWO_PI / 2
        return -standard.square().sum(dim=0) / 2 - log_volume


class Cloud(NamedTuple):
    """Points whose weighted mean is an expectation.

    Attributes:
        points: `[n, numbers]`, float64.
        weight: `[n]`, of sum 1.
    """

    points: Float[Tensor, "n numbers"]
    weight: Float[Tensor, "n"]

    def mean(self, values: Float[Tensor, "n"]) -> float:
        """Of the values at the points."""
        return (self.weight * values).sum().item()


def game(family: Gan, data: GaussianModes, generator: torch.Generator) -> dict[str, float]:
    """The metrics of `MEASURES`, by name; none where the generator's density is not known.

    `value_of_discriminator` is V(D) = E_p log D + E_q log(1 - D), with D the sigmoid of the score, where scores are
    logits. `optimal_value` is the largest of any D, `value_gap` what is missing from it, and `jsd` the divergence of p
    and q, from 0 to log 2. `score_difference` is E_p score -
    E_q score: of a 1-Lipschitz critic at most the Wasserstein distance.
    `wasserstein_1` is of two Gaussians in one dimension.

    All are of the generator that the discriminator was trained against, not of averaged weights. Expectations are by
    quadrature in one dimension, else means over the test part and as many fresh examples: there `value_gap` has the
    noise of these, which ends as D comes to the best one.
    """
    q = generated_gaussian(family)
    if q is None:
        return {}
    real, fake = clouds(data, q, generator)
    scores = [scored(family, cloud.points).cpu() for cloud in (real, fake)]
    best = [data.log_density(cloud.points) - q.log_density(cloud.points) for cloud in (real, fake)]
    reached, optimal = (
        real.mean(logsigmoid(on_real)) + fake.mean(logsigmoid(-on_fake)) for on_real, on_fake in (scores, best)
    )
    measured = {
        "optimal_value": optimal,
        "score_difference": real.mean(scores[0]) - fake.mean(scores[1]),
        "jsd": (optimal + math.log(4)) / 2,
    }
    if family.objective.logits:
        measured |= {"value_of_discriminator": reached, "value_gap": optimal - reached}
    if data.centres.shape == (1, 1):
        measured["wasserstein_1"] = wasserstein_1(data.centres.item() - q.mean.item(), data.scale - q.root.item())
    return measured


def generated_gaussian(family: Gan) -> Gaussian | None:
    """The distribution of what a generator makes, where that is an affine map of normal numbers and fills the space.

    Found by asking, not by the names of its parts: examples are made of no noise and of the unit vectors, which tell an
    affine map, and then it is held against the generator at random noise of many sizes.
    """
    spec = {name.removeprefix("discriminator/"): each for name, each in family.held_out_noise_spec().items()}
    if any(each.distribution != "normal" for each in spec.values()):
        return None
    numbers = sum(math.prod(each.shape) for each in spec.values())
    at_zero, *at_units = _made(family, spec, torch.cat([torch.zeros(1, numbers), torch.eye(numbers)]))
    weight = torch.stack(at_units, dim=1) - at_zero[:, None]
    sizes = torch.logspace(-2, 2, PROBES)[:, None]
    probe = sizes * torch.randn(PROBES, numbers, generator=torch.Generator().manual_seed(0))
    difference = (_made(family, spec, probe) - at_zero - probe.double() @ weight.T).abs().amax(dim=1)
    size = at_zero.abs().max() + (probe.double().abs() @ weight.abs().T).amax(dim=1)
    if not (difference <= AGREEMENT * size).all():
        return None
    singular = torch.linalg.svdvals(weight)
    if len(singular) < len(weight) or singular[-1] <= SINGULAR * singular[0]:
        return None
    upper = torch.linalg.qr(weight.T).R
    return Gaussian(at_zero, (upper * upper.diagonal().sign()[:, None]).T)


def _made(family: Gan, spec: dict[str, NoiseSpec], noise: Float[Tensor, "n all"]) -> Float[Tensor, "n numbers"]:
    """Examples of noise that is given as vectors, flat and in float64 on the CPU."""
    parts = noise.to(next(family.parameters())).split([math.prod(each.shape) for each in spec.values()], dim=1)
    named = {name: part.reshape(-1, *spec[name].shape) for name, part in zip(spec, parts, strict=True)}
    return family.generated(named).flatten(1).double().cpu()


def clouds(data: GaussianModes, q: Gaussian, generator: torch.Generator) -> tuple[Cloud, Cloud]:
    """Of the data and of what is generated."""
    if len(q.mean) == 1:
        standard = torch.linspace(-REACH, REACH, NODES, dtype=torch.float64)
        density = (-standard.square() / 2).softmax(dim=0)
        modes = torch.from_numpy(data.centres) + data.scale * standard
        return (
            Cloud(modes.reshape(-1, 1), density.repeat(len(modes)) / len(modes)),
            Cloud(q.points(standard[:, None]), density),
        )
    x = data.parts["test"]["x"].double().cpu()
    fresh = q.points(torch.randn(x.shape, dtype=torch.float64, generator=generator))
    equal = torch.full((len(x),), 1 / len(x), dtype=torch.float64)
    return Cloud(x, equal), Cloud(fresh, equal)


def scored(family: Gan, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n"]:
    """The discriminator's score of each example, in float64."""
    like = next(family.parameters())
    parts = x.split(rows_at_once(x))
    return torch.cat([family.score(part.reshape(-1, *family.in_shape).to(like)) for part in parts]).double()


def wasserstein_1(shift: float, spread: float) -> float:
    """Between Gaussians in one dimension, given the differences of their means and of their standard deviations.

    E|shift + spread t| with t ~ N(0, 1), the mean of a folded normal: quantiles are matched to quantiles.
    """
    if spread == 0:
        return abs(shift)
    ratio = shift / abs(spread)
    return abs(spread) * (math.sqrt(2 / math.pi) * math.exp(-(ratio**2) / 2) + ratio * math.erf(ratio / math.sqrt(2)))
