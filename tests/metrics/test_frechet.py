"""The Frechet distance against its closed form, scipy's matrix root, and cases without full rank."""

import numpy as np
import pytest
import scipy.linalg
import torch

from paribus.metrics import frechet_distance


def sample(n, mean, covariance, seed):
    """Points whose sample mean and covariance are exactly these, up to rounding."""
    drawn = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    whitened = torch.linalg.qr(drawn - drawn.mean(dim=0)).Q * (n - 1) ** 0.5
    return mean + whitened @ torch.linalg.cholesky(covariance).T


def covariance(features, seed):
    root = torch.randn(features, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return root @ root.T + 0.1 * torch.eye(features, dtype=torch.float64)


def test_gaussians_with_independent_features():
    first, second = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([2.0, 0.25, 0.5]).double()
    shift = torch.tensor([1.0, -2.0, 0.5]).double()
    x = sample(40, torch.zeros(3).double(), first.square().diag(), 0)
    y = sample(25, shift, second.square().diag(), 1)
    exact = shift.square().sum() + (first - second).square().sum()
    assert frechet_distance(x, y).item() == pytest.approx(exact.item(), rel=1e-12)


@pytest.mark.parametrize("features", [1, 2, 7, 30])
def test_the_root_of_the_product_is_scipys(features):
    first, second = covariance(features, 2), covariance(features, 3)
    x, y = (sample(64, torch.full((features,), 3.0 * k).double(), each, k) for k, each in enumerate((first, second)))
    root = scipy.linalg.sqrtm((first @ second).numpy()).real
    exact = 9 * features + np.trace(first.numpy() + second.numpy() - 2 * root)
    assert frechet_distance(x, y).item() == pytest.approx(exact, rel=1e-9)


def test_fewer_points_than_features():
    """Covariances in spaces that are at right angles: the product, and so its root, is 0."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.zeros(4, 50), torch.zeros(5, 50)
    x[:, :3], y[:, 20:] = torch.randn(4, 3, generator=generator), torch.randn(5, 30, generator=generator)
    x, y = x.double(), y.double()
    exact = (x.mean(0) - y.mean(0)).square().sum() + x.T.cov().trace() + y.T.cov().trace()
    assert frechet_distance(x, y).item() == pytest.approx(exact.item(), rel=1e-12)
    for count in (4, 60):
        same = torch.randn(count, 50, generator=generator).double()
        assert frechet_distance(same, same.flip(0)).item() == pytest.approx(0, abs=1e-11)


def test_a_space_within_another_has_the_root_of_its_own():
    """In a plane of 40 dimensions, turned: the distance is that in the plane."""
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(30, 2, generator=generator).double() * scale for scale in (1.0, 3.0))
    turn = torch.linalg.qr(torch.randn(40, 40, generator=generator).double())[0][:2]
    assert frechet_distance(x @ turn, y @ turn).item() == pytest.approx(frechet_distance(x, y).item(), rel=1e-11)


def test_points_without_spread_and_far_from_the_origin():
    x, y = torch.full((3, 2), 1e6), torch.full((4, 2), 1e6 + 2)
    assert frechet_distance(x, y).item() == 8.0
    drawn = torch.randn(100, 4, generator=torch.Generator().manual_seed(2)).double()
    near, far = frechet_distance(drawn, 2 * drawn), frechet_distance(drawn + 1e8, 2 * drawn + 1e8)
    assert far.item() == pytest.approx(near.item(), rel=1e-6)


def test_it_is_symmetric_and_in_float64_and_changes_nothing():
    x, y = torch.randn(20, 3), 1 + torch.randn(30, 3)
    before = x.clone()
    assert frechet_distance(x, y).item() == pytest.approx(frechet_distance(y, x).item(), rel=1e-12)
    assert frechet_distance(x, y).dtype == torch.float64
    assert torch.equal(x, before)


def test_what_is_not_finite_has_no_distance():
    x = torch.zeros(3, 2)
    for wrong in (torch.nan, torch.inf):
        assert frechet_distance(x, torch.full((3, 2), wrong)).isnan()


@pytest.mark.parametrize(
    ("x", "y"), [(torch.zeros(1, 2), torch.zeros(3, 2)), (torch.zeros(3, 2), torch.zeros(3, 4)), (torch.zeros(3),) * 2]
)
def test_what_are_no_two_samples_is_refused(x, y):
    with pytest.raises(ValueError, match="at least 2 points"):
        frechet_distance(x, y)
