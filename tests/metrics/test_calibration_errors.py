"""Calibration errors against a second implementation in plain Python, which shares no code with the first."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.metrics import (
    binned,
    classwise_calibration_error,
    debiased_squared_calibration_error,
    equal_mass,
    equal_width,
    expected_calibration_error,
    log_probabilities,
    maximum_calibration_error,
    squared_calibration_error,
)
from paribus.metrics.checks import NUMBERS_AT_ONCE
from paribus.metrics.predictions import CLASSES_AT_ONCE

BINNINGS = [equal_width, equal_mass]
ERRORS = [
    expected_calibration_error,
    maximum_calibration_error,
    squared_calibration_error,
    debiased_squared_calibration_error,
]


def width_members(confidence, bins):
    members = [[] for _ in range(bins)]
    for i, c in enumerate(confidence):
        for k in range(bins):
            if (k / bins < c or k == 0) and c <= (k + 1) / bins:
                members[k].append(i)
    return members


def mass_members(confidence, bins):
    n = len(confidence)
    members = [[] for _ in range(bins)]
    for i, c in enumerate(confidence):
        below = sum(other < c for other in confidence)
        equal = sum(other == c for other in confidence)
        members[math.floor(Fraction(bins, n) * (below + Fraction(equal - 1, 2)))].append(i)
    return members


def reference(confidence, correct, members):
    """ECE, maximum, squared and debiased squared error, from the definitions."""
    n, ece, worst, squared, pairs = len(confidence), 0.0, 0.0, 0.0, 0.0
    for chosen in members:
        if not chosen:
            continue
        residual = [correct[i] - confidence[i] for i in chosen]
        gap = math.fsum(residual) / len(chosen)
        ece += len(chosen) / n * abs(gap)
        squared += len(chosen) / n * gap**2
        worst = max(worst, abs(gap))
        if len(chosen) > 1:
            products = [residual[i] * residual[j] for i in range(len(chosen)) for j in range(len(chosen)) if i != j]
            pairs += len(chosen) / n * math.fsum(products) / len(products)
    return ece, worst, squared, pairs if any(len(chosen) > 1 for chosen in members) else float("nan")


def test_agree_with_plain_loops_on_a_thousand_cases():
    draw = random.Random(0)
    kinds = [
        draw.random,  # no ties
        lambda: draw.choice([0.0, 1.0]),  # saturated
        lambda: draw.choice([0.0, 0.2, 0.5, 0.6, 1.0]),  # ties, on edges
        lambda: draw.randrange(11) / 10,
        lambda: 1.0 - draw.random() ** 30,
    ]
    for case in range(1000):
        n, bins, kind = draw.randint(1, 20), draw.choice([1, 2, 5, 10, 15]), kinds[case % len(kinds)]
        confidence = [kind() for _ in range(n)]
        correct = [draw.random() < 0.6 for _ in range(n)]
        for binning, members in ((equal_width, width_members), (equal_mass, mass_members)):
            expected = reference(confidence, correct, members(confidence, bins))
            tensors = torch.tensor(confidence, dtype=torch.float64), torch.tensor(correct)
            found = [error(*tensors, bins, binning).item() for error in ERRORS]
            assert found == pytest.approx(expected, abs=1e-13, nan_ok=True), (confidence, correct, bins, binning)


def test_confidence_1_shares_the_last_bin():
    """torchmetrics 1.9.0 gives .525 here (its issue 3510)."""
    found = expected_calibration_error(torch.tensor([0.95, 1.0]), torch.tensor([True, False]), 15, equal_width)
    assert found.item() == pytest.approx(0.475, abs=1e-7)


def test_edges_belong_to_the_bin_below_and_0_to_the_first():
    confidence = torch.tensor([0.0, 0.25, 0.25 + 1e-12, 0.5, 0.75, 1.0], dtype=torch.float64)
    assert equal_width(confidence, 4).tolist() == [0, 0, 1, 1, 2, 3]


def test_equal_mass_bins_are_equal_without_ties_and_never_split_ties():
    generator = torch.Generator().manual_seed(1)
    distinct = torch.rand(103, generator=generator, dtype=torch.float64)
    counts = torch.bincount(equal_mass(distinct, 10), minlength=10)
    assert sorted(counts.tolist()) == [10] * 7 + [11] * 3
    tied = (distinct * 6).round() / 6
    index = equal_mass(tied, 10)
    for value in tied.unique():
        assert len(index[tied == value].unique()) == 1
    assert (index[tied.argsort()].diff() >= 0).all()


def test_bins_hold_counts_means_and_nan_where_empty():
    held = binned(torch.tensor([0.1, 0.2, 0.9]), torch.tensor([True, False, True]), 3, equal_width)
    assert held.count.tolist() == [2, 0, 1]
    assert held.confidence.tolist() == pytest.approx([0.15, float("nan"), 0.9], nan_ok=True)
    assert held.accuracy.tolist() == pytest.approx([0.5, float("nan"), 1.0], nan_ok=True)


@pytest.mark.parametrize("binning", BINNINGS)
def test_classwise_is_the_mean_over_one_against_the_rest(binning):
    generator = torch.Generator().manual_seed(2)
    log_probability = log_probabilities(torch.randn(40, 4, generator=generator) * 3)
    label = torch.randint(4, (40,), generator=generator)
    members = width_members if binning is equal_width else mass_members
    probability = log_probability.exp()
    each = [
        reference(probability[:, k].tolist(), (label == k).tolist(), members(probability[:, k].tolist(), 7))[0]
        for k in range(4)
    ]
    found = classwise_calibration_error(log_probability, label, 7, binning).item()
    assert found == pytest.approx(np.mean(each), abs=1e-13)
    order = torch.tensor([2, 0, 3, 1])
    renamed = classwise_calibration_error(log_probability[:, order], order.argsort()[label], 7, binning).item()
    assert renamed == pytest.approx(found, abs=1e-14)


@pytest.mark.parametrize("binning", BINNINGS)
def test_debiased_is_0_on_average_where_the_plain_one_is_not(binning):
    generator = torch.Generator().manual_seed(3)
    plain, debiased = [], []
    for _ in range(1000):
        confidence = 0.3 + 0.7 * torch.rand(150, generator=generator, dtype=torch.float64)
        correct = torch.rand(150, generator=generator, dtype=torch.float64) < confidence
        plain.append(squared_calibration_error(confidence, correct, 15, binning).item())
        debiased.append(debiased_squared_calibration_error(confidence, correct, 15, binning).item())
    standard_error = np.std(debiased, ddof=1) / math.sqrt(len(debiased))
    assert abs(np.mean(debiased)) < 3 * standard_error
    assert np.mean(plain) > 20 * standard_error
    assert min(debiased) < 0


def test_debiased_recovers_a_known_error():
    """Constant confidence .8 and accuracy .6: the squared error is .04, which the plain one exceeds by .24 / n."""
    generator = torch.Generator().manual_seed(4)
    confidence = torch.full((50,), 0.8, dtype=torch.float64)
    found = []
    for _ in range(2000):
        correct = torch.rand(50, generator=generator) < 0.6
        found.append(debiased_squared_calibration_error(confidence, correct, 15, equal_width).item())
    standard_error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - 0.04) < 3 * standard_error
    assert standard_error < 0.24 / 50 / 4  # fine enough to tell


def test_debiased_is_kumars_where_confidence_is_constant_in_a_bin():
    confidence = torch.tensor([0.5] * 4 + [0.9] * 6, dtype=torch.float64)
    correct = torch.tensor([True, False, False, False] + [True] * 4 + [False] * 2)
    kumar = 0.4 * (0.25**2 - 0.25 * 0.75 / 3) + 0.6 * ((0.9 - 4 / 6) ** 2 - 4 / 6 * 2 / 6 / 5)
    found = debiased_squared_calibration_error(confidence, correct, 10, equal_width).item()
    assert found == pytest.approx(kumar, abs=1e-15)


def test_debiased_counts_single_examples_as_0_and_is_nan_without_pairs():
    confidence, correct = torch.tensor([0.1, 0.9, 0.9]), torch.tensor([True, False, False])
    found = debiased_squared_calibration_error(confidence, correct, 2, equal_width).item()
    assert found == pytest.approx(2 / 3 * 0.81, abs=1e-7)
    assert math.isnan(debiased_squared_calibration_error(confidence[:2], correct[:2], 2, equal_width).item())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 20),
    st.sampled_from(BINNINGS),
    st.randoms(use_true_random=False),
)
def test_ranges_and_order(pairs, bins, binning, shuffle):
    confidence = torch.tensor([c for c, _ in pairs], dtype=torch.float64)
    correct = torch.tensor([y for _, y in pairs])
    ece, most, squared, debiased = (error(confidence, correct, bins, binning).item() for error in ERRORS)
    assert 0 <= ece <= most + 1e-12
    assert most <= 1 + 1e-12
    assert ece**2 <= squared + 1e-12
    assert squared <= most * ece + 1e-12
    assert math.isnan(debiased) or debiased <= squared + 1e-12
    order = torch.tensor(shuffle.sample(range(len(pairs)), len(pairs)))
    again = [error(confidence[order], correct[order], bins, binning).item() for error in ERRORS]
    assert again == pytest.approx([ece, most, squared, debiased], abs=1e-12, nan_ok=True)


def test_classwise_of_more_classes_and_examples_than_are_held_at_once():
    generator = torch.Generator().manual_seed(5)
    log_probability = log_probabilities(torch.randn(4000, 70, generator=generator) * 3)
    assert log_probability.numel() > NUMBERS_AT_ONCE
    assert CLASSES_AT_ONCE < 70
    label = torch.randint(70, (4000,), generator=generator)
    probability, errors = log_probability.exp().numpy(), []
    for k in range(70):
        chosen = np.minimum(np.ceil(probability[:, k] * 10).clip(min=1) - 1, 9).astype(int)
        residual = (label.numpy() == k) - probability[:, k]
        errors.append(np.abs(np.bincount(chosen, weights=residual, minlength=10)).sum() / 4000)
    found = classwise_calibration_error(log_probability, label, 10, equal_width).item()
    assert found == pytest.approx(np.mean(errors), abs=1e-14)
