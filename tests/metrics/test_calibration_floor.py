"""The floor against enumeration, de Moivre's closed form and Monte Carlo; the test's p-value is one."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch

from paribus.metrics import (
    calibration_floor,
    calibration_test,
    ece_interval,
    equal_mass,
    equal_width,
    expected_calibration_error,
    log_probabilities,
    top_label,
)
from paribus.metrics.floor import poisson_binomial


def uniform(n, seed, low=0.0):
    generator = torch.Generator().manual_seed(seed)
    return low + (1 - low) * torch.rand(n, generator=generator, dtype=torch.float64)


def by_convolution(probability):
    mass = np.ones(1)
    for p in probability.tolist():
        mass = np.convolve(mass, [1 - p, p])
    return mass


@pytest.mark.parametrize("binning", [equal_width, equal_mass])
@pytest.mark.parametrize("bins", [1, 3, 15])
def test_floor_is_the_sum_over_all_outcomes(binning, bins):
    confidence = torch.cat([uniform(6, 0), torch.tensor([0.0, 1.0, 0.5, 0.5])])
    total = 0.0
    for outcome in itertools.product([False, True], repeat=len(confidence)):
        correct = torch.tensor(outcome)
        chance = torch.where(correct, confidence, 1 - confidence).prod().item()
        if chance:
            total += chance * expected_calibration_error(confidence, correct, bins, binning).item()
    assert calibration_floor(confidence, bins, binning).item() == pytest.approx(total, abs=1e-14)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.999, 1e-6])
@pytest.mark.parametrize("n", [1, 7, 100, 3000, 200_000])
def test_floor_of_equal_confidences_is_de_moivres(n, p):
    """E|X - np| = 2 v (1 - p) P(X = v) with v = floor(np) + 1 (de Moivre 1730), over n."""
    v = math.floor(n * p) + 1
    log_mass = math.lgamma(n + 1) - math.lgamma(v + 1) - math.lgamma(n - v + 1)
    log_mass += v * math.log(p) + (n - v) * math.log1p(-p)
    expected = 2 * v * (1 - p) * math.exp(log_mass) / n
    found = calibration_floor(torch.full((n,), p, dtype=torch.float64), 15, equal_width).item()
    assert found == pytest.approx(expected, rel=1e-8)  # log-gammas of 2.4e6 cancel


@pytest.mark.parametrize(
    "probability",
    [
        uniform(40, 1),
        uniform(2000, 2),
        1 - uniform(9000, 3) ** 40,
        torch.full((5000,), 1e-4, dtype=torch.float64),
        torch.tensor([0.0] * 300 + [1.0] * 300 + [0.3], dtype=torch.float64),
    ],
    ids=["few", "spread", "sharp", "rare", "certain"],
)
def test_distribution_is_the_convolution(probability):
    mass, centred = poisson_binomial(probability)
    expected = by_convolution(probability)
    uncertain = probability[(probability > 0) & (probability < 1)]
    certain = int((probability == 1).sum())
    count = np.rint(centred.numpy() + uncertain.sum().item()).astype(int) + certain
    rounding = 1e-15 + len(uncertain) * 2.3e-16  # each event multiplies by a number rounded to 2.2e-16
    there = (count >= 0) & (count < len(expected))
    assert np.abs(mass.numpy()[there] - expected[count[there]]).max() < rounding
    assert mass.numpy()[~there].sum() < len(mass) * rounding
    assert np.delete(expected, count[there]).sum() < 1e-15


def test_floor_is_the_mean_of_simulations():
    confidence = uniform(360, 4, low=0.2)
    generator = torch.Generator().manual_seed(5)
    draws = [
        expected_calibration_error(
            confidence, torch.rand(360, generator=generator, dtype=torch.float64) < confidence, 15, equal_width
        ).item()
        for _ in range(2000)
    ]
    tolerance = 4 * np.std(draws) / math.sqrt(len(draws))
    assert abs(np.mean(draws) - calibration_floor(confidence, 15, equal_width).item()) < tolerance


@pytest.mark.parametrize(("n", "published"), [(200, 0.087), (360, 0.061), (1000, 0.036), (5000, 0.017), (10000, 0.012)])
def test_floor_of_ten_classes(n, published):
    """A window on a simulation with logits of its own; ours are normal with standard deviation 2."""
    logits = 2 * torch.randn(n, 10, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    confidence, _ = top_label(log_probabilities(logits), torch.zeros(n, dtype=torch.int64))
    assert calibration_floor(confidence, 15, equal_width).item() == pytest.approx(published, rel=0.2)


def test_p_value_is_uniform_under_calibration_and_small_without():
    generator = torch.Generator().manual_seed(7)
    calibrated, overconfident, beyond = [], [], 0
    for _ in range(100):
        confidence = 0.1 + 0.9 * torch.rand(200, generator=generator, dtype=torch.float64)
        happened = torch.rand(200, generator=generator, dtype=torch.float64)
        null = calibration_test(confidence, happened < confidence, 10, equal_width, 99, generator)
        calibrated.append(null.p_value)
        beyond += null.error > null.critical
        biased = calibration_test(confidence, happened < 0.6 * confidence, 10, equal_width, 99, generator)
        overconfident.append(biased.p_value)
    assert scipy.stats.kstest(calibrated, "uniform").pvalue > 0.01
    assert scipy.stats.binomtest(beyond, 100, 0.05).pvalue > 0.01
    assert np.mean(np.array(overconfident) < 0.05) > 0.95


def test_test_agrees_with_simulated_data_sets():
    confidence = uniform(500, 8, low=0.5)
    correct = torch.rand(500, generator=torch.Generator().manual_seed(9)) < confidence - 0.04
    found = calibration_test(confidence, correct, 10, equal_mass, 20_000, torch.Generator().manual_seed(10))
    generator = torch.Generator().manual_seed(11)
    draws = np.array(
        [
            expected_calibration_error(
                confidence, torch.rand(500, generator=generator, dtype=torch.float64) < confidence, 10, equal_mass
            ).item()
            for _ in range(2000)
        ]
    )
    share = np.mean(draws >= found.error - 1e-12)
    assert found.error == expected_calibration_error(confidence, correct, 10, equal_mass).item()
    assert abs(found.p_value - share) < 4 * math.sqrt(share * (1 - share) * (1 / 2000 + 1 / 20_000))
    assert np.mean(draws > found.critical) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 2000))
    assert found.floor == calibration_floor(confidence, 10, equal_mass).item()


def test_certain_predictions_have_no_floor_and_one_error_refutes_them():
    confidence = torch.ones(100)
    correct = torch.ones(100, dtype=torch.bool)
    fine = calibration_test(confidence, correct, 15, equal_width, 99, torch.Generator().manual_seed(0))
    assert (fine.error, fine.floor, fine.critical, fine.p_value) == (0.0, 0.0, 0.0, 1.0)
    correct[0] = False
    refuted = calibration_test(confidence, correct, 15, equal_width, 99, torch.Generator().manual_seed(0))
    assert refuted.p_value == 0.01


def test_the_same_stream_gives_the_same_answer():
    confidence = uniform(300, 12)
    correct = uniform(300, 13) < confidence
    first, second = (
        calibration_test(confidence, correct, 15, equal_width, 500, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert first == second


def test_a_million_bins_cost_no_more_than_those_that_hold_examples():
    """Every example alone in its bin: the ECE is the mean of |correct - p|, the floor that of 2 p (1 - p)."""
    confidence = uniform(20, 14)
    correct = uniform(20, 15) < confidence
    found = calibration_test(confidence, correct, 1_000_000, equal_width, 2000, torch.Generator().manual_seed(0))
    assert found.error == pytest.approx((correct.double() - confidence).abs().mean().item(), abs=1e-14)
    assert found.floor == pytest.approx((2 * confidence * (1 - confidence)).mean().item(), abs=1e-14)
    interval = ece_interval(confidence, correct, 1_000_000, equal_width, 0.95, 2000, torch.Generator().manual_seed(0))
    assert interval.estimate == pytest.approx(found.error, abs=1e-14)
    assert (interval.lower == 0) == (found.error <= found.critical)


def test_empty_bins_use_no_random_number():
    """The same examples in bins 1 to 2 of 2, and in bins 3 to 4 of 4."""
    confidence, correct = uniform(50, 16), uniform(50, 17) < 0.6

    def last(bins):
        return lambda given, _: (given > 0.5).long() + bins - 2

    first, second = (
        calibration_test(confidence, correct, bins, last(bins), 99, torch.Generator().manual_seed(1)) for bins in (2, 4)
    )
    assert first == second
