"""Gaussians at known places: their density against scipy's, and what is drawn against the law."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from paribus.data import GridOfGaussians, RingOfGaussians, ShiftedGaussian
from paribus.errors import UserError

COUNTS = {"n_train": 60, "n_validation": 0, "n_test": 50, "batch_size": 16}


def ring(seed=0, **changes):
    return ready(RingOfGaussians(**({"modes": 8, "radius": 2.0, "scale": 0.02} | COUNTS | changes), seed=seed))


def grid(seed=0, **changes):
    return ready(GridOfGaussians(**({"side": 5, "spacing": 2.0, "scale": 0.05} | COUNTS | changes), seed=seed))


def shifted(seed=0, **changes):
    return ready(ShiftedGaussian(**({"dimensions": 1, "shift": 2.0, "scale": 1.0} | COUNTS | changes), seed=seed))


def ready(data):
    data.setup()
    return data


def test_centres_are_where_they_should_be():
    half = math.sqrt(2)
    wanted = [(2, 0), (half, half), (0, 2), (-half, half), (-2, 0), (-half, -half), (0, -2), (half, -half)]
    np.testing.assert_allclose(ring().centres, wanted, atol=1e-15)
    places = {(float(x), float(y)) for x, y in grid().centres}
    assert places == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert grid(side=2, spacing=1.0).centres.tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
    assert shifted(dimensions=3).centres.tolist() == [[2, 0, 0]]


@pytest.mark.parametrize("data", [ring(scale=0.7), grid(scale=1.3), shifted(dimensions=3, scale=0.4)])
def test_the_density_is_the_mean_of_scipys(data):
    x = 3 * torch.randn(40, data.centres.shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    densities = [multivariate_normal(centre, data.scale**2).pdf(x.numpy()) for centre in data.centres]
    np.testing.assert_allclose(data.log_density(x).numpy(), np.log(np.mean(densities, axis=0)), rtol=1e-10, atol=1e-10)


def test_the_density_far_away_is_finite():
    found = ring().log_density(torch.tensor([[1e4, 0.0]]))
    expected = -(((1e4 - 2) / 0.02) ** 2) / 2
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert found.dtype == torch.float64


def test_what_is_drawn_has_the_density():
    """The mean of log p(x) is the entropy, negated: one mode's, and log 8 where the modes are far apart."""
    data = ring(n_test=20_000)
    log_density = data.log_density(data.parts["test"]["x"])
    entropy = math.log(8) + math.log(2 * math.pi * math.e * 0.02**2)
    assert log_density.mean().item() == pytest.approx(-entropy, abs=4.5 / math.sqrt(20_000))  # deviation 1 in the plane


def test_examples_scatter_about_the_centre_of_their_mode():
    data = grid(n_train=50_000)
    x, y = (data.parts["train"][name].numpy() for name in ("x", "y"))
    residual = (x.astype(float) - data.centres[y]) / 0.05
    np.testing.assert_allclose(residual.mean(axis=0), 0, atol=4.5 / math.sqrt(50_000))
    np.testing.assert_allclose(np.cov(residual.T), np.eye(2), atol=4.5 * math.sqrt(2 / 50_000))
    shares = np.bincount(y, minlength=25) / len(y)
    np.testing.assert_allclose(shares, 0.04, atol=4.5 * math.sqrt(0.04 * 0.96 / 50_000))


def test_the_best_logit_against_the_standard_normal_is_affine_in_the_first_number():
    data = shifted(dimensions=2)
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    logit = data.log_density(x).numpy() - norm.logpdf(x.numpy()).sum(axis=1)
    np.testing.assert_allclose(logit, 2 * x[:, 0].numpy() - 2, atol=1e-12)


def test_parts_are_raw_coordinates_with_the_mode_as_label():
    data = ring(n_validation=7)
    assert data.sizes() == {"train": 60, "validation": 7, "test": 50}
    assert data.parts["train"]["x"].dtype == torch.float32
    assert data.parts["train"]["y"].dtype == torch.int64
    assert (data.in_shape, data.out_features, data.replication) == ((2,), 8, "fresh")
    assert data.parts["train"]["x"].norm(dim=1).sub(2).abs().max() < 0.2


def test_a_seed_is_a_draw():
    one, again, other = ring(), ring(), ring(seed=1)
    assert torch.equal(one.parts["train"]["x"], again.parts["train"]["x"])
    assert one.pairing() == again.pairing()
    assert all(one.pairing()[name] != other.pairing()[name] for name in ("data", "split"))
    assert one.pairing()["data"] == ring(n_train=50, n_test=60).pairing()["data"]
    assert one.pairing()["split"] != ring(n_train=50, n_test=60).pairing()["split"]


@pytest.mark.parametrize(
    ("make", "change", "said"),
    [
        (ring, {"modes": 0}, "modes is 0, expected at least 1"),
        (ring, {"radius": -1.0}, "radius is -1.0"),
        (ring, {"radius": math.inf}, "radius is inf"),
        (ring, {"scale": 0.0}, "scale is 0.0, expected a finite standard deviation above 0"),
        (ring, {"scale": math.nan}, "scale is nan"),
        (ring, {"n_train": 1}, "n_train is 1, expected at least 2"),
        (ring, {"n_validation": -1}, "n_validation is -1"),
        (ring, {"n_test": 0}, "n_test is 0"),
        (ring, {"batch_size": 0}, "batch_size is 0"),
        (grid, {"side": 0}, "side is 0"),
        (grid, {"spacing": math.nan}, "spacing is nan"),
        (shifted, {"dimensions": 0}, "dimensions is 0"),
        (shifted, {"shift": math.inf}, "shift is inf"),
    ],
)
def test_what_is_out_of_range_is_refused(make, change, said):
    with pytest.raises(ValueError, match=said):
        make(**change)


def test_numbers_beyond_single_precision_are_refused():
    with pytest.raises(UserError, match="float32"):
        shifted(shift=1e39)
