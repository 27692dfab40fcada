"""What each loss estimates: the constant that minimises it over a sample."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch

from paribus.objectives import (
    Absolute,
    Cauchy,
    GaussianLikelihood,
    Huber,
    LaplaceLikelihood,
    LogCosh,
    Quantile,
    Squared,
    StudentTLikelihood,
    Tukey,
)

SAMPLE = torch.from_numpy(np.random.default_rng(0).standard_t(3, size=101))


def minimiser(objective):
    def loss(constant):
        return objective(torch.full_like(SAMPLE, constant), SAMPLE).total.item()

    return scipy.optimize.minimize_scalar(loss, bracket=(-1.0, 1.0), tol=1e-12).x


def learned_scale(likelihood):
    """The scale to which L-BFGS takes the likelihood's parameter, at prediction 0."""
    optimizer = torch.optim.LBFGS([likelihood.log_scale], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = likelihood(torch.zeros_like(SAMPLE), SAMPLE).total
        loss.backward()
        return loss

    optimizer.step(closure)
    return likelihood.log_scale.exp().item()


def test_squared_gives_the_mean():
    assert minimiser(Squared()) == pytest.approx(SAMPLE.mean().item(), abs=1e-6)


def test_absolute_gives_the_median():
    assert minimiser(Absolute()) == pytest.approx(SAMPLE.median().item(), abs=1e-6)


@pytest.mark.parametrize("level", [0.1, 0.253, 0.9])
def test_quantile_gives_the_quantile(level):
    order = int(np.ceil(level * len(SAMPLE))) - 1  # the only minimiser where level n is no integer
    assert minimiser(Quantile(level)) == pytest.approx(SAMPLE.sort().values[order].item(), abs=1e-6)


def test_half_the_absolute_loss_is_the_median_quantile():
    zeros = torch.zeros_like(SAMPLE)
    half = Absolute()(zeros, SAMPLE).total / 2
    torch.testing.assert_close(Quantile(0.5)(zeros, SAMPLE).total, half, rtol=1e-14, atol=0)


def test_huber_goes_from_the_median_to_the_mean():
    assert minimiser(Huber(1e-4)) == pytest.approx(SAMPLE.median().item(), abs=1e-3)
    assert minimiser(Huber(1e3)) == pytest.approx(SAMPLE.mean().item(), abs=1e-6)


@pytest.mark.parametrize("objective", [Cauchy(1e6), Tukey(1e6), StudentTLikelihood(9e5, 1.0, learn_scale=False)])
def test_wide_robust_losses_give_the_mean(objective):
    assert minimiser(objective) == pytest.approx(SAMPLE.mean().item(), abs=1e-4)


@pytest.mark.parametrize("objective", [Huber(1.0), LogCosh(), Cauchy(1.0), Tukey(4.0)])
def test_robust_losses_withstand_a_gross_outlier(objective):
    contaminated = torch.cat([SAMPLE, torch.full((10,), 1e6, dtype=torch.float64)])

    def loss(constant):
        return objective(torch.full_like(contaminated, constant), contaminated).total.item()

    found = scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded").x
    assert abs(found - SAMPLE.median().item()) < 0.5
    assert contaminated.mean() > 1e4


def test_learned_gaussian_scale_is_the_root_mean_square():
    assert learned_scale(GaussianLikelihood(0.5, learn_scale=True)) == pytest.approx(
        SAMPLE.square().mean().sqrt().item(), rel=1e-5
    )


def test_learned_laplace_scale_is_the_mean_absolute_value():
    assert learned_scale(LaplaceLikelihood(0.5, learn_scale=True)) == pytest.approx(
        SAMPLE.abs().mean().item(), rel=1e-5
    )


def test_learned_student_t_scale_is_scipys_maximum_likelihood():
    _, _, scale = scipy.stats.t.fit(SAMPLE.numpy(), fdf=3.0, floc=0.0)
    assert learned_scale(StudentTLikelihood(3.0, 0.5, learn_scale=True)) == pytest.approx(scale, rel=1e-3)
