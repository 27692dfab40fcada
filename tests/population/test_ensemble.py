"""Ensembles against exact mixtures, Jensen's inequality, a convex problem, and a linear model's exact posterior."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from paribus.data import Contamination, Line
from paribus.families import Regression
from paribus.networks import Linear, Mlp
from paribus.objectives import GaussianLikelihood, LaplaceLikelihood, Loss, Squared, StudentTLikelihood
from paribus.population import Member, Population
from paribus.population.ensemble import Ensemble, mixture_log_density, mixture_mean, mixture_variance
from paribus.schedules import Constant, Cosine
from paribus.training import Training

NOISE, PRIOR = 0.5, 1.0


def training(**changes):
    settings = {
        "max_steps": 300, "max_epochs": None, "max_minutes": None, "validate_every": 1000, "chunk_steps": 64,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


def line(n_train=30, batch_size=30, seed=0):
    clean = Contamination(fraction=0.0, size=0.0, sides="one", placement="random")
    data = Line(
        n_train=n_train, n_validation=1, n_test=200, slope=2.0, intercept=1.0, noise=NOISE, x_low=-1.0, x_high=1.0,
        batch_size=batch_size, contamination=clean, input_scaling="none", target_scaling="none", seed=seed,
    )  # fmt: skip
    data.setup()
    return data


def regression(seed, network, objective, lr=0.01, cls=Regression, scheduler=None):
    return cls(
        network,
        objective,
        lambda parameters: torch.optim.Adam(parameters, lr=lr),
        scheduler or Constant(),
        1,
        seed,
        0.0,
    )


def networks(count, make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [make() for _ in range(count)]


def test_moments_and_density_of_a_mixture():
    generator = np.random.default_rng(0)
    means, scales, at = (
        generator.normal(size=(5, 7)),
        generator.uniform(0.1, 2.0, size=(5, 7)),
        generator.normal(size=7),
    )
    density = np.mean([stats.norm(mean, scale).pdf(at) for mean, scale in zip(means, scales, strict=True)], axis=0)
    logs = torch.from_numpy(stats.norm(means, scales).logpdf(at))
    np.testing.assert_allclose(mixture_log_density(logs).numpy(), np.log(density), rtol=1e-12)
    mean, variance = mixture_mean(torch.from_numpy(means)), mixture_variance(*map(torch.from_numpy, (means, scales**2)))
    grid = np.linspace(-15, 15, 20001)
    for column in range(7):
        values = stats.norm(means[:, column, None], scales[:, column, None]).pdf(grid).mean(axis=0)
        first = np.trapezoid(values * grid, grid)
        assert mean[column].item() == pytest.approx(first, abs=1e-9)
        assert variance[column].item() == pytest.approx(np.trapezoid(values * (grid - first) ** 2, grid), rel=1e-8)


@pytest.mark.parametrize(
    ("objective", "distribution"),
    [
        (lambda: GaussianLikelihood(0.7, False), stats.norm(scale=0.7)),
        (lambda: LaplaceLikelihood(0.7, False), stats.laplace(scale=0.7)),
        (lambda: StudentTLikelihood(4.0, 0.7, False), stats.t(4.0, scale=0.7)),
    ],
)
def test_a_members_density_is_that_of_its_likelihood(objective, distribution):
    ensemble = Ensemble([regression(0, Linear(1, 1).double(), objective()) for _ in range(2)])
    x, y = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None], torch.linspace(-3, 5, 9, dtype=torch.float64)
    expected = distribution.logpdf((y - ensemble.predict(x)).numpy())
    np.testing.assert_allclose(ensemble.log_densities(x, y).numpy(), expected, rtol=1e-10)


def test_the_mixture_is_at_least_as_good_as_its_mean_member(tmp_path):
    data = line()
    nets = networks(
        5, lambda: Mlp(hidden=[16], activation="tanh", normalisation="none", dropout=0.0, in_features=1, out_features=1)
    )
    families = [regression(seed, net, GaussianLikelihood(1.0, True)) for seed, net in enumerate(nets)]
    population = Population([Member(family, data) for family in families], training())
    population.fit(tmp_path)
    ensemble, test = Ensemble.of(population), data.parts["test"]
    mixture = -ensemble.log_density(test["x"], test["y"])
    members = -ensemble.log_densities(test["x"], test["y"])
    assert (mixture <= members.mean(dim=0) + 1e-12).all()
    assert mixture.mean() < members.mean()
    assert (ensemble.spread(test["x"]) > 0).all()


def test_a_convex_problem_leaves_no_spread(tmp_path):
    """Members that differ in their start and order alone all find the one minimum."""
    data = line()
    families = [
        regression(seed, net, Squared(), 0.05, scheduler=Cosine(final=0.0))
        for seed, net in enumerate(networks(4, lambda: Linear(1, 1)))
    ]
    population = Population([Member(family, data) for family in families], training(max_steps=1500))
    population.fit(tmp_path)
    assert Ensemble.of(population).spread(data.parts["test"]["x"]).max() < 1e-6


class Anchored(Regression):
    """Randomised maximum a posteriori: targets perturbed by the noise, weights anchored at a draw of the prior."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        generator = torch.Generator().manual_seed(self.seed)
        self.register_buffer("anchor", PRIOR * torch.randn(2, generator=generator, dtype=torch.float64))
        self.register_buffer("shift", NOISE * torch.randn(30, generator=generator, dtype=torch.float64))

    def loss(self, batch, noise):
        residual = batch["y"] + self.shift - self.predict(batch["x"])
        weights = torch.cat([self.network.linear.weight.flatten(), self.network.linear.bias])
        prior = ((weights - self.anchor) / PRIOR).square().sum() / 2
        total = (residual / NOISE).square().sum() / 2 + prior
        return Loss(total, {"total": total})

    def validation_loss(self, batch):
        mean = self.predict(batch["x"]).mean()
        return Loss(mean, {})


class InOrder(Anchored):
    """Sees its rows in the order of the data, so that each keeps its shift."""

    def loss(self, batch, noise):
        order = batch["x"][:, 0].argsort()
        return super().loss({name: rows[order] for name, rows in batch.items()}, noise)


def test_anchored_members_are_draws_of_the_posterior(tmp_path):
    """Of a linear model: covariance (X'X / noise^2 + 1 / prior^2)^-1; 2,000 members know a deviation to 1.6 %."""
    data = line()
    nets = networks(1, lambda: Linear(1, 1)) * 2000
    families = [regression(seed, net, Squared(), 0.1, InOrder, Cosine(final=0.0)) for seed, net in enumerate(nets)]
    population = Population([Member(family, data) for family in families], training(), tile=2000)
    population.fit(tmp_path)
    weights = next(population.tiles())[0].matrices[0]
    x, y = data.parts["train"]["x"], data.parts["train"]["y"]
    design = torch.cat([x, torch.ones_like(x)], dim=1)
    covariance = torch.linalg.inv(design.T @ design / NOISE**2 + torch.eye(2) / PRIOR**2)
    mean = covariance @ design.T @ y / NOISE**2
    deviation = covariance.diagonal().sqrt()
    assert (weights.std(dim=0) / deviation - 1).abs().max() < 0.05
    assert ((weights.mean(dim=0) - mean) / deviation).abs().max() < 4 / math.sqrt(2000)


def test_what_has_no_density_says_so():
    ensemble = Ensemble([regression(0, Linear(1, 1), Squared())])
    with pytest.raises(ValueError, match="Squared, expected a likelihood"):
        ensemble.log_density(torch.zeros(1, 1), torch.zeros(1))
    with pytest.raises(ValueError, match="members is empty"):
        Ensemble([])
