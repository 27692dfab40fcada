"""Modes that hold points, counted by hand."""

import pytest
import torch

from paribus.metrics import points_in_modes

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_points_belong_to_the_nearest_mode_within_the_radius():
    points = torch.tensor([[0.0, 2.9], [0.0, 3.1], [10.0, 0.0], [11.0, 1.0], [5.0, 5.0]])
    assert points_in_modes(points, CENTRES, radius=3.0).tolist() == [1, 2, 0]


def test_the_edge_belongs_to_the_mode_and_a_point_to_one_mode():
    assert points_in_modes(torch.tensor([[3.0, 0.0]]), CENTRES, radius=3.0).tolist() == [1, 0, 0]
    assert points_in_modes(torch.tensor([[4.0, 0.0]]), CENTRES, radius=20.0).tolist() == [1, 0, 0]


def test_normal_points_are_within_three_deviations_as_often_as_they_should():
    """In two dimensions the squared distance is exponential: 1 - exp(-9 / 2) of them."""
    points = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    share = points_in_modes(points, torch.zeros(1, 2), radius=3.0).item() / 20_000
    assert share == pytest.approx(0.98889, abs=4 * (0.98889 * 0.01111 / 20_000) ** 0.5)


def test_no_point_and_what_is_not_finite():
    assert points_in_modes(torch.zeros(0, 2), CENTRES, radius=1.0).tolist() == [0, 0, 0]
    assert points_in_modes(torch.full((2, 2), torch.nan), CENTRES, radius=1.0).tolist() == [0, 0, 0]
