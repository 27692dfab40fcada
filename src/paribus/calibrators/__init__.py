"""Post-hoc calibration: maps from logits to probabilities, fitted on a validation part."""

from paribus.calibrators.contract import Calibrator, Recalibration, ValidationLogits

__all__ = ["Calibrator", "Recalibration", "ValidationLogits"]
