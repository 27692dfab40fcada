"""The kernel distance: pair by pair, against its value for Gaussians, and without bias."""

import pytest
import torch

from paribus.metrics import kernel_distance


def test_it_is_what_pairs_give():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(6, 4, generator=generator).double(), torch.randn(5, 4, generator=generator).double() + 1

    def kernel(a, b):
        return (sum(float(i) * float(j) for i, j in zip(a, b, strict=True)) / 4 + 1) ** 3

    own = [kernel(x[i], x[j]) for i in range(6) for j in range(6) if i != j]
    other = [kernel(y[i], y[j]) for i in range(5) for j in range(5) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    exact = sum(own) / len(own) + sum(other) / len(other) - 2 * sum(across) / len(across)
    assert kernel_distance(x, y).item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_its_mean_over_samples_is_the_distance_of_the_distributions(shift):
    """In one dimension (x y + 1)^3 = sum of C(3, k) x^k y^k: the distance is that of the first three moments."""
    exact = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    generator = torch.Generator().manual_seed(1)
    drawn = torch.stack([
        kernel_distance(
            torch.randn(12, 1, generator=generator).double(), shift + torch.randn(9, 1, generator=generator).double()
        )
        for _ in range(1500)
    ])  # fmt: skip
    assert abs(drawn.mean() - exact) < 4 * drawn.std() / 1500**0.5
    if shift == 0:
        assert (drawn < 0).any()  # what is unbiased of a distance of 0 must be


def test_what_are_no_two_samples_is_refused():
    for x, y in ((torch.zeros(1, 2), torch.zeros(3, 2)), (torch.zeros(3, 2), torch.zeros(3, 4))):
        with pytest.raises(ValueError, match="at least 2 points"):
            kernel_distance(x, y)
