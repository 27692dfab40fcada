"""AUROC against sklearn and torchmetrics, risk-coverage against all orders of ties."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.metrics import auroc, log_probabilities, risk_coverage


def case(n, classes, seed, decimals):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, classes, generator=generator, dtype=torch.float64)
    label = torch.randint(classes, (n,), generator=generator)
    return log_probabilities((logits + torch.nn.functional.one_hot(label, classes)).round(decimals=decimals)), label


@pytest.mark.parametrize("decimals", [8, 0])
@pytest.mark.parametrize(("n", "classes"), [(300, 2), (300, 3), (300, 10), (30_000, 10)])
def test_auroc_is_sklearns_and_torchmetrics(n, classes, decimals):
    log_probability, label = case(n, classes, classes, decimals)
    # Rounded, since equal logits give probabilities that differ in the last digit, which sklearn takes for an order.
    probability = log_probability.exp().round(decimals=12)
    score = probability[:, 1] if classes == 2 else probability
    expected = sklearn.metrics.roc_auc_score(label, score.numpy(), multi_class="ovr", average="macro")
    assert auroc(log_probability, label).item() == pytest.approx(expected, abs=1e-9)
    theirs = torchmetrics.functional.classification.multiclass_auroc(probability, label, classes, average="macro")
    assert auroc(log_probability, label).item() == pytest.approx(theirs.item(), abs=1e-5)


def test_classes_without_examples_are_left_out():
    log_probability, label = case(200, 4, 0, 8)
    label = label.clamp(max=2)
    probability = log_probability.exp().numpy()
    expected = np.mean([sklearn.metrics.roc_auc_score(label == k, probability[:, k]) for k in range(3)])
    assert auroc(log_probability, label).item() == pytest.approx(expected, abs=1e-12)


def test_one_class_has_no_auroc():
    log_probability, _ = case(5, 3, 0, 8)
    assert math.isnan(auroc(log_probability, torch.ones(5, dtype=torch.int64)).item())
    assert math.isnan(auroc(torch.zeros(5, 1), torch.zeros(5, dtype=torch.int64)).item())


def test_saturated_probabilities_are_ranked_by_their_logits():
    """All four probabilities of class 1 round to 1, and to 0 of class 0."""
    log_probability = log_probabilities(torch.tensor([[0.0, 50.0], [0.0, 60.0], [0.0, 1e4], [0.0, 45.0]]))
    assert (log_probability.exp()[:, 1] == 1).all()
    assert auroc(log_probability, torch.tensor([0, 1, 1, 0])).item() == 1.0


def test_certain_predictions_are_ranked():
    log_probability = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]).log()
    assert auroc(log_probability, torch.tensor([0, 1, 2, 0])).item() == 1.0
    assert auroc(log_probability, torch.tensor([0, 1, 2, 2])).item() == pytest.approx((5 / 6 + 1 + 3 / 4) / 3)


def test_order_of_examples_and_of_classes_does_not_matter():
    log_probability, label = case(100, 4, 4, 1)
    examples, classes = torch.randperm(100, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 1, 0, 2])
    expected = auroc(log_probability, label).item()
    assert auroc(log_probability[examples], label[examples]).item() == pytest.approx(expected, abs=1e-13)
    assert auroc(log_probability[:, classes], classes.argsort()[label]).item() == pytest.approx(expected, abs=1e-13)


def test_risk_coverage_by_hand():
    found = risk_coverage(torch.tensor([0.9, 0.5, 0.7]), torch.tensor([True, False, False]))
    assert found.coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert found.risk.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert found.area.item() == pytest.approx((1 / 2 + 2 / 3) / 3)


def test_risk_coverage_is_the_mean_over_all_orders_of_equals():
    confidence, wrong = [0.9, 0.6, 0.6, 0.6, 0.6, 0.2], [0, 1, 0, 0, 1, 1]
    curves = []
    for middle in itertools.permutations(wrong[1:5]):
        errors = np.array([wrong[0], *middle, wrong[5]])
        curves.append(errors.cumsum() / np.arange(1, 7))
    found = risk_coverage(torch.tensor(confidence), torch.tensor(wrong) == 0)
    assert found.risk.numpy() == pytest.approx(np.mean(curves, axis=0), abs=1e-15)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.booleans()), min_size=1), st.randoms())
def test_risk_coverage_ends_at_the_error_whatever_the_order(pairs, shuffle):
    mixed = shuffle.sample(pairs, len(pairs))
    first, second = (
        risk_coverage(torch.tensor([c for c, _ in of]), torch.tensor([y for _, y in of])) for of in (pairs, mixed)
    )
    assert first.risk.tolist() == pytest.approx(second.risk.tolist(), abs=1e-14)
    assert first.risk[-1].item() == pytest.approx(np.mean([not y for _, y in pairs]))
    assert 0 <= first.area <= 1


def test_ties_that_rounding_splits_are_ties():
    """Three classes' probabilities of .7, normalised from different numbers."""
    raw = torch.tensor([[7.0, 2.0, 1.0], [0.7, 0.1, 0.2], [2.1, 0.3, 0.6], [0.49, 0.21, 0.0]], dtype=torch.float64)
    log_probability = (raw / raw.sum(1, keepdim=True)).log()
    assert auroc(log_probability, torch.tensor([0, 1, 0, 1])).item() == pytest.approx((0.5 + 0.625) / 2)
