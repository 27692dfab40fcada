"""Improved precision and recall against plain loops, and where they are known."""

import math
import sys

import pytest
import torch

from paribus.metrics import precision_recall
from paribus.metrics.precision_recall import neighbour_distance


def drawn(n, features, seed, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(n, features, dtype=torch.float64, generator=generator)


def share_on_manifold(points, manifold, k):
    """The definition, point by point."""
    radii = []
    for centre in manifold:
        distances = sorted(math.dist(centre.tolist(), other.tolist()) for other in manifold)
        radii.append(distances[k])  # the 0-th is the point itself
    inside = [
        any(
            math.dist(point.tolist(), centre.tolist()) <= radius for centre, radius in zip(manifold, radii, strict=True)
        )
        for point in points
    ]
    return sum(inside) / len(inside)


@pytest.mark.parametrize(("features", "k"), [(1, 1), (2, 3), (5, 2)])
def test_it_is_the_definition(features, k):
    real, generated = drawn(40, features, 0), drawn(30, features, 1, shift=0.7, scale=0.6)
    found = precision_recall(real, generated, k)
    assert found == (share_on_manifold(generated, real, k), share_on_manifold(real, generated, k))
    assert 0 < found.recall < found.precision < 1


def test_by_hand_on_a_line():
    """Real 0, 1, 3 have radii 1, 1, 2 (k = 1); generated 3.5, 5.2, 9 have 1.7, 1.7, 3.8."""
    real, generated = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[3.5], [5.2], [9.0]])
    assert precision_recall(real, generated, 1) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_a_sample_covers_itself_and_nothing_far_away():
    x = drawn(50, 3, 0)
    assert precision_recall(x, x.clone(), 3) == (1, 1)
    assert precision_recall(x, x + 100, 3) == (0, 0)


def test_two_samples_of_one_distribution_come_close_to_one():
    found = precision_recall(drawn(1000, 2, 0), drawn(1000, 2, 1), 3)
    assert min(found) > 0.9


def test_a_collapsed_generator_is_precise_and_a_wide_one_recalls():
    real = drawn(400, 2, 0)
    collapsed = precision_recall(real, drawn(400, 2, 1, scale=0.05), 3)
    assert collapsed.precision > 0.99
    assert collapsed.recall < 0.05
    wide = precision_recall(real, drawn(400, 2, 2, scale=10.0), 3)
    assert wide.precision < 0.1
    assert wide.recall > 0.9
    one_point = precision_recall(real, real[:1].repeat(400, 1), 3)
    assert one_point == (1, 1 / 400)


def test_points_are_taken_in_parts(monkeypatch):
    real, generated = drawn(40, 2, 0), drawn(30, 2, 1)
    whole = precision_recall(real, generated, 3)
    monkeypatch.setattr(sys.modules["paribus.metrics.precision_recall"], "ROWS_AT_ONCE", 7)
    assert precision_recall(real, generated, 3) == whole


def test_the_distance_of_a_neighbour():
    points, others = torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0], [-3.0], [12.0]])
    assert neighbour_distance(points, others, 1).tolist() == [1, 2]
    assert neighbour_distance(points, others, 3).tolist() == [12, 13]


def test_what_is_not_finite_is_on_no_manifold():
    real, generated = drawn(20, 2, 0), drawn(20, 2, 0).clone()
    generated[:5] = torch.nan
    found = precision_recall(real, generated, 3)
    assert found.precision == 0.75
    assert found.recall <= 1


@pytest.mark.parametrize("k", [0, 5, 9])
def test_too_few_points_are_refused(k):
    with pytest.raises(ValueError, match=f"neighbours is {k}"):
        precision_recall(torch.zeros(5, 2), torch.zeros(8, 2), k)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_point_that_is_not_finite_is_on_no_manifold(value):
    """Its ball would reach everywhere: the other points would all lie in it."""
    generator = torch.Generator().manual_seed(0)
    real, far = torch.randn(40, 2, generator=generator), torch.randn(40, 2, generator=generator) + 100
    broken = torch.cat([far[:-1], torch.full((1, 2), value)])
    assert precision_recall(real, broken, 3) == (0.0, 0.0)
    assert precision_recall(broken, real, 3) == (0.0, 0.0)
