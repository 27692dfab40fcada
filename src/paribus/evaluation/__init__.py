"""Evaluators: run after training, they measure what no objective was trained on and know nothing of the objective."""

from paribus.evaluation.bounds import Bounds
from paribus.evaluation.classification import Calibrated, ClassificationMetrics
from paribus.evaluation.codes import CodeMetrics
from paribus.evaluation.contract import Evaluator
from paribus.evaluation.elbo import ElboMetrics
from paribus.evaluation.generated import GeneratedMetrics
from paribus.evaluation.modes import ModeMetrics
from paribus.evaluation.recentred import Recentred
from paribus.evaluation.regression import RegressionMetrics
from paribus.evaluation.sample_quality import SampleQuality

__all__ = [
    "Bounds",
    "Calibrated",
    "ClassificationMetrics",
    "CodeMetrics",
    "ElboMetrics",
    "Evaluator",
    "GeneratedMetrics",
    "ModeMetrics",
    "Recentred",
    "RegressionMetrics",
    "SampleQuality",
]
