"""The maximum mean discrepancy against a double loop and the closed form of two Gaussians."""

import math

import numpy as np
import pytest
import torch

from paribus.densities.discrepancy import (
    gaussian_kernel,
    inverse_multiquadratic_kernel,
    squared_distances,
    squared_mmd,
)

SCALES = (0.4, 3.0)


def points(n, features=3, seed=0):
    return torch.randn(n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_hand(x, y, kernel):
    """Lemma 6 of the paper as it is written: sums over i, j, those with i = j left out within a sample."""
    n, m = len(x), len(y)
    total = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    total += sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return total - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize("sizes", [(6, 6), (2, 9), (7, 2)])
def test_a_double_loop(sizes):
    x, y = points(sizes[0]), points(sizes[1], seed=1) + 0.5

    def gaussian(a, b):
        return math.exp(-np.sum((a - b) ** 2) / (2 * 0.7**2))

    def multiquadratic(a, b):
        return sum(scale / (scale + np.sum((a - b) ** 2)) for scale in SCALES)

    pairs = [
        (gaussian, lambda squares: gaussian_kernel(squares, 0.7)),
        (multiquadratic, lambda squares: inverse_multiquadratic_kernel(squares, SCALES)),
    ]
    for slow, kernel in pairs:
        assert squared_mmd(x, y, kernel).item() == pytest.approx(by_hand(x.numpy(), y.numpy(), slow), abs=1e-13)


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("length", [0.5, 2.0])
def test_two_gaussians(shift, length):
    """N(0, 1) and N(m, 1): 2 l / sqrt(l^2 + 2) (1 - exp(-m^2 / (2 (l^2 + 2)))), met on average by small samples."""
    exact = 2 * length / math.sqrt(length**2 + 2) * (1 - math.exp(-(shift**2) / (2 * (length**2 + 2))))
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 20_000, 8, 1, dtype=torch.float64, generator=generator)
    kernel = lambda squares: gaussian_kernel(squares, length)  # noqa: E731
    found = torch.func.vmap(lambda x, y: squared_mmd(x, y, kernel), chunk_size=5000)(x, y + shift)
    assert abs(found.mean() - exact) < 5 * found.std() / math.sqrt(len(found))
    assert shift or (found < 0).any()  # unbiased, so it is negative now and then where the two are one


def test_repeated_points_and_order():
    """A permutation of the rows changes nothing, and two samples of one point each repeated have distance 0."""
    x, y = points(6), points(5, seed=2)
    kernel = lambda squares: gaussian_kernel(squares, 1.0)  # noqa: E731
    torch.testing.assert_close(squared_mmd(x.flip(0), y.roll(2, 0), kernel), squared_mmd(x, y, kernel))
    assert squared_mmd(x[:1].repeat(4, 1), x[:1].repeat(3, 1), kernel).item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_and_coinciding_points_have_gradients(dtype):
    x = torch.tensor([[0.0], [0.0], [1e15]], dtype=dtype, requires_grad=True)
    y = torch.tensor([[-1e15], [0.0]], dtype=dtype)
    for kernel in (
        lambda squares: gaussian_kernel(squares, 1.0),
        lambda squares: inverse_multiquadratic_kernel(squares, SCALES),
    ):
        found = squared_mmd(x, y, kernel)
        (gradient,) = torch.autograd.grad(found, x)
        assert found.isfinite()
        assert gradient.isfinite().all()


def test_distances_do_not_cancel():
    """1e8 apart from the origin, 1 from one another: |x|^2 - 2 x y + |y|^2 would give 0 or 4."""
    x = torch.tensor([[1e8, 0.0]], dtype=torch.float64)
    assert squared_distances(x, x + torch.tensor([1.0, 2.0], dtype=torch.float64)).item() == 5.0
