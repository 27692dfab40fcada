"""The energy distance against its definition, closed forms and scipy."""

import math

import pytest
import torch
from scipy.stats import energy_distance as root_in_one_dimension

from paribus.metrics import energy_distance


def drawn(n, features, seed, shift=0.0):
    return shift + torch.randn(n, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_definition():
    x, y = drawn(12, 3, 0), drawn(9, 3, 1, shift=1.0)
    pairs = lambda a, b: [math.dist(p.tolist(), q.tolist()) for p in a for q in b]  # noqa: E731
    expected = 2 * sum(pairs(x, y)) / 108 - sum(pairs(x, x)) / (12 * 11) - sum(pairs(y, y)) / (9 * 8)
    assert energy_distance(x, y).item() == pytest.approx(expected, rel=1e-12)


def test_scipys_with_pairs_of_a_point_and_itself():
    """Scipy's is the root of the biased one: each sample's own mean distance counts the zeros of its diagonal."""
    x, y = drawn(30, 1, 0), drawn(20, 1, 1, shift=0.5)
    own = [torch.cdist(each, each).mean().item() for each in (x, y)]
    biased = root_in_one_dimension(x[:, 0], y[:, 0]) ** 2
    expected = biased + own[0] + own[1] - own[0] * 30 / 29 - own[1] * 20 / 19
    assert energy_distance(x, y).item() == pytest.approx(expected, rel=1e-10)


def test_it_is_unbiased():
    """Equal distributions: 0 on average. N(0, 1) and N(m, 1): 2 (E|N(m, 2)| - E|N(0, 2)|)."""
    for shift in (0.0, 1.0):
        found = torch.stack([energy_distance(drawn(20, 1, s), drawn(25, 1, 1000 + s, shift)) for s in range(400)])
        folded = 2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
        expected = 2 * (folded - 2 / math.sqrt(math.pi))
        assert abs(found.mean().item() - expected) < 4 * found.std().item() / 20


def test_points_apart_and_in_parts(monkeypatch):
    x, y = torch.zeros(30, 2), torch.tensor([[3.0, 4.0]]).repeat(20, 1)
    assert energy_distance(x, y).item() == 10
    whole = energy_distance(drawn(30, 2, 0), drawn(20, 2, 1))
    monkeypatch.setattr("paribus.metrics.energy.ROWS_AT_ONCE", 7)
    assert energy_distance(drawn(30, 2, 0), drawn(20, 2, 1)).item() == pytest.approx(whole.item(), rel=1e-12)


def test_what_is_not_finite_has_no_distance():
    assert energy_distance(torch.zeros(3, 2), torch.full((3, 2), torch.inf)).isnan()
