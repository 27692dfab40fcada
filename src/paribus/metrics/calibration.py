"""Calibration errors: how far from the share that is correct the stated confidences are.

Units: probability (the squared errors: its square). `confidence [n]` is the probability that was given to an event and
`correct [n]` whether it happened; for a classifier `top_label` gives both.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paribus.metrics.binning import Binning, bin_sums, binned
from paribus.metrics.checks import checked_confidences, checked_predictions
from paribus.metrics.predictions import each_class


def expected_calibration_error(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning
) -> Float[Tensor, ""]:
    """ECE: the mean over examples of |accuracy - mean confidence| of their bin.

    With `equal_width` that of Naeini et al. 2015 and Guo et al. 2017, with `equal_mass` the adaptive one. It is above 0
    for a calibrated predictor too: set `calibration_floor` beside it.
    """
    held = binned(confidence, correct, bins, binning)
    return (held.weight * held.gap.abs()).sum()


def maximum_calibration_error(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning
) -> Float[Tensor, ""]:
    """The largest |accuracy - mean confidence| of a bin that is not empty. Bins of few examples rule it."""
    return binned(confidence, correct, bins, binning).gap.abs().max()


def classwise_calibration_error(
    log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"], bins: int, binning: Binning
) -> Float[Tensor, ""]:
    """The mean over classes of the ECE of that class's probability against being of that class (Kull et al. 2019)."""
    log_probability, label = checked_predictions(log_probability, label)
    errors = [expected_calibration_error(*of_class, bins, binning) for of_class in each_class(log_probability, label)]
    return torch.stack(errors).mean()


def squared_calibration_error(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning
) -> Float[Tensor, ""]:
    """The mean over examples of (accuracy - mean confidence)^2 of their bin. Positive on a calibrated predictor too."""
    held = binned(confidence, correct, bins, binning)
    return (held.weight * held.gap.square()).sum()


def debiased_squared_calibration_error(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning
) -> Float[Tensor, ""]:
    """The squared calibration error less its expected sampling noise: at times below 0.

    Its mean on a calibrated predictor is 0. In each bin it is the mean of r_i r_j over pairs i != j, r = correct -
    confidence: the squared gap less the sample variance of r over the bin's count. Where the confidence is constant
    within a bin that is the estimator of Kumar, Liang and Ma 2019 (section 5), which subtracts accuracy (1 - accuracy)
    / (count - 1); where it varies theirs falls short by the variance of the confidence over the count, and this one
    stays unbiased, whatever the confidences.

    A bin with one example says nothing about its square and counts as 0, which is right for a calibrated predictor and
    too small for another. NaN where no bin has two examples.
    """
    confidence, correct = checked_confidences(confidence, correct)
    index = binning(confidence, bins)
    residual = correct.double() - confidence
    count = torch.bincount(index, minlength=bins).double()
    total, squares = bin_sums(residual, index, bins), bin_sums(residual.square(), index, bins)
    several = count > 1
    if not several.any():
        return torch.tensor(float("nan"), dtype=torch.float64)
    pairs = (total.square() - squares)[several] / (count[several] - 1)
    return pairs.sum() / len(residual)
