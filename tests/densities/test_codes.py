"""Latent codes: what is drawn, its entropy, and what a network says of it against torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, Uniform

from paribus.densities import LatentCode
from paribus.noise import NoiseSpec, draw

SHAPES = [(10, 0), (0, 3), (4, 2), (2, 0), (0, 1)]


def drawn(code, n=20_000, seed=0):
    like = torch.zeros((), dtype=torch.float64)
    return code.sample(draw(code.noise_spec(), n, torch.Generator().manual_seed(seed), like=like))


@pytest.mark.parametrize(("categories", "continuous"), SHAPES)
def test_codes_are_a_category_and_numbers_between_minus_1_and_1(categories, continuous):
    code = LatentCode(categories, continuous)
    rows = drawn(code)
    assert rows.shape == (20_000, code.features) == (20_000, categories + continuous)
    assert code.parameters_of_q == categories + 2 * continuous
    category, numbers = rows[:, :categories], rows[:, categories:]
    if categories:
        assert torch.equal(category.sum(dim=1), torch.ones(len(rows)))
        assert set(category.unique().tolist()) == {0.0, 1.0}
        share = category.mean(dim=0)
        deviation = math.sqrt((1 - 1 / categories) / categories / len(rows))
        assert (share - 1 / categories).abs().max() < 5 * deviation
    if continuous:
        assert -1 <= numbers.min() < -0.99
        assert 0.99 < numbers.max() <= 1
        assert numbers.mean(dim=0).abs().max() < 5 * math.sqrt(1 / 3 / len(rows))
        assert (numbers.var(dim=0) - 1 / 3).abs().max() < 5 * math.sqrt(4 / 45 / len(rows))


def test_the_ends_of_the_noise_are_categories():
    code = LatentCode(3, 1)
    largest = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    noise = {"category": torch.stack([torch.tensor(0.0), largest, torch.tensor(0.4)]), "continuous": torch.zeros(3, 1)}
    assert code.sample(noise)[:, :3].argmax(dim=1).tolist() == [0, 2, 1]
    assert code.sample(noise)[:, 3].tolist() == [-1.0, -1.0, -1.0]
    assert code.noise_spec() == {"category": NoiseSpec((), "uniform"), "continuous": NoiseSpec((1,), "uniform")}


@pytest.mark.parametrize(("categories", "continuous"), SHAPES)
def test_the_entropy_is_that_of_the_distributions(categories, continuous):
    expected = continuous * Uniform(-1.0, 1.0).entropy().item()
    expected += Categorical(logits=torch.zeros(categories)).entropy().item() if categories else 0
    assert LatentCode(categories, continuous).entropy == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("categories", "continuous"), SHAPES)
def test_log_q_is_that_of_the_distributions(categories, continuous):
    code, generator = LatentCode(categories, continuous), torch.Generator().manual_seed(1)
    rows = drawn(code, n=50)
    parameters = 2 * torch.randn(50, code.parameters_of_q, dtype=torch.float64, generator=generator)
    logits, mean, log_variance = parameters.split([categories, continuous, continuous], dim=1)
    expected = Normal(mean, (log_variance / 2).exp()).log_prob(rows[:, categories:]).sum(dim=1)
    if categories:
        expected = expected + Categorical(logits=logits).log_prob(rows[:, :categories].argmax(dim=1))
    torch.testing.assert_close(code.log_q(parameters, rows), expected, rtol=1e-10, atol=1e-12)


def test_a_feature_that_is_read_exactly_is_not_rewarded_without_end():
    """At the least variance exp(-10), and with a gradient that is a number however far below q goes."""
    code, row = LatentCode(0, 1), torch.tensor([[0.25]])
    best = -(math.log(2 * math.pi) - 10) / 2
    for log_variance in (-10.0, -30.0, -1e4):
        parameters = torch.tensor([[0.25, log_variance]], requires_grad=True)
        found = code.log_q(parameters, row)
        (gradient,) = torch.autograd.grad(found.sum(), parameters)
        assert found.item() == pytest.approx(best, rel=1e-6)
        assert gradient.isfinite().all()


def test_sure_and_wrong_logits_are_finite():
    code = LatentCode(2, 0)
    parameters = torch.tensor([[1e4, -1e4]], requires_grad=True)
    found = code.log_q(parameters, torch.tensor([[0.0, 1.0]]))
    (gradient,) = torch.autograd.grad(found.sum(), parameters)
    assert found.item() == -2e4
    assert gradient.tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize(("categories", "continuous"), [(1, 0), (-2, 3), (0, 0), (3, -1)])
def test_codes_that_are_none(categories, continuous):
    with pytest.raises(ValueError, match="expected"):
        LatentCode(categories, continuous)
