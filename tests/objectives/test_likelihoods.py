"""Losses of likelihoods against scipy's densities, and their learned scales against differences."""

import math
from functools import partial

import numpy as np
import pytest
import scipy.stats
import torch

from paribus.objectives import Cauchy, GaussianLikelihood, LaplaceLikelihood, StudentTLikelihood

RESIDUALS = np.linspace(-50.0, 50.0, 41)
LEARNED = [
    GaussianLikelihood(2.5, learn_scale=True),
    LaplaceLikelihood(2.5, learn_scale=True),
    StudentTLikelihood(3.5, 2.5, learn_scale=True),
]
FIXED = [
    GaussianLikelihood(2.5, learn_scale=False),
    LaplaceLikelihood(2.5, learn_scale=False),
    StudentTLikelihood(3.5, 2.5, learn_scale=False),
]


def total(objective, residuals):
    target = torch.from_numpy(residuals)
    return objective(torch.zeros_like(target), target).total.item()


@pytest.mark.parametrize("scale", [1e-3, 0.7, 40.0])
@pytest.mark.parametrize(
    ("objective", "distribution"),
    [
        (GaussianLikelihood, scipy.stats.norm),
        (LaplaceLikelihood, scipy.stats.laplace),
        (partial(StudentTLikelihood, 3.5), partial(scipy.stats.t, 3.5)),
    ],
)
def test_totals_are_scipys_densities(objective, distribution, scale):
    residuals = RESIDUALS * scale
    expected = -distribution(scale=scale).logpdf(residuals).mean()
    assert total(objective(scale, learn_scale=False), residuals) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("degrees_of_freedom", [1e-3, 0.5, 1.0, 30.0, 1e4, 9e5])
def test_student_t_over_its_degrees_of_freedom(degrees_of_freedom):
    expected = -scipy.stats.t(degrees_of_freedom, scale=2.0).logpdf(RESIDUALS).mean()
    found = total(StudentTLikelihood(degrees_of_freedom, 2.0, False), RESIDUALS)
    assert found == pytest.approx(expected, rel=1e-9)  # at 9e5 two log-gammas of 5e6 cancel, in scipy too


def test_student_t_with_one_degree_of_freedom_is_the_cauchy_loss():
    difference = total(StudentTLikelihood(1.0, 2.0, False), RESIDUALS) - total(Cauchy(2.0), RESIDUALS) / 2
    assert difference == pytest.approx(math.log(2 * math.pi), rel=1e-12)


@pytest.mark.parametrize(("learned", "fixed"), [*zip(LEARNED, FIXED, strict=True)])
def test_a_learned_scale_starts_at_the_fixed_one(learned, fixed):
    assert [name for name, _ in learned.named_parameters()] == ["log_scale"]
    assert "scale" not in dict(learned.named_buffers())
    assert list(fixed.parameters()) == []
    assert fixed.scale.item() == 2.5
    assert total(learned, RESIDUALS) == pytest.approx(total(fixed, RESIDUALS), rel=1e-6)


@pytest.mark.parametrize("learned", LEARNED)
def test_gradient_of_the_log_scale_against_differences(learned):
    residuals = torch.from_numpy(RESIDUALS)
    likelihood = learned.double()

    def loss(log_scale):
        return torch.func.functional_call(
            likelihood, {"log_scale": log_scale}, (torch.zeros_like(residuals), residuals)
        ).total

    assert torch.autograd.gradcheck(loss, torch.tensor(0.3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("learned", LEARNED)
@pytest.mark.parametrize("log_scale", [-1e4, -60.0, 60.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_scale_driven_to_its_limits_gives_no_nan(learned, log_scale, dtype):
    parameter = torch.tensor(log_scale, requires_grad=True)
    prediction = torch.tensor([0.0, 1e-30, 1.0], dtype=dtype, requires_grad=True)
    loss = torch.func.functional_call(
        learned, {"log_scale": parameter}, (prediction, torch.zeros(3, dtype=dtype))
    ).total
    loss.backward()
    assert not loss.isnan()
    assert not parameter.grad.isnan()
    assert not prediction.grad.isnan().any()


@pytest.mark.parametrize("kind", [GaussianLikelihood, LaplaceLikelihood])
@pytest.mark.parametrize("learn_scale", [True, False])
def test_a_scale_out_of_range_is_refused(kind, learn_scale):
    with pytest.raises(ValueError, match=r"scale is 0\.0, expected a finite number at least 1e-18"):
        kind(0.0, learn_scale)
