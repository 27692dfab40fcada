"""Every regression loss against its exact value and influence function, in 100 digits, from 1e-30 to 1e30."""

import mpmath
import pytest
import torch
from mpmath import mpf

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

mpmath.mp.dps = 100  # enough for 1 + 1e-60 under a logarithm


def student_t(r):
    n, s = mpf(3), mpf(2)
    return -mpmath.log(mpmath.gamma((n + 1) / 2) / mpmath.gamma(n / 2) / mpmath.sqrt(n * mpmath.pi) / s) + (
        (n + 1) / 2 * mpmath.log1p((r / s) ** 2 / n)
    )


def log_cosh(r):
    size = abs(r)
    return mpmath.log(mpmath.cosh(r)) if size < 1000 else size - mpmath.log(2)


EXACT = {  # the objective, its value rho(r), its influence psi(r) = d rho / d r: written from the definitions
    "squared": (Squared(), lambda r: r**2, lambda r: 2 * r),
    "absolute": (Absolute(), lambda r: abs(r), lambda r: mpmath.sign(r)),
    "huber": (
        Huber(delta=1.5),
        lambda r: r**2 / 2 if abs(r) <= 1.5 else 1.5 * (abs(r) - mpf(0.75)),
        lambda r: max(mpf(-1.5), min(mpf(1.5), r)),
    ),
    "log_cosh": (LogCosh(), log_cosh, lambda r: mpmath.tanh(r)),
    "quantile": (
        Quantile(level=0.75),
        lambda r: mpf(0.75) * r if r > 0 else mpf(-0.25) * r,
        lambda r: mpf(0.75) if r > 0 else mpf(-0.25) if r < 0 else mpf(0.25),  # at 0 the middle of the subdifferential
    ),
    "cauchy": (
        Cauchy(scale=2.0),
        lambda r: 2 * mpmath.log1p((r / 2) ** 2),
        lambda r: r / (1 + (r / 2) ** 2),
    ),
    "tukey": (
        Tukey(cutoff=4.0),
        lambda r: mpf(16) / 6 * (1 - (1 - (r / 4) ** 2) ** 3) if abs(r) <= 4 else mpf(16) / 6,
        lambda r: r * (1 - (r / 4) ** 2) ** 2 if abs(r) <= 4 else mpf(0),
    ),
    "gaussian": (
        GaussianLikelihood(scale=2.0, learn_scale=False),
        lambda r: (r / 2) ** 2 / 2 + mpmath.log(2 * mpmath.sqrt(2 * mpmath.pi)),
        lambda r: r / 4,
    ),
    "laplace": (
        LaplaceLikelihood(scale=2.0, learn_scale=False),
        lambda r: abs(r) / 2 + mpmath.log(4),
        lambda r: mpmath.sign(r) / 2,
    ),
    "student_t": (
        StudentTLikelihood(degrees_of_freedom=3.0, scale=2.0, learn_scale=False),
        student_t,
        lambda r: 4 * r / (12 + r**2),
    ),
}
SIZES = [0.0, 1e-30, 1e-18, 1e-8, 1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.9, 4.1, 30.0, 1e4, 1e12, 1e19, 1e30]
RESIDUALS = [sign * size for size in SIZES for sign in (1, -1)]
DTYPES = [torch.float32, torch.float64]
BOUNDED, REDESCENDING = ("absolute", "huber", "log_cosh", "quantile", "laplace"), ("cauchy", "tukey", "student_t")


def value_and_influence(objective, residuals):
    """The loss of each residual alone, and its gradient with respect to the residual (minus that of the prediction)."""
    predictions = -residuals.clone().requires_grad_()
    values = torch.stack([objective(one[None], torch.zeros_like(one[None])).total for one in predictions])
    (gradients,) = torch.autograd.grad(values.sum(), predictions)
    return values.detach(), -gradients


def assert_rounded(computed, exact, tolerance):
    """Within a relative tolerance; 0 or a small number where the exact value underflows, inf where it overflows."""
    limits = torch.finfo(computed.dtype)
    if abs(exact) > limits.max:
        assert computed.item() == mpmath.sign(exact) * mpmath.inf
    else:
        assert abs(mpf(computed.item()) - exact) <= tolerance * limits.eps * abs(exact) + limits.tiny


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_value_is_exact_to_rounding(name, dtype):
    objective, value, _ = EXACT[name]
    residuals = torch.tensor(RESIDUALS, dtype=dtype)
    computed, _ = value_and_influence(objective, residuals)
    for residual, one in zip(residuals, computed, strict=True):
        assert_rounded(one, value(mpf(residual.item())), tolerance=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_gradient_is_the_influence_function(name, dtype):
    objective, _, influence = EXACT[name]
    residuals = torch.tensor(RESIDUALS, dtype=dtype)
    _, computed = value_and_influence(objective, residuals)
    for residual, one in zip(residuals, computed, strict=True):
        exact = influence(mpf(residual.item()))
        if name == "tukey" and abs(residual) < 4:  # it vanishes at the cutoff: what is exact is its part of r
            assert abs(mpf(one.item()) - exact) <= 8 * torch.finfo(dtype).eps * abs(residual.item())
        else:
            assert_rounded(one, exact, tolerance=16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_no_finite_input_gives_nan(name, dtype):
    largest = torch.finfo(dtype).max
    smallest = torch.finfo(dtype).tiny * torch.finfo(dtype).eps
    residuals = torch.tensor([largest, -largest, smallest, -smallest, 0.0], dtype=dtype)
    values, gradients = value_and_influence(EXACT[name][0], residuals)
    assert not values.isnan().any()
    assert not gradients.isnan().any()
    prediction = torch.tensor([-largest], dtype=dtype, requires_grad=True)  # the residual itself overflows
    loss = EXACT[name][0](prediction, torch.tensor([largest], dtype=dtype)).total
    loss.backward()
    assert not loss.isnan()
    assert not prediction.grad.isnan().any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_value_never_falls_as_the_residual_grows(name, dtype):
    sizes = torch.cat([torch.zeros(1, dtype=dtype), torch.logspace(-30, 30, 600, dtype=dtype)])
    for sign in (1, -1):
        values, gradients = value_and_influence(EXACT[name][0], sign * sizes)
        rounding = 2 * torch.finfo(dtype).eps * values[:-1].abs().nan_to_num(posinf=0.0)
        assert (values[1:] >= values[:-1] - rounding).all()
        assert (sign * gradients[1:] >= 0).all()


@pytest.mark.parametrize("name", BOUNDED)
def test_bounded_influence_reaches_a_constant(name):
    _, far = value_and_influence(EXACT[name][0], torch.tensor([1e4, 1e8, 1e30], dtype=torch.float64))
    assert far[0] == far[1] == far[2] > 0


@pytest.mark.parametrize("name", REDESCENDING)
def test_redescending_influence_falls_back_to_zero(name):
    _, influence = value_and_influence(EXACT[name][0], torch.tensor([1.0, 1e4, 1e8], dtype=torch.float64))
    assert influence[0] > 0.1
    assert influence[1] < 1e-3
    assert influence[2] < 1e-6


@pytest.mark.parametrize("name", ["squared", "gaussian"])
def test_unbounded_influence_is_proportional_to_the_residual(name):
    _, influence = value_and_influence(EXACT[name][0], torch.tensor([1.0, 1e30], dtype=torch.float64))
    assert influence[1] / influence[0] == pytest.approx(1e30)


def test_every_objective_for_regression_has_one_kind_of_influence():
    assert sorted([*BOUNDED, *REDESCENDING, "squared", "gaussian"]) == sorted(EXACT)
