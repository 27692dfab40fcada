"""Priors against torch's distributions, quadrature, and the moments and laws of what they draw."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from paribus.densities import DiagonalGaussian, GaussianMixture, StandardNormal, SwissRoll, Uniform
from paribus.densities.gaussian import kl_from_standard_normal
from paribus.noise import draw

N = 100_000
ROUNDING = 1e-12


def drawn(prior, n=N, seed=0):
    noise = draw(prior.noise_spec(), n, torch.Generator().manual_seed(seed), like=torch.zeros((), dtype=torch.float64))
    code = prior.sample(noise)
    assert code.shape == (n, prior.features)
    return code


def assert_moment(values, expected):
    """The mean of independent values is within 5 standard errors of what it should be."""
    assert abs(values.mean() - expected) < 5 * values.std() / math.sqrt(len(values)) + ROUNDING


def reference(modes, radius, scale, features):
    angles = [2 * math.pi * mode / modes for mode in range(modes)]
    centres = torch.zeros(modes, features, dtype=torch.float64)
    circle = [[radius * math.cos(angle), radius * math.sin(angle)] for angle in angles]
    centres[:, :2] = torch.tensor(circle, dtype=torch.float64)
    each = Independent(Normal(centres, torch.full_like(centres, scale)), 1)
    return MixtureSameFamily(Categorical(torch.ones(modes, dtype=torch.float64)), each)


def posterior(features=2):
    generator = torch.Generator().manual_seed(3)
    mean, log_variance = torch.randn(2, 4, features, dtype=torch.float64, generator=generator)
    return DiagonalGaussian(2 * mean, log_variance - 1)


def test_the_standard_normal():
    prior, code = StandardNormal(3), torch.randn(5, 4, 3, dtype=torch.float64)
    expected = Independent(Normal(torch.zeros(3, dtype=torch.float64), 1.0), 1).log_prob(code)
    torch.testing.assert_close(prior.log_prob(code), expected, rtol=1e-12, atol=0)
    for column in drawn(prior).T:
        assert stats.kstest(column, "norm").pvalue > 1e-4
    q = posterior(3)
    assert torch.equal(prior.rate(q, code), kl_from_standard_normal(*q))


MIXTURES = [(10, 4.0, 0.5, 2), (3, 1.0, 0.3, 4), (1, 0.0, 1.0, 2), (10, 4.0, 0.01, 2)]
each_mixture = pytest.mark.parametrize(("modes", "radius", "scale", "features"), MIXTURES)


@each_mixture
def test_a_mixtures_density_is_torchs(modes, radius, scale, features):
    prior = GaussianMixture(features, modes, radius, scale)
    code = 3 * torch.randn(5, 4, features, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    code.requires_grad_()
    expected = reference(modes, radius, scale, features).log_prob(code)
    found = prior.log_prob(code)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad(each.sum(), code)[0] for each in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@each_mixture
def test_a_mixtures_samples(modes, radius, scale, features):
    """The mode by its frequency, where in it by its law, and both by the density: the mean of -log p is the entropy."""
    prior = GaussianMixture(features, modes, radius, scale)
    code = drawn(prior)
    assert_moment(code[:, 0] ** 2 + code[:, 1] ** 2, radius**2 + 2 * scale**2)
    for column in code.T:
        assert_moment(column, 0.0)
    if features > 2:
        assert stats.kstest(code[:, 2] / scale, "norm").pvalue > 1e-4
    if radius > 6 * scale:  # modes that are told apart
        own = torch.cdist(code, prior.centres(code)).argmin(dim=1)
        assert stats.chisquare(np.bincount(own, minlength=modes)).pvalue > 1e-4
        assert stats.kstest(((code - prior.centres(code)[own]) / scale).flatten(), "norm").pvalue > 1e-4
    theirs = reference(modes, radius, scale, features)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        independent = theirs.log_prob(theirs.sample((N,)))
    mine = prior.log_prob(code)
    spread = math.sqrt((mine.var() + independent.var()) / N)
    assert abs(mine.mean() - independent.mean()) < 5 * spread


def test_a_mixture_of_one_is_the_standard_normal():
    one, code = GaussianMixture(3, 1, 0.0, 1.0), torch.randn(6, 3, dtype=torch.float64)
    torch.testing.assert_close(one.log_prob(code), StandardNormal(3).log_prob(code), rtol=1e-12, atol=1e-12)


def test_the_last_mode_is_drawn_though_rounding_gives_1():
    prior = GaussianMixture(2, 10, 4.0, 0.5)
    code = prior.sample({"mode": torch.ones(1), "code": torch.zeros(1, 2)})
    torch.testing.assert_close(code, prior.centres(code)[-1:])


def test_a_mixtures_rate_is_the_divergence_on_average():
    """Against quadrature of q log q / p in the plane; 50,000 samples, 6 standard errors."""
    prior, q = GaussianMixture(2, 10, 4.0, 0.5), posterior()
    noise = torch.randn(4, 50_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    code = q.sample(noise)
    everyone = torch.cat([prior.rate(q, each).T for each in code[:300].split(1)])
    torch.testing.assert_close(prior.rate(q, code[:300]), everyone.mean(dim=0)[:, None])
    everyone = q.log_prob(code) - prior.log_prob(code)
    axis = torch.linspace(-8, 8, 301, dtype=torch.float64)
    for row in range(4):
        own = DiagonalGaussian(q.mean[row : row + 1], q.log_variance[row : row + 1])
        x, y = (q.mean[row, k] + axis * (q.log_variance[row, k] / 2).exp() for k in range(2))
        grid = torch.stack(torch.meshgrid(x, y, indexing="ij"), dim=-1).reshape(-1, 1, 2)
        log_q = own.log_prob(grid).squeeze(1)
        area = (x[1] - x[0]) * (y[1] - y[0])
        exact = (log_q.exp() * (log_q - prior.log_prob(grid).squeeze(1))).sum() * area
        assert (log_q.exp().sum() * area).item() == pytest.approx(1.0, abs=1e-12)
        assert abs(everyone[:, row].mean() - exact) < 6 * everyone[:, row].std() / math.sqrt(50_000)
        assert exact > 0


@pytest.mark.parametrize("size", [0.0, 1e4, -1e15])
def test_a_mixtures_density_is_finite_far_away(size):
    code = torch.full((1, 2), size, requires_grad=True)
    found = GaussianMixture(2, 10, 4.0, 0.5).log_prob(code)
    (gradient,) = torch.autograd.grad(found.sum(), code)
    assert found.isfinite().all()
    assert gradient.isfinite().all()


def test_the_swiss_roll():
    """Without noise t is told by the distance from the origin: uniform, and at angle t; with noise, by moments."""
    bare = drawn(SwissRoll(extent=3.0, scale=0.0)).numpy()
    t = np.linalg.norm(bare, axis=1) / 3.0 * 4.5 * math.pi
    np.testing.assert_allclose(
        bare, 3.0 * (t / (4.5 * math.pi))[:, None] * np.stack([np.cos(t), np.sin(t)], 1), atol=1e-9
    )
    assert stats.kstest(t, "uniform", args=(1.5 * math.pi, 3 * math.pi)).pvalue > 1e-4
    code = drawn(SwissRoll(extent=3.0, scale=0.1), seed=1)
    # the means over t of t cos t, t sin t and t^2 are 2, 2 / (3 pi) and 9.75 pi^2
    unit = 3.0 / (4.5 * math.pi)
    assert_moment(code[:, 0], 2 * unit)
    assert_moment(code[:, 1], 2 / (3 * math.pi) * unit)
    assert_moment(code.square().sum(dim=1), 9.75 * math.pi**2 * unit**2 + 2 * 0.1**2)


@pytest.mark.parametrize("features", [1, 3])
def test_the_uniform(features):
    code = drawn(Uniform(features, extent=2.0))
    assert code.abs().max() <= 2.0
    for column in code.T:
        assert stats.kstest(column, "uniform", args=(-2.0, 4.0)).pvalue > 1e-4
    correlation = np.corrcoef(code.T) if features > 1 else np.eye(1)
    assert np.abs(correlation - np.eye(features)).max() < 5 / math.sqrt(N)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: StandardNormal(0), "features is 0, expected at least 1"),
    (lambda: Uniform(0, 1.0), "features is 0, expected at least 1"),
    (lambda: GaussianMixture(1, 10, 4.0, 0.5), "features is 1, expected at least 2"),
    (lambda: GaussianMixture(2, 0, 4.0, 0.5), "modes is 0, expected at least 1"),
    (lambda: GaussianMixture(2, 10, -1.0, 0.5), r"radius is -1.0, expected a finite number at least 0"),
    (lambda: GaussianMixture(2, 10, 4.0, 0.0), r"scale is 0.0, expected a finite number above 0"),
    (lambda: SwissRoll(0.0, 0.1), r"extent is 0.0, expected a finite number above 0"),
    (lambda: SwissRoll(1.0, -0.1), r"scale is -0.1, expected a finite number at least 0"),
    (lambda: Uniform(2, math.inf), r"extent is inf, expected a finite number above 0"),
])  # fmt: skip
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
