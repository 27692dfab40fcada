"""Diagonal Gaussians against torch's distributions, arithmetic of many digits, and Monte Carlo."""

import math

import mpmath
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from paribus.densities import DiagonalGaussian
from paribus.densities.gaussian import gaussian_log_density, kl_from_standard_normal

POINTS = [(0.3, -0.7), (-2.0, 1.1), (1e-5, -1e-6), (4.0, -9.0)]
"""Means and logarithms of variances."""


def posterior(batch=6, features=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, batch, features, dtype=torch.float64, generator=generator).to(dtype)
    return DiagonalGaussian(mean, log_variance)


def reference(q):
    return Independent(Normal(q.mean, (q.log_variance / 2).exp()), 1)


def exact_divergence(mean, log_variance):
    """In 60 digits, of the floats as they are."""
    with mpmath.workdps(60):
        m, s = mpmath.mpf(mean), mpmath.mpf(log_variance)
        return float((m**2 + mpmath.e**s - 1 - s) / 2)


def test_divergence_is_torchs():
    q = posterior()
    expected = kl_divergence(reference(q), Independent(Normal(torch.zeros_like(q.mean), 1.0), 1))
    torch.testing.assert_close(kl_from_standard_normal(*q).sum(dim=1), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("mean", "log_variance"), POINTS)
def test_divergence_is_the_mean_log_ratio(mean, log_variance):
    """Of 200,000 samples, within 6 standard errors."""
    q = DiagonalGaussian(*(torch.full((1, 1), each, dtype=torch.float64) for each in (mean, log_variance)))
    noise = torch.randn(1, 200_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    code = q.sample(noise)
    ratios = (q.log_prob(code) - Normal(0.0, 1.0).log_prob(code).sum(dim=-1)).squeeze(-1)
    error = abs(ratios.mean() - kl_from_standard_normal(*q).sum())
    assert error < 6 * ratios.std() / math.sqrt(len(ratios)) + 1e-15


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("mean", "log_variance"),
    [*POINTS, (0.0, 1e-3), (1e-3, 0.0), (1e4, 80.0), (-1e4, -80.0), (0.0, -1e4), (1e18, 0.0), (0.0, 88.0)],
)
def test_divergence_to_the_last_digits_and_finite_wherever_it_is(mean, log_variance, dtype):
    """Near variance 1 exp(s) - 1 and s cancel to s^2 / 2: what is left of it has an error of eps times s."""
    inputs = [torch.tensor(each, dtype=dtype, requires_grad=True) for each in (mean, log_variance)]
    found, eps = kl_from_standard_normal(*inputs), torch.finfo(dtype).eps
    expected = exact_divergence(inputs[0].item(), inputs[1].item())
    assert found.item() == pytest.approx(expected, rel=200 * eps, abs=4 * eps * min(abs(inputs[1].item()), 1.0))
    assert found >= 0
    by_mean, by_log_variance = torch.autograd.grad(found, inputs)
    assert by_mean.item() == pytest.approx(mean, rel=4 * eps)
    assert by_log_variance.item() == pytest.approx(math.expm1(inputs[1].item()) / 2, rel=200 * eps, abs=2 * eps)


def test_divergence_is_0_only_at_the_standard_normal():
    assert kl_from_standard_normal(torch.zeros(3), torch.zeros(3)).tolist() == [0.0] * 3
    for mean, log_variance in [(1e-3, 0.0), (0.0, 1e-2), (0.0, -1e-2), (-1.0, 0.0)]:
        assert kl_from_standard_normal(torch.tensor(mean), torch.tensor(log_variance)).item() > 0


def test_log_density_is_torchs_in_value_and_gradient():
    q = posterior()
    code = torch.randn(5, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    inputs = (code, *(each.requires_grad_() for each in q))
    found, expected = q.log_prob(code), reference(q).log_prob(code)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), inputs), torch.autograd.grad(expected.sum(), inputs), rtol=1e-12, atol=1e-12
    )
    by_number = gaussian_log_density(code, *q)
    torch.testing.assert_close(by_number, Normal(q.mean, (q.log_variance / 2).exp()).log_prob(code))


def test_samples_are_mean_plus_deviation_times_noise():
    q = posterior()
    noise = torch.randn(6, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    code = q.sample(noise)
    assert code.shape == (4, 6, 3)
    for sample in range(4):
        expected = q.mean + q.log_variance.exp().sqrt() * noise[:, sample]
        torch.testing.assert_close(code[sample], expected)


def test_gradients_pass_through_samples():
    """E z^2 = mean^2 + variance, whose gradient is (2 mean, variance); 400,000 samples, 6 standard errors."""
    mean, log_variance = (torch.full((1, 1), each, dtype=torch.float64, requires_grad=True) for each in (0.7, -0.4))
    noise = torch.randn(1, 400_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    DiagonalGaussian(mean, log_variance).sample(noise).square().mean().backward()
    assert mean.grad.item() == pytest.approx(1.4, abs=6 * 2 * math.exp(-0.2) / math.sqrt(400_000))
    # z dz/ds = (mean + d n) d n, of variance at most E((mean + d n) d n)^2
    second = (0.49 + 3 * math.exp(-0.4)) * math.exp(-0.4)
    assert log_variance.grad.item() == pytest.approx(math.exp(-0.4), abs=6 * math.sqrt(second / 400_000))


@pytest.mark.parametrize("mean", [0.0, 1.0, -1e4])
@pytest.mark.parametrize("log_variance", [-1000.0, -200.0, -90.0, -80.0, 0.0, 80.0])
def test_log_density_at_own_samples_is_finite(mean, log_variance):
    """In float32: an encoder may give what it likes, and the density of a sample is a number."""
    q = DiagonalGaussian(*(torch.full((1, 1), each, requires_grad=True) for each in (mean, log_variance)))
    density = q.log_prob(q.sample(torch.tensor([[[1.5]], [[-0.3]]]).transpose(0, 1)))
    # where the deviation is below the mean's last digit, a sample is at most as far again off its place
    entropy = -(math.log(2 * math.pi) + log_variance) / 2
    assert ((density - entropy).abs() <= (2 * 1.5) ** 2 / 2 + 1e-3).all()
    for gradient in torch.autograd.grad(density.sum(), q):
        assert gradient.isfinite().all()
