"""What is minimised: pure terms per example, and modules with plain arguments that take their mean over a batch."""

from paribus.objectives.classification import Brier, CrossEntropy, Focal, LabelSmoothing
from paribus.objectives.likelihoods import GaussianLikelihood, LaplaceLikelihood, StudentTLikelihood
from paribus.objectives.loss import (
    ClassificationObjective,
    Loss,
    Number,
    Objective,
    RegressionObjective,
    batch_mean,
)
from paribus.objectives.pointwise import Absolute, Huber, LogCosh, Quantile, Squared
from paribus.objectives.robust import Cauchy, Tukey

__all__ = [
    "Absolute",
    "Brier",
    "Cauchy",
    "ClassificationObjective",
    "CrossEntropy",
    "Focal",
    "GaussianLikelihood",
    "Huber",
    "LabelSmoothing",
    "LaplaceLikelihood",
    "LogCosh",
    "Loss",
    "Number",
    "Objective",
    "Quantile",
    "RegressionObjective",
    "Squared",
    "StudentTLikelihood",
    "Tukey",
    "batch_mean",
]
