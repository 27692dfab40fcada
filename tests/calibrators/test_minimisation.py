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
