"""Densities of latent-variable models: likelihoods of examples given a code, posteriors and priors of codes."""

from paribus.densities.codes import LatentCode
from paribus.densities.contract import EvaluablePrior, Likelihood, Prior
from paribus.densities.gaussian import DiagonalGaussian
from paribus.densities.likelihoods import Bernoulli, Gaussian, MeanSquaredError
from paribus.densities.priors import GaussianMixture, StandardNormal, SwissRoll, Uniform

__all__ = [
    "Bernoulli",
    "DiagonalGaussian",
    "EvaluablePrior",
    "Gaussian",
    "GaussianMixture",
    "LatentCode",
    "Likelihood",
    "MeanSquaredError",
    "Prior",
    "StandardNormal",
    "SwissRoll",
    "Uniform",
]
