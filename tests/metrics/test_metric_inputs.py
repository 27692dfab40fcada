"""What metrics refuse, and what they define at the edges: one example, one class, half precision."""

import math

import pytest
import torch

from paribus import metrics
from paribus.metrics import equal_mass, equal_width

OF_PREDICTIONS = {
    "nll": metrics.nll,
    "brier": metrics.brier,
    "accuracy": metrics.accuracy,
    "auroc": metrics.auroc,
    "top_label": metrics.top_label,
    "classwise": lambda p, y: metrics.classwise_calibration_error(p, y, 15, equal_width),
    "classwise_brier": lambda p, y: metrics.classwise_brier_decomposition(p, y, 15, equal_width),
}
OF_CONFIDENCES = {
    "ece": lambda c, y: metrics.expected_calibration_error(c, y, 15, equal_mass),
    "maximum": lambda c, y: metrics.maximum_calibration_error(c, y, 15, equal_width),
    "squared": lambda c, y: metrics.squared_calibration_error(c, y, 15, equal_width),
    "debiased": lambda c, y: metrics.debiased_squared_calibration_error(c, y, 15, equal_width),
    "test": lambda c, y: metrics.calibration_test(c, y, 15, equal_width, 10, torch.Generator()),
    "interval": lambda c, y: metrics.ece_interval(c, y, 15, equal_width, 0.95, 10, torch.Generator()),
    "decomposition": lambda c, y: metrics.brier_decomposition(c, y, 15, equal_width),
    "risk": metrics.risk_coverage,
}
HALF = math.log(0.5)


@pytest.mark.parametrize("name", OF_PREDICTIONS)
@pytest.mark.parametrize(
    ("log_probability", "label", "said"),
    [
        (torch.full((2, 2), HALF), torch.tensor([0, 2]), "labels from 0 to 1, got 0 to 2"),
        (torch.full((2, 2), HALF), torch.tensor([-1, 0]), "got -1 to 0"),
        (torch.full((2, 2), HALF), torch.tensor([0]), r"integer labels \[2\]"),
        (torch.full((2, 2), HALF), torch.tensor([0.0, 1.0]), "integer labels"),
        (torch.full((2, 2), HALF), torch.tensor([False, True]), "integer labels"),
        (torch.full((2,), HALF), torch.tensor([0, 1]), r"\[n, classes\]"),
        (torch.zeros(2, 1, dtype=torch.int64), torch.tensor([0, 0]), "floating"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), "at least one example"),
        (torch.zeros(2, 0), torch.tensor([0, 0]), "one class"),
        (torch.tensor([[HALF, HALF], [HALF, math.nan]]), torch.tensor([0, 1]), r"NaN, the first at \[1, 1\]"),
        (torch.tensor([[HALF, HALF], [HALF, -0.5]]), torch.tensor([0, 1]), "example 1 sum to 1.10653"),
        (torch.tensor([[0.5, 0.5]]), torch.tensor([0]), "sum to 1 over the classes"),
        (torch.tensor([[0.0, math.inf]]), torch.tensor([0]), "sum to inf"),
        (torch.full((1, 2), -math.inf), torch.tensor([0]), "sum to 0"),
    ],
)
def test_predictions_that_are_none_are_refused(name, log_probability, label, said):
    with pytest.raises(ValueError, match=said):
        OF_PREDICTIONS[name](log_probability, label)


@pytest.mark.parametrize("name", OF_CONFIDENCES)
@pytest.mark.parametrize(
    ("confidence", "correct", "said"),
    [
        (torch.tensor([0.5, 1.5]), torch.tensor([True, False]), "from 0 to 1, got 0.5 to 1.5"),
        (torch.tensor([-0.1]), torch.tensor([True]), "got -0.1 to -0.1"),
        (torch.tensor([math.nan]), torch.tensor([True]), "NaN"),
        (torch.tensor([0.5]), torch.tensor([1]), "booleans"),
        (torch.tensor([0.5]), torch.tensor([True, False]), r"booleans \[1\]"),
        (torch.zeros(0), torch.zeros(0, dtype=torch.bool), "at least 1"),
        (torch.tensor([[0.5]]), torch.tensor([[True]]), r"\[n\]"),
        (torch.tensor([1]), torch.tensor([True]), "floating"),
    ],
)
def test_confidences_that_are_none_are_refused(name, confidence, correct, said):
    with pytest.raises(ValueError, match=said):
        OF_CONFIDENCES[name](confidence, correct)


