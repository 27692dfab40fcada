"""Copies of training examples, against scipy's nearest neighbours."""

import math

import pytest
import torch
from scipy.spatial import cKDTree

from paribus.metrics import memorisation
from paribus.metrics.memorisation import nearest


def drawn(n, seed, scale=1.0):
    return scale * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_is_scipys():
    points, others = drawn(700, 0), drawn(300, 1)
    distance, position = cKDTree(others.double().numpy()).query(points.double().numpy())
    found = nearest(points, others)
    assert found.position.tolist() == position.tolist()
    assert found.distance.tolist() == pytest.approx(distance.tolist(), rel=1e-12)


def test_an_exact_copy_is_at_no_distance():
    """Far from the origin too, where the matrix product rounds."""
    others = 1e3 + drawn(50, 0)
    assert nearest(others.clone(), others).distance.max() == 0


def test_fresh_examples_are_as_far_as_held_out_ones():
    found = memorisation(drawn(4000, 0), drawn(4000, 1), drawn(2000, 2))
    assert found.ratio == pytest.approx(1, abs=0.06)
    assert found.copied == pytest.approx(0.01, abs=4.5 * math.sqrt(2 * 0.01 / 4000))


def test_copies_and_what_is_like_nothing():
    train, held_out = drawn(200, 0), drawn(300, 1)
    assert memorisation(train[:50], held_out, train) == (0, 1)
    half = torch.cat([train[:100] + 1e-4, drawn(100, 2)])
    assert memorisation(half, held_out, train).copied == pytest.approx(0.5, abs=0.06)
    far = memorisation(drawn(200, 3, scale=100.0), held_out, train)
    assert far.ratio > 10
    assert far.copied == 0


def test_by_hand():
    train, held_out = torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0], [8.0], [13.0]])  # 1, 2 and 3 away
    samples = torch.tensor([[0.5], [9.0], [4.0]])  # 0.5, 1 and 4 away; a hundredth of held-out ones are within 1.02
    assert memorisation(samples, held_out, train) == (0.5, pytest.approx(2 / 3))


def test_no_distance_to_compare_with_and_what_is_not_finite():
    train = drawn(20, 0)
    assert math.isnan(memorisation(train, train, train).ratio)
    found = memorisation(torch.full((3, 3), torch.nan), drawn(30, 1), train)
    assert found == (math.inf, 0)
