"""What is measured of predicted probabilities, whoever predicted them, and what a diagram draws of them."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from paribus.metrics import (
    accuracy,
    auroc,
    binned,
    brier,
    calibration_floor,
    classwise_brier_decomposition,
    classwise_calibration_error,
    debiased_squared_calibration_error,
    equal_mass,
    equal_width,
    expected_calibration_error,
    maximum_calibration_error,
    nll,
    risk_coverage,
    top_label,
)
from paribus.study.factors import Metric

MEASURES = (
    Metric("accuracy", "maximise"),
    Metric("nll", "minimise", "nats"),
    Metric("brier", "minimise"),
    Metric("brier_reliability", "minimise"),
    Metric("brier_resolution", "maximise"),
    Metric("ece", "minimise", scale="log"),
    Metric("ece_floor", "neither", scale="log"),
    Metric("ece_equal_mass", "minimise", scale="log"),
    Metric("classwise_ece", "minimise", scale="log"),
    Metric("max_calibration_error", "minimise", scale="log"),
    Metric("squared_calibration_error", "minimise"),
    Metric("mean_confidence", "neither"),
    Metric("auroc", "maximise"),
    Metric("aurc", "minimise"),
)


def scores(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"], bins: int) -> dict[str, float]:
    """The metrics of `MEASURES`, by name.

    `ece` has bins of equal width and `ece_floor` is what it would be on average if each confidence were right;
    `squared_calibration_error` is the debiased one, on bins of equal mass: 0 on average for a calibrated predictor.
    """
    confidence, correct = top_label(log_probability, label)
    by_width, by_mass = (confidence, correct, bins, equal_width), (confidence, correct, bins, equal_mass)
    decomposed = classwise_brier_decomposition(log_probability, label, bins, equal_width)
    measured = {
        "accuracy": accuracy(log_probability, label),
        "nll": nll(log_probability, label),
        "brier": brier(log_probability, label),
        "brier_reliability": decomposed.reliability,
        "brier_resolution": decomposed.resolution,
        "ece": expected_calibration_error(*by_width),
        "ece_floor": calibration_floor(confidence, bins, equal_width),
        "ece_equal_mass": expected_calibration_error(*by_mass),
        "classwise_ece": classwise_calibration_error(log_probability, label, bins, equal_width),
        "max_calibration_error": maximum_calibration_error(*by_width),
        "squared_calibration_error": debiased_squared_calibration_error(*by_mass),
        "mean_confidence": confidence.mean(),
        "auroc": auroc(log_probability, label),
        "aurc": risk_coverage(confidence, correct).area,
    }
    return {name: float(value) for name, value in measured.items()}


def diagram(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"], bins: int) -> dict[str, Any]:
    """What a reliability diagram draws.

    Returns:
        `bins`, those that are not empty: low and high edge, how many examples, their mean confidence, the share that is
        right; `ece` and its `floor`.
    """
    confidence, correct = top_label(log_probability, label)
    held = binned(confidence, correct, bins, equal_width)
    rows = zip(held.count.tolist(), held.confidence.tolist(), held.accuracy.tolist(), strict=True)
    return {
        "bins": [[k / bins, (k + 1) / bins, *row] for k, row in enumerate(rows) if row[0]],
        "ece": float(expected_calibration_error(confidence, correct, bins, equal_width)),
        "floor": float(calibration_floor(confidence, bins, equal_width)),
    }


def diagrams(levels: Mapping[str, Tensor], label: Int[Tensor, "n"], bins: int) -> dict[str, Any]:
    """The drawing that a run leaves for the report: a diagram for each level of its within-run factor."""
    return {
        "kind": "reliability",
        "levels": {level: diagram(log_probability, label, bins) for level, log_probability in levels.items()},
    }