@pytest.mark.parametrize("name", ["nll", "brier"])
def test_single_precision_of_a_thousand_classes_is_close_enough(name):
    """A float32 softmax of a thousand classes sums to 1 within the tolerance."""
    logits = 30 * torch.randn(200, 1000, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(200, dtype=torch.int64)
    found = OF_PREDICTIONS[name](logits.log_softmax(1), label)
    assert found.item() == pytest.approx(
        OF_PREDICTIONS[name](metrics.log_probabilities(logits), label).item(), rel=1e-5
    )


def test_numbers_of_bins_levels_and_draws_are_checked():
    confidence, correct = torch.tensor([0.5]), torch.tensor([True])
    for binning in (equal_width, equal_mass):
        with pytest.raises(ValueError, match="at least 1 bin, got 0"):
            metrics.expected_calibration_error(confidence, correct, 0, binning)
    with pytest.raises(ValueError, match="at least 1 draw, got 0"):
        metrics.calibration_test(confidence, correct, 5, equal_width, 0, torch.Generator())
    with pytest.raises(ValueError, match="at least 1 draw, got 0"):
        metrics.ece_interval(confidence, correct, 5, equal_width, 0.95, 0, torch.Generator())
    for level in (0.0, 1.0, 95.0, math.nan):
        with pytest.raises(ValueError, match="level between 0 and 1"):
            metrics.ece_interval(confidence, correct, 5, equal_width, level, 10, torch.Generator())


@pytest.mark.parametrize("logits", [torch.tensor([[0.0, math.nan]]), torch.tensor([[0.0, math.inf]])])
def test_logits_that_are_not_finite_are_refused(logits):
    with pytest.raises(ValueError, match="finite logits, got 1"):
        metrics.log_probabilities(logits)


@pytest.mark.parametrize("binning", [equal_width, equal_mass])
def test_one_example_is_defined(binning):
    log_probability, label = torch.tensor([[0.25, 0.75]]).log(), torch.tensor([0])
    confidence, correct = metrics.top_label(log_probability, label)
    assert confidence.item() == pytest.approx(0.75, abs=1e-7)
    assert not correct.item()
    assert metrics.expected_calibration_error(confidence, correct, 15, binning).item() == pytest.approx(0.75)
    assert metrics.maximum_calibration_error(confidence, correct, 15, binning).item() == pytest.approx(0.75)
    assert math.isnan(metrics.debiased_squared_calibration_error(confidence, correct, 15, binning).item())
    assert metrics.calibration_floor(confidence, 15, binning).item() == pytest.approx(2 * 0.75 * 0.25)
    assert metrics.brier_decomposition(confidence, correct, 15, binning).score.item() == pytest.approx(0.75**2)
    assert metrics.risk_coverage(confidence, correct).area.item() == 1.0
    interval = metrics.ece_interval(confidence, correct, 15, binning, 0.95, 100, torch.Generator())
    assert (interval.lower, interval.upper) == (0.0, 1.0)


def test_one_class_is_always_right():
    log_probability, label = torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)
    assert metrics.nll(log_probability, label).item() == 0
    assert metrics.brier(log_probability, label).item() == 0
    assert metrics.accuracy(log_probability, label).item() == 1
    assert metrics.classwise_calibration_error(log_probability, label, 15, equal_width).item() == 0
    confidence, correct = metrics.top_label(log_probability, label)
    assert metrics.calibration_floor(confidence, 15, equal_width).item() == 0
    assert metrics.expected_calibration_error(confidence, correct, 15, equal_width).item() == 0


def test_results_are_float64_whatever_comes_in_and_nothing_is_changed():
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    log_probability, label = logits.log_softmax(1), torch.arange(20, dtype=torch.int32) % 3
    before = log_probability.clone()
    for name in ("nll", "brier", "accuracy", "auroc", "classwise"):
        assert OF_PREDICTIONS[name](log_probability.requires_grad_(), label).dtype == torch.float64
    assert torch.equal(log_probability, before)


def test_likeliest_class_is_the_first_of_equals_and_rounding_above_1_is_mended():
    confidence, correct = metrics.top_label(torch.tensor([[HALF, HALF], [1e-6, -40.0]]), torch.tensor([1, 0]))
    assert correct.tolist() == [False, True]
    assert confidence[1].item() == 1.0
