"""Post-hoc calibration: maps from logits to probabilities, fitted on a validation part."""

from paribus.calibrators.affine import MatrixMap, MatrixScaling, VectorMap, VectorScaling
from paribus.calibrators.bayesian_binning import BayesianBinning
from paribus.calibrators.contract import Calibrator, Recalibration, ValidationLogits
from paribus.calibrators.histogram import HistogramBinning
from paribus.calibrators.isotonic import Isotonic, Lines
from paribus.calibrators.one_vs_all import ClasswiseMap, Steps
from paribus.calibrators.temperature import Temperature, TemperatureMap, Uncalibrated

__all__ = [
    "BayesianBinning",
    "Calibrator",
    "ClasswiseMap",
    "HistogramBinning",
    "Isotonic",
    "Lines",
    "MatrixMap",
    "MatrixScaling",
    "Recalibration",
    "Steps",
    "Temperature",
    "TemperatureMap",
    "Uncalibrated",
    "ValidationLogits",
    "VectorMap",
    "VectorScaling",
]
