"""Bayesian binning into quantiles against the paper's formulas, written out one bin at a time."""

import math

import numpy as np
import pytest
import torch
from scipy.special import betaln

from paribus.calibrators import BayesianBinning, ValidationLogits
from paribus.calibrators.bayesian_binning import averaged_binning, bins_of_binnings, numbers_of_bins, posterior
from paribus.calibrators.quantiles import equal_mass


def binning(ordered: list[float], hit: list[int], bins: int) -> tuple[float, list[tuple[float, float]]]:
    """The log marginal likelihood, and of each bin its upper end and its posterior mean; no two values are equal."""
    n = len(ordered)
    ends = [*sorted({math.floor(i * n / bins + 0.5) for i in range(1, bins)} - {0, n}), n]
    score, start, lower, curve = 0.0, 0, 0.0, []
    for end in ends:
        upper = 1.0 if end == n else (ordered[end - 1] + ordered[end]) / 2
        prior = min(max((lower + upper) / 2, 0.005), 0.995)
        hits, size = sum(hit[start:end]), end - start
        score += betaln(hits + 2 * prior, size - hits + 2 * (1 - prior)) - betaln(2 * prior, 2 * (1 - prior))
        curve.append((upper, (hits + 2 * prior) / (size + 2)))
        start, lower = end, upper
    return score, curve


def averages(probability: np.ndarray, hit: np.ndarray, bins: range, at: list[float]) -> list[float]:
    """The average over numbers of bins at some probabilities."""
    order = probability.argsort()
    models = [binning(probability[order].tolist(), hit[order].tolist(), each) for each in bins]
    largest = max(score for score, _ in models)
    weights = [math.exp(score - largest) for score, _ in models]

    def average(each: float) -> float:
        means = [next(mean for upper, mean in curve if each <= upper) for _, curve in models]
        return sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)

    return [average(each) for each in at]


@pytest.mark.parametrize(
    ("examples", "least", "most"),
    [(1, 1, 1), (5, 1, 1), (6, 1, 2), (30, 1, 6), (343, 1, 69), (1000, 1, 100), (5000, 1, 171), (27_000, 3, 300)],
)
def test_the_numbers_of_bins(examples, least, most):
    assert list(numbers_of_bins(examples)) == list(range(least, most + 1))


def test_four_examples_in_one_bin_by_hand():
    # The bin [0, 1] of prior Beta(1, 1), and 3 hits of 4: B(4, 2) / B(1, 1) = 1/20, and a mean of 4/6.
    given = [torch.tensor([value], dtype=torch.float64) for value in (0.0, 1.0, 3.0, 4.0)]
    evidence, mean = posterior(*given)
    assert evidence.tolist() == pytest.approx([math.log(1 / 20)])
    assert mean.tolist() == pytest.approx([4 / 6])


@pytest.mark.parametrize("rows", [1, 7, 50, 400, 2000])
@pytest.mark.parametrize("distinct", [1, 2, 9, 10_000])
def test_the_bins_of_each_binning_are_those_of_equal_mass(rows, distinct):
    generator = np.random.default_rng(rows)
    ordered = torch.from_numpy(np.sort(generator.integers(distinct, size=rows) / distinct))
    numbers = numbers_of_bins(rows)
    binning, start, end = bins_of_binnings(ordered, numbers)
    for index, bins in enumerate(numbers):
        cuts = equal_mass(ordered, bins).tolist()
        assert start[binning == index].tolist() == [0, *cuts]
        assert end[binning == index].tolist() == [*cuts, rows]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rows", [1, 4, 11, 60, 200])
def test_the_average_is_that_of_the_formulas(rows, seed):
    generator = np.random.default_rng(seed)
    probability = generator.beta(0.5, 0.5, size=rows)
    hit = (generator.uniform(size=rows) < probability**2).astype(int)
    curve = averaged_binning(torch.from_numpy(probability), torch.from_numpy(hit).double())
    at = [*generator.uniform(size=50), *probability, 0.0, 1.0]
    expected = averages(probability, hit, numbers_of_bins(rows), at)
    assert curve(torch.tensor(at, dtype=torch.float64)).numpy() == pytest.approx(expected, rel=1e-10)


def test_small_values_after_large_ones_are_exact():
    """Frequencies that fall from 1 to nearly 0: sums of changes must not lose the small ones."""
    generator = np.random.default_rng(3)
    probability = generator.uniform(size=3000)
    hit = (probability < 0.3).astype(int)
    curve = averaged_binning(torch.from_numpy(probability), torch.from_numpy(hit).double())
    at = np.linspace(0.25, 1.0, 40).tolist()
    expected = averages(probability, hit, numbers_of_bins(3000), at)
    assert min(expected) < 0.02
    assert curve(torch.tensor(at, dtype=torch.float64)).numpy() == pytest.approx(expected, rel=1e-10)


def test_classes_are_taken_one_against_all_and_normalised(planted):
    validation, judged = planted(100, 3, 2.0), planted(50, 3, 2.0, seed=1)
    columns = []
    for name in range(3):
        predicted = torch.softmax(validation.logits, dim=1)[:, name].numpy()
        hit = (validation.label.numpy() == name).astype(int)
        at = torch.softmax(judged.logits, dim=1)[:, name].tolist()
        columns.append(averages(predicted, hit, numbers_of_bins(100), at))
    expected = np.array(columns).T
    expected /= expected.sum(axis=1, keepdims=True)
    assert BayesianBinning().fit(validation)(judged.logits).exp().numpy() == pytest.approx(expected, rel=1e-9)


def test_known_frequencies_are_approached():
    # The true frequency is the square of what is predicted.
    generator = np.random.default_rng(0)
    probability = generator.uniform(size=20_000)
    hit = (generator.uniform(size=20_000) < probability**2).astype(float)
    curve = averaged_binning(torch.from_numpy(probability), torch.from_numpy(hit))
    grid = torch.linspace(0.02, 0.98, 49, dtype=torch.float64)
    # A bin of n / 50 examples has a standard error of at most .025; the average is over many of them.
    assert (curve(grid) - grid.square()).abs().max() < 0.06
    assert (curve(grid) - grid.square()).square().mean().sqrt() < 0.02


def test_increasing_frequencies_give_an_increasing_curve():
    # 0 up to a half and 1 beyond: no binning has a bin lower than the one before.
    probability = torch.linspace(0.0025, 0.9975, 200, dtype=torch.float64)
    curve = averaged_binning(probability, (probability > 0.5).double())
    values = curve(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert bool((values.diff() >= -1e-4).all())
    assert values[0] < 0.01
    assert values[-1] > 0.99


def test_no_probability_is_zero_or_one(planted):
    validation = planted(3000, 3, 1e4)
    mapped = BayesianBinning().fit(validation)(1e4 * validation.logits)
    assert torch.isfinite(mapped).all()
    assert mapped.exp().max() < 1


def test_equal_predictions_are_one_bin():
    logits = torch.zeros(100, 2)
    label = (torch.arange(100) < 25).long()
    fitted = BayesianBinning().fit(ValidationLogits(logits, label))
    # All binnings are the one of a single bin: (25 + 1) / (100 + 2).
    assert fitted(logits[:1]).exp()[0, 1] == pytest.approx(26 / 102)
