"""Likelihoods of examples against torch's distributions, enumeration and quadrature; what they refuse."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate

from paribus.densities import Bernoulli, Gaussian, MeanSquaredError
from paribus.errors import UserError

SAMPLES, BATCH, NUMBERS = 3, 5, 7


def binary_and_output():
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(BATCH, NUMBERS, generator=generator) < 0.5).double()
    return x, 4 * torch.randn(SAMPLES, BATCH, NUMBERS, dtype=torch.float64, generator=generator)


def real_and_output():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(BATCH, NUMBERS, dtype=torch.float64, generator=generator)
    return x, torch.randn(SAMPLES, BATCH, NUMBERS, dtype=torch.float64, generator=generator)


def assert_same(found, expected, *inputs):
    """In value and in gradient."""
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.linspace(0.5, 2.0, found.numel(), dtype=found.dtype).reshape(found.shape)
    gradients = [torch.autograd.grad((each * weights).sum(), inputs) for each in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-12)


def test_bernoulli_is_torchs():
    x, output = binary_and_output()
    output.requires_grad_()
    expected = torch.distributions.Bernoulli(logits=output).log_prob(x.expand_as(output)).sum(dim=-1)
    assert_same(Bernoulli().log_prob(x, output), expected, output)
    torch.testing.assert_close(Bernoulli().distortion(x, output), -expected)
    torch.testing.assert_close(Bernoulli().mean(output), torch.distributions.Bernoulli(logits=output).probs)


def test_bernoulli_adds_up_to_1():
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    output = 2 * torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert Bernoulli().log_prob(states, output.expand(64, 6)).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_of_sure_outputs(dtype):
    """Right, it costs exp(-|output|); wrong, |output|: to the last digits."""
    output = torch.tensor([30.0, -30.0, 1e4, -1e30, 30.0, -1e4], dtype=dtype)[:, None].requires_grad_()
    x = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 1.0], dtype=dtype)[:, None]
    expected = [math.log1p(math.exp(-30.0)), math.log1p(math.exp(-30.0)), 0.0, 0.0, 30.0, 1e4]
    found = Bernoulli().distortion(x, output)
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), output)
    assert gradient.squeeze(1).tolist() == pytest.approx(
        [-math.exp(-30.0), math.exp(-30.0), 0.0, 0.0, 1.0, -1.0], rel=1e-6
    )


@pytest.mark.parametrize("grey", [0.5, 0.999, -1.0, 2.0, math.nan])
def test_bernoulli_refuses_what_is_neither_0_nor_1(grey):
    x = torch.tensor([[0.0, 1.0, 1.0], [1.0, grey, 0.0]])
    with pytest.raises(UserError, match=r"numbers that are 0 or 1, and the test part has") as refusal:
        Bernoulli().check(x, "the test part")
    assert f"{grey:.4g}" in str(refusal.value)
    assert "likelihood=gaussian" in str(refusal.value)
    Bernoulli().check(x[:1], "the test part")
    Gaussian(1.0, learn_scale=False).check(x, "the test part")


@pytest.mark.parametrize("learn_scale", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 40.0])
def test_gaussian_is_torchs(scale, learn_scale):
    likelihood = Gaussian(scale, learn_scale).double()
    x, output = real_and_output()
    output.requires_grad_()
    log_scale = getattr(likelihood, "log_scale", torch.tensor(math.log(scale), dtype=torch.float64).requires_grad_())
    expected = torch.distributions.Normal(output, log_scale.exp()).log_prob(x).sum(dim=-1)
    inputs = (output, log_scale) if learn_scale else (output,)
    assert_same(likelihood.log_prob(x, output), expected, *inputs)
    torch.testing.assert_close(likelihood.distortion(x, output), -expected)
    assert torch.equal(likelihood.mean(output), output)


def test_a_learned_scale_ends_at_the_root_mean_square_of_the_residuals():
    likelihood = Gaussian(3.0, learn_scale=True).double()
    x, output = real_and_output()
    optimizer = torch.optim.LBFGS(likelihood.parameters(), line_search_fn="strong_wolfe", max_iter=50)

    def closure():
        optimizer.zero_grad()
        total = likelihood.distortion(x, output).mean()
        total.backward()
        return total

    optimizer.step(closure)
    assert likelihood.log_scale.exp().item() == pytest.approx((x - output).square().mean().sqrt().item(), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 9e5])
@pytest.mark.parametrize("learn_scale", [False, True])
def test_gaussian_of_extremes_in_float32(scale, learn_scale):
    """The density is finite wherever float32 can hold it, in value and in gradient."""
    likelihood = Gaussian(scale, learn_scale)
    x, output = torch.tensor([[0.0], [1e12], [0.0]]), torch.tensor([[1e12], [0.0], [0.0]]).requires_grad_()
    found = likelihood.distortion(x, output)
    used = likelihood.log_variance(torch.zeros((), dtype=torch.float64)).item() / 2
    expected = [used + math.log(2 * math.pi) / 2 + (d / math.exp(used)) ** 2 / 2 for d in (1e12, 1e12, 0.0)]
    assert found.tolist() == pytest.approx(expected, rel=2e-6)
    for gradient in torch.autograd.grad(found.sum(), [output, *likelihood.parameters()]):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e-7, 1e6, math.inf, math.nan])
def test_scales_out_of_range_are_refused(scale):
    with pytest.raises(ValueError, match=r"scale is .*, expected a finite number at least 1e-06 and below 1e\+06"):
        Gaussian(scale, learn_scale=True)


def test_a_learned_scale_is_held_within_the_range():
    likelihood = Gaussian(1.0, learn_scale=True)
    for log_scale, bound in [(-1e3, 1e-6), (1e3, 1e6)]:
        likelihood.log_scale.data.fill_(log_scale)
        assert likelihood.log_variance(torch.zeros(())).exp().sqrt().item() == pytest.approx(bound, rel=1e-5)
        assert likelihood.distortion(torch.zeros(1, 2), torch.ones(1, 2)).isfinite().all()


def test_mean_squared_error_is_the_mean_of_squares():
    x, output = real_and_output()
    expected = torch.stack([torch.nn.functional.mse_loss(each, x, reduction="none").mean(dim=1) for each in output])
    torch.testing.assert_close(MeanSquaredError().distortion(x, output), expected, rtol=1e-12, atol=0)


def test_mean_squared_error_implies_a_gaussian_that_adds_up_to_1():
    """Of variance numbers / 2: by quadrature of two numbers, and torch's for more."""
    output = torch.tensor([[0.4, -1.2]], dtype=torch.float64)

    def density(first, second):
        x = torch.tensor([[first, second]], dtype=torch.float64)
        return MeanSquaredError().log_prob(x, output).exp().item()

    total, _ = integrate.dblquad(density, -12, 12, -12, 12, epsabs=1e-7)
    assert total == pytest.approx(1.0, abs=1e-6)
    x, output = real_and_output()
    expected = torch.distributions.Normal(output, math.sqrt(NUMBERS / 2)).log_prob(x).sum(dim=-1)
    torch.testing.assert_close(MeanSquaredError().log_prob(x, output), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("numbers", [1, 2, 64, 784])
def test_the_hidden_beta_of_the_mean_squared_error_is_half_the_numbers(numbers):
    """numbers / 2 times its distortion is that of a Gaussian of variance 1, less a constant.

    So distortion + rate has the gradient of 2 / numbers (distortion of that Gaussian + numbers / 2 rate).
    """
    generator = torch.Generator().manual_seed(3)
    x, output = torch.randn(2, 4, numbers, dtype=torch.float64, generator=generator)
    output.requires_grad_()
    hidden, honest = MeanSquaredError().distortion(x, output), Gaussian(1.0, learn_scale=False).distortion(x, output)
    (by_hidden,) = torch.autograd.grad(hidden.sum(), output)
    (by_honest,) = torch.autograd.grad(honest.sum(), output)
    torch.testing.assert_close(by_hidden, 2 / numbers * by_honest, rtol=1e-12, atol=0)
    rest = (honest - numbers / 2 * hidden).detach()
    torch.testing.assert_close(rest, torch.full_like(rest, numbers * math.log(2 * math.pi) / 2), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("side", [8, 16, 32])
@pytest.mark.parametrize(("likelihood", "grows"), [
    (Bernoulli(), True), (Gaussian(0.3, learn_scale=False), True), (MeanSquaredError(), False),
])  # fmt: skip
def test_distortion_grows_with_the_pixels_or_hides_them(likelihood, grows, side):
    """Images tiled from one of 8 x 8, so that every pixel's statistics are the same at each size."""
    generator = torch.Generator().manual_seed(4)
    x = (torch.rand(3, 8, 8, generator=generator) < 0.3).double()
    output = torch.randn(3, 8, 8, dtype=torch.float64, generator=generator)
    small, large = (
        likelihood.distortion(*(each.repeat(1, tiles, tiles).flatten(1) for each in (x, output)))
        for tiles in (1, side // 8)
    )
    times = (side / 8) ** 2 if grows else 1.0
    torch.testing.assert_close(large, times * small, rtol=1e-12, atol=0)


def test_numbers_stay_as_typed():
    """0.1 is 0.1 in float64 and float32's nearest in float32, and no checkpoint keeps it."""
    likelihood = Gaussian(0.1, learn_scale=False)
    for dtype in (torch.float32, torch.float64):
        found = likelihood.log_variance(torch.zeros((), dtype=dtype))
        assert found.dtype == dtype
        assert found.item() == np.asarray(2 * math.log(0.1), dtype=str(dtype).removeprefix("torch.")).item()
    assert likelihood.double().scale.item() == 0.1
    assert likelihood.state_dict() == {}
