"""Intervals cover; Wilson's are scipy's."""

import pytest
import scipy.stats
import torch

from paribus.metrics import calibration_test, ece_interval, equal_mass, equal_width

TRUTHS = {
    "calibrated": lambda confidence: confidence,
    "sharper by two": lambda confidence: torch.sigmoid(torch.logit(confidence, eps=1e-12) / 2),
    "one bin": lambda confidence: torch.where(
        (confidence > 0.8) & (confidence <= 0.8666), confidence - 0.3, confidence
    ),
    "saturated": lambda confidence: 0.9 * confidence,
}


def population_ece(truth, bins):
    confidence = 0.3 + 0.7 * (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    gaps = torch.bincount(equal_width(confidence, bins), weights=truth(confidence) - confidence, minlength=bins)
    return (gaps.abs().sum() / 200_000).item()


@pytest.mark.parametrize("name", TRUTHS)
def test_coverage(name):
    """At least the level, within what 100 repetitions can tell."""
    truth, repeats, n = TRUTHS[name], 100, 150
    value = population_ece(truth, 6)
    generator = torch.Generator().manual_seed(3)
    covered = 0
    for _ in range(repeats):
        confidence = 0.3 + 0.7 * torch.rand(n, generator=generator, dtype=torch.float64)
        correct = torch.rand(n, generator=generator, dtype=torch.float64) < truth(confidence)
        found = ece_interval(confidence, correct, 6, equal_width, 0.9, 100, generator)
        covered += found.lower <= value <= found.upper
        assert 0 <= found.lower <= found.estimate <= found.upper <= 1
    assert scipy.stats.binomtest(covered, repeats, 0.9, alternative="less").pvalue > 0.01


def test_interval_narrows_around_the_truth():
    generator = torch.Generator().manual_seed(1)
    confidence = 0.3 + 0.7 * torch.rand(20_000, generator=generator, dtype=torch.float64)
    correct = torch.rand(20_000, generator=generator, dtype=torch.float64) < 0.9 * confidence
    found = ece_interval(confidence, correct, 10, equal_width, 0.95, 200, generator)
    assert found.lower <= 0.065 <= found.upper
    assert found.upper - found.lower < 0.03


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.08])
def test_holds_0_exactly_where_the_test_accepts_calibration(shift):
    answers = []
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        confidence = 0.5 + 0.5 * torch.rand(200, generator=generator, dtype=torch.float64)
        correct = torch.rand(200, generator=generator, dtype=torch.float64) < confidence - shift
        data = confidence, correct, 8, equal_mass
        test = calibration_test(*data, 199, torch.Generator().manual_seed(5))
        interval = ece_interval(*data, 0.95, 199, torch.Generator().manual_seed(5))
        assert (interval.lower == 0) == (test.error <= test.critical + 1e-12)
        answers.append(interval.lower == 0)
    assert any(answers)


def test_certainty_that_held_leaves_room_for_errors_not_seen():
    """None wrong of 200: Wilson's upper limit for the share of errors is z^2 / (n + z^2)."""
    found = ece_interval(torch.ones(200), torch.ones(200) == 1, 15, equal_width, 0.95, 50, torch.Generator())
    z_squared = scipy.stats.norm.ppf(0.975) ** 2
    assert (found.lower, found.estimate) == (0.0, 0.0)
    assert found.upper == pytest.approx(z_squared / (200 + z_squared), rel=0.02)
