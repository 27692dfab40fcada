"""Coverage of modes: enumerated cases, and what samples of the mixture itself score."""

import math
from itertools import product

import pytest
import torch
from scipy.stats import entropy

from paribus.data import GridOfGaussians, RingOfGaussians
from paribus.metrics import divergence_from_uniform, mode_coverage

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_each_number_by_hand():
    """Two good samples of the first mode, one good and one poor of the second, one poor of the third."""
    samples = torch.tensor([[0.0, 0.2], [0.1, 0.0], [10.0, 0.29], [10.0, 2.0], [0.0, 6.0]])
    found = mode_coverage(samples, CENTRES, scale=0.1)
    assert found.covered == 2
    assert found.high_quality == 3 / 5
    assert found.reverse_kl == pytest.approx(0.8 * math.log(0.4 * 4) + 0.2 * math.log(0.2 * 4))


@pytest.mark.parametrize("counts", [c for c in product(range(4), repeat=3) if sum(c)])
def test_the_divergence_is_scipys(counts):
    expected = entropy([count / sum(counts) for count in counts], [1 / 3] * 3)
    assert divergence_from_uniform(torch.tensor(counts)) == pytest.approx(expected, abs=1e-15)


def test_one_mode_alone_is_as_far_as_can_be():
    found = mode_coverage(CENTRES[:1].repeat(7, 1), CENTRES, scale=0.1)
    assert found == (1, 1.0, pytest.approx(math.log(4)))


def test_good_samples_end_at_three_deviations():
    at = torch.tensor([[0.75, 0.0], [0.75001, 0.0], [0.0, -0.75]])
    assert mode_coverage(at, CENTRES, scale=0.25).high_quality == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **counts: RingOfGaussians(8, 2.0, 0.02, **counts),
        lambda **counts: GridOfGaussians(5, 2.0, 0.05, **counts),
    ],
)
def test_the_mixture_itself(make):
    """1 - exp(-9/2) of normal points of the plane are within 3 deviations; 2 n times the divergence is chi-squared."""
    n, found = 2500, []
    for seed in range(20):
        data = make(n_train=2, n_validation=0, n_test=n, batch_size=2, seed=seed)
        data.setup()
        found.append(mode_coverage(data.parts["test"]["x"], torch.from_numpy(data.centres), data.scale))
    modes, good = len(data.centres), 1 - math.exp(-4.5)
    assert {each.covered for each in found} == {modes}
    mean = sum(each.high_quality for each in found) / 20
    assert mean == pytest.approx(good, abs=4 * math.sqrt(good * (1 - good) / (20 * n)))
    divergence = sum(each.reverse_kl for each in found) / 20
    deviation = math.sqrt(2 * (modes - 1)) / (2 * n) / math.sqrt(20)
    assert divergence == pytest.approx((modes - 1) / (2 * n), abs=4 * deviation)


def test_samples_that_are_not_finite_are_of_no_mode():
    found = mode_coverage(torch.tensor([[0.0, 0.0], [torch.nan, 0.0]]), CENTRES, scale=0.1)
    assert (found.covered, found.high_quality) == (1, 0.5)
    assert math.isnan(found.reverse_kl)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least 1 sample"):
        mode_coverage(torch.zeros(0, 2), CENTRES, scale=0.1)
