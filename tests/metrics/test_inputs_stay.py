"""No metric changes what it is given, be it one example or many."""

import pytest
import torch

from paribus import metrics

OF_PREDICTIONS = (
    metrics.nll, metrics.brier, metrics.accuracy, metrics.auroc, metrics.top_label,
    metrics.nll_each, metrics.brier_each,
    lambda p, label: metrics.classwise_calibration_error(p, label, 5, metrics.equal_width),
    lambda p, label: metrics.classwise_calibration_error(p, label, 5, metrics.equal_mass),
    lambda p, label: metrics.classwise_brier_decomposition(p, label, 5, metrics.equal_width),
)  # fmt: skip
OF_CONFIDENCES = (
    metrics.expected_calibration_error, metrics.maximum_calibration_error, metrics.debiased_squared_calibration_error,
    metrics.squared_calibration_error, metrics.brier_decomposition,
)  # fmt: skip


@pytest.mark.parametrize("examples", [1, 2, 700])
@pytest.mark.parametrize("classes", [2, 5])
def test_what_is_given_stays_as_it_is(examples, classes):
    generator = torch.Generator().manual_seed(examples)
    logits = torch.randn(examples, classes, dtype=torch.float64, generator=generator)
    log_probability, label = metrics.log_probabilities(logits), torch.randint(classes, (examples,), generator=generator)
    confidence, correct = metrics.top_label(log_probability, label)
    given = [tensor.clone() for tensor in (log_probability, label, confidence, correct)]
    for metric in OF_PREDICTIONS:
        metric(log_probability, label)
    for metric in OF_CONFIDENCES:
        metric(confidence, correct, 5, metrics.equal_width)
        metric(confidence, correct, 5, metrics.equal_mass)
    metrics.calibration_floor(confidence, 5, metrics.equal_width)
    metrics.calibration_test(confidence, correct, 5, metrics.equal_width, 10, generator)
    metrics.ece_interval(confidence, correct, 5, metrics.equal_width, 0.95, 10, generator)
    metrics.risk_coverage(confidence, correct)
    for before, after in zip(given, (log_probability, label, confidence, correct), strict=True):
        assert torch.equal(before, after)
