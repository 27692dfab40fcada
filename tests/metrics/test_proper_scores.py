"""Proper scores against sklearn; the Brier decomposition sums to what it decomposes."""

import math

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.metrics import (
    accuracy,
    brier,
    brier_decomposition,
    brier_each,
    classwise_brier_decomposition,
    equal_mass,
    equal_width,
    log_probabilities,
    nll,
    nll_each,
)
from paribus.metrics.checks import NUMBERS_AT_ONCE


def case(n, classes, seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    return log_probabilities(logits), torch.randint(classes, (n,), generator=generator)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_scores_are_sklearns(classes):
    log_probability, label = case(200, classes, classes)
    probability = log_probability.exp().numpy()
    names = list(range(classes))
    expected = sklearn.metrics.log_loss(label.numpy(), probability, labels=names)
    assert nll(log_probability, label).item() == pytest.approx(expected, rel=1e-12)
    if classes == 2:
        expected = 2 * sklearn.metrics.brier_score_loss(label.numpy(), probability[:, 1])
    else:
        expected = np.mean(np.sum((probability - np.eye(classes)[label.numpy()]) ** 2, axis=1))
    assert brier(log_probability, label).item() == pytest.approx(expected, rel=1e-12)
    expected = sklearn.metrics.accuracy_score(label.numpy(), probability.argmax(1))
    assert accuracy(log_probability, label).item() == pytest.approx(expected, rel=1e-12)


def test_scores_of_each_example_average_to_the_score_and_keep_its_order():
    log_probability, label = case(50, 4, 0)
    each = nll_each(log_probability, label)
    assert each.tolist() == pytest.approx([-log_probability[i, label[i]].item() for i in range(50)])
    assert nll(log_probability, label) == each.mean()
    assert brier(log_probability, label) == brier_each(log_probability, label).mean()


def test_certainty_scores_0_or_all():
    log_probability = torch.tensor([[0.0, -torch.inf], [0.0, -torch.inf]])
    label = torch.tensor([0, 1])
    assert nll_each(log_probability, label).tolist() == [0.0, math.inf]
    assert brier_each(log_probability, label).tolist() == [0.0, 2.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_of_ten_thousand(dtype):
    log_probability = log_probabilities(torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype=dtype))
    label = torch.tensor([1, 2])
    assert nll_each(log_probability, label).tolist() == pytest.approx([2e4, math.log(2)], rel=1e-15)
    assert brier_each(log_probability, label).tolist() == pytest.approx([2.0, 0.5], rel=1e-15)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0])), st.booleans()), min_size=1),
    st.integers(1, 20),
    st.sampled_from([equal_width, equal_mass]),
)
def test_decomposition_sums_exactly(pairs, bins, binning):
    confidence = torch.tensor([c for c, _ in pairs], dtype=torch.float64)
    correct = torch.tensor([y for _, y in pairs])
    terms = brier_decomposition(confidence, correct, bins, binning)
    assert terms.score.item() == pytest.approx((confidence - correct.double()).square().mean().item(), abs=1e-12)
    assert min(terms.reliability, terms.resolution, terms.uncertainty, terms.within_variance) >= 0
    assert terms.resolution <= terms.uncertainty + 1e-12


@pytest.mark.parametrize("binning", [equal_width, equal_mass])
def test_classwise_decomposition_sums_to_the_brier_score_and_murphys_terms_do_not(binning):
    log_probability, label = case(500, 5, 3)
    terms = classwise_brier_decomposition(log_probability, label, 10, binning)
    score = brier(log_probability, label).item()
    assert terms.score.item() == pytest.approx(score, abs=1e-12)
    assert abs((terms.reliability - terms.resolution + terms.uncertainty).item() - score) > 1e-4


def test_decomposition_by_hand():
    """Bins {.2, .4 | 0, 1} and {.8 | 1}."""
    confidence = torch.tensor([0.2, 0.4, 0.8], dtype=torch.float64)
    terms = brier_decomposition(confidence, torch.tensor([False, True, True]), 2, equal_width)
    assert terms.reliability.item() == pytest.approx((2 * 0.2**2 + 0.2**2) / 3)
    assert terms.resolution.item() == pytest.approx((2 * (1 / 6) ** 2 + (1 / 3) ** 2) / 3)
    assert terms.uncertainty.item() == pytest.approx(2 / 9)
    assert terms.within_variance.item() == pytest.approx(2 * 0.1**2 / 3)
    assert terms.within_covariance.item() == pytest.approx(2 * 2 * 0.1 * 0.5 / 3)


def test_order_of_examples_and_of_classes_does_not_matter():
    log_probability, label = case(100, 4, 4)
    examples, classes = torch.randperm(100, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 1, 0, 2])
    for score in (nll, brier, accuracy):
        expected = score(log_probability, label).item()
        assert score(log_probability[examples], label[examples]).item() == pytest.approx(expected, rel=1e-13)
        assert score(log_probability[:, classes], classes.argsort()[label]).item() == pytest.approx(expected, rel=1e-13)


def test_the_brier_score_of_more_examples_than_are_held_at_once():
    log_probability, label = case(70_000, 4, 9)
    assert log_probability.numel() > NUMBERS_AT_ONCE
    expected = ((log_probability.exp().numpy() - np.eye(4)[label.numpy()]) ** 2).sum(axis=1)
    assert brier_each(log_probability, label).numpy() == pytest.approx(expected, abs=1e-14)
