"""What is minimised: pure terms per example, and modules with plain arguments that take their mean over a batch."""

from paribus.number import Number
from paribus.objectives.adversarial import (
    AdversarialObjective,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    Wasserstein,
)
from paribus.objectives.classification import Brier, CrossEntropy, Focal, LabelSmoothing
from paribus.objectives.codes import CodeObjective, Reconstruction, WassersteinMmd
from paribus.objectives.likelihoods import GaussianLikelihood, LaplaceLikelihood, StudentTLikelihood
from paribus.objectives.loss import (
    ClassificationObjective,
    Loss,
    Objective,
    RegressionObjective,
    batch_mean,
)
from paribus.objectives.penalties import R1, GradientPenalty, Penalty
from paribus.objectives.pointwise import Absolute, Huber, LogCosh, Quantile, Squared
from paribus.objectives.robust import Cauchy, Tukey
from paribus.objectives.variational import BetaTcVae, Elbo, Inference, Iwae, VariationalObjective

__all__ = [
    "R1",
    "Absolute",
    "AdversarialObjective",
    "BetaTcVae",
    "Brier",
    "Cauchy",
    "ClassificationObjective",
    "CodeObjective",
    "CrossEntropy",
    "Elbo",
    "Focal",
    "GaussianLikelihood",
    "GradientPenalty",
    "Hinge",
    "Huber",
    "Inference",
    "Iwae",
    "LabelSmoothing",
    "LaplaceLikelihood",
    "LeastSquares",
    "LogCosh",
    "Loss",
    "Minimax",
    "NonSaturating",
    "Number",
    "Objective",
    "Penalty",
    "Quantile",
    "Reconstruction",
    "RegressionObjective",
    "RelativisticAverage",
    "Squared",
    "StudentTLikelihood",
    "Tukey",
    "VariationalObjective",
    "Wasserstein",
    "WassersteinMmd",
    "batch_mean",
]
