"""Metrics of probabilities and of samples: a functional core on tensors, and thin torchmetrics shells."""

from paribus.metrics.binning import Binning, Bins, binned, equal_mass, equal_width
from paribus.metrics.calibration import (
    classwise_calibration_error,
    debiased_squared_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
    squared_calibration_error,
)
from paribus.metrics.ece_interval import EceInterval, ece_interval
from paribus.metrics.energy import energy_distance
from paribus.metrics.floor import CalibrationTest, calibration_floor, calibration_test
from paribus.metrics.frechet import frechet_distance
from paribus.metrics.kernel_distance import kernel_distance
from paribus.metrics.memorisation import Memorisation, memorisation
from paribus.metrics.modes import ModeCoverage, divergence_from_uniform, mode_coverage, points_in_modes
from paribus.metrics.precision_recall import PrecisionRecall, precision_recall
from paribus.metrics.predictions import log_probabilities, top_label
from paribus.metrics.proper import (
    BrierDecomposition,
    accuracy,
    brier,
    brier_decomposition,
    brier_each,
    classwise_brier_decomposition,
    nll,
    nll_each,
)
from paribus.metrics.ranking import RiskCoverage, auroc, risk_coverage
from paribus.metrics.shells import BrierScore, ExpectedCalibrationError, NegativeLogLikelihood

__all__ = [
    "Binning",
    "Bins",
    "BrierDecomposition",
    "BrierScore",
    "CalibrationTest",
    "EceInterval",
    "ExpectedCalibrationError",
    "Memorisation",
    "ModeCoverage",
    "NegativeLogLikelihood",
    "PrecisionRecall",
    "RiskCoverage",
    "accuracy",
    "auroc",
    "binned",
    "brier",
    "brier_decomposition",
    "brier_each",
    "calibration_floor",
    "calibration_test",
    "classwise_brier_decomposition",
    "classwise_calibration_error",
    "debiased_squared_calibration_error",
    "divergence_from_uniform",
    "ece_interval",
    "energy_distance",
    "equal_mass",
    "equal_width",
    "expected_calibration_error",
    "frechet_distance",
    "kernel_distance",
    "log_probabilities",
    "maximum_calibration_error",
    "memorisation",
    "mode_coverage",
    "nll",
    "nll_each",
    "points_in_modes",
    "precision_recall",
    "risk_coverage",
    "squared_calibration_error",
    "top_label",
]
