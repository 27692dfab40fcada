"""L-BFGS on functions whose minimum is known."""

import pytest
import torch

from paribus.calibrators.minimisation import NEARLY, minimise


def test_an_ill_conditioned_quadratic():
    curvature = torch.logspace(-4, 0, 20, dtype=torch.float64)
    best = torch.linspace(-1, 1, 20, dtype=torch.float64)
    start = torch.zeros(20, dtype=torch.float64)

    def quadratic(point: torch.Tensor) -> tuple[float, torch.Tensor]:
        gap = point - best
        return float((curvature * gap.square()).sum() / 2), curvature * gap

    found, converged = minimise(quadratic, start)
    assert converged
    # A derivative of at most NEARLY, over the least curvature.
    assert found.numpy() == pytest.approx(best.numpy(), abs=NEARLY / 1e-4)
    assert quadratic(found)[0] < 1e-10
    assert torch.equal(start, torch.zeros(20, dtype=torch.float64))


def test_the_start_is_kept_where_every_step_is_worse():
    start = torch.tensor([1.0, -2.0], dtype=torch.float64)
    found, converged = minimise(lambda point: (float(point.square().sum()), -point), start)
    assert torch.equal(found, start)
    assert not converged


def test_a_minimum_at_infinity_ends_at_a_finite_point():
    found, converged = minimise(lambda point: (float(point.neg().exp()), -point.neg().exp()), torch.zeros(1).double())
    assert converged
    assert 16 < float(found) < 100


def slow(offset: float):
    """A quadratic of 200 very different curvatures, its least value the offset."""
    curvature = torch.logspace(-9, 0, 200, dtype=torch.float64)

    def function(point: torch.Tensor) -> tuple[float, torch.Tensor]:
        calls.append(point.clone())
        return offset + float((curvature * point.square()).sum() / 2), curvature * point

    calls: list[torch.Tensor] = []
    return function, calls


@pytest.mark.parametrize("evaluations", [1, 2, 9])
def test_no_more_evaluations_than_allowed(evaluations):
    function, calls = slow(0.0)
    start = torch.full((200,), 3.0, dtype=torch.float64)
    found, converged = minimise(function, start, evaluations)
    assert len(calls) == evaluations
    assert not converged
    best = min(calls[:], key=lambda point: function(point)[0])
    assert torch.equal(found, best)


def test_what_no_longer_pays_ends():
    """With 1000 added nothing is left to gain, relative to the value, long before the gradient vanishes."""
    start = torch.full((200,), 3.0, dtype=torch.float64)
    (plain, long), (raised, short) = slow(0.0), slow(1000.0)
    minimise(plain, start)
    found, converged = minimise(raised, start)
    assert converged
    assert raised(found)[0] == pytest.approx(1000.0, rel=1e-7)
    assert len(short) < len(long) / 1.5


def test_a_large_gradient_is_no_minimum_though_nothing_is_gained():
    point = torch.tensor([3.0], dtype=torch.float64)
    # A slope that is not the function's: no step gains anything.
    _, converged = minimise(lambda at: (5.0 + float((at - 3).abs()), torch.ones(1, dtype=torch.float64)), point)
    assert not converged
