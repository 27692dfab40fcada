"""The finite-sample floor: the ECE that a perfectly calibrated predictor with the same confidences shows.

A bin's correct predictions are then a sum of independent events whose probabilities are the confidences: a Poisson
binomial, which is computed from its characteristic function, so that the floor is exact and nothing is random.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from paribus.metrics.binning import Binning
from paribus.metrics.calibration import expected_calibration_error
from paribus.metrics.checks import check_draws, checked_confidence, checked_confidences

EXAMPLES_AT_ONCE = 4096
"""So that memory does not grow with the number of examples."""

ROUNDING = 1e-12
"""An ECE this little below another is the same one, summed in another order."""

NEGLIGIBLE_LOG = 40.0
"""Frequencies where the characteristic function is below exp(-40) = 4e-18 change no digit."""


@dataclass(frozen=True)
class CalibrationTest:
    """What a test of calibration found.

    Attributes:
        error: the ECE of the data.
        floor: its mean under calibration.
        critical: its 95 % point under calibration.
        p_value: how often a calibrated predictor shows an ECE at least as large.
    """

    error: float
    floor: float
    critical: float
    p_value: float


def calibration_floor(confidence: Float[Tensor, "n"], bins: int, binning: Binning) -> Float[Tensor, ""]:
    """The expected ECE of a predictor with these confidences that is perfectly calibrated.

    The mean of |correct - expected| over each bin's Poisson binomial, over the number of examples. Exact: rounding is
    at most some 1e-16 an example.
    """
    confidence = checked_confidence(confidence)
    return mean_noise(counts_by_bin(confidence, binning(confidence, bins)))


def calibration_test(
    confidence: Float[Tensor, "n"],
    correct: Bool[Tensor, "n"],
    bins: int,
    binning: Binning,
    draws: int,
    generator: Generator,
) -> CalibrationTest:
    """Tests that the predictor is calibrated by its ECE, against `draws` of the ECE under calibration.

    The p-value counts the data as one of the draws, (1 + draws at least as large) / (1 + draws), so that it is never 0
    and rejects a calibrated predictor no more often than stated. Source: consistency resampling, Brocker and Smith
    2007; Vaicenavicius et al. 2019, section 5. Memory: draws x bins that hold examples.
    """
    check_draws(draws)
    confidence, correct = checked_confidences(confidence, correct)
    error = expected_calibration_error(confidence, correct, bins, binning)
    counts = counts_by_bin(confidence, binning(confidence, bins))
    under = noise_draws(counts, torch.rand(draws, len(counts), dtype=torch.float64, generator=generator))
    at_least = int((under >= error - ROUNDING).sum())
    return CalibrationTest(
        error.item(),
        mean_noise(counts).item(),
        under.quantile(0.95, interpolation="higher").item(),
        (1 + at_least) / (1 + draws),
    )


@dataclass(frozen=True)
class BinCounts:
    """How the count of events of one bin is distributed.

    Attributes:
        mass: the chance of each count.
        deviation: |count - expected count| over the number of all examples.
    """

    mass: Float[Tensor, "width"]
    deviation: Float[Tensor, "width"]


def counts_by_bin(probability: Float[Tensor, "n"], index: Int[Tensor, "n"]) -> list[BinCounts]:
    """The distribution in each bin that holds examples, for independent events of these probabilities."""
    found = []
    _, size = index.unique(return_counts=True)
    for members in probability[index.argsort(stable=True)].split(size.tolist()):
        mass, centred = poisson_binomial(members)
        found.append(BinCounts(mass, centred.abs() / len(probability)))
    return found


def mean_noise(counts: list[BinCounts]) -> Float[Tensor, ""]:
    """The expected sum over bins of |count - expected count| / n."""
    return torch.stack([(held.mass * held.deviation).sum() for held in counts]).sum()


def noise_draws(counts: list[BinCounts], uniform: Float[Tensor, "draws occupied"]) -> Float[Tensor, "draws"]:
    """Draws of the sum over bins of |count - expected count| / n: each count is the quantile at its uniform number."""
    noise = torch.zeros(len(uniform), dtype=torch.float64)
    for held, quantile in zip(counts, uniform.T, strict=True):
        place = torch.searchsorted(held.mass.cumsum(0), quantile.contiguous())
        noise += held.deviation[place.clamp(max=len(held.mass) - 1)]
    return noise


def poisson_binomial(probability: Float[Tensor, "n"]) -> tuple[Float[Tensor, "width"], Float[Tensor, "width"]]:
    """The distribution of the number of events, over a window of counts, and those counts less the mean.

    Events that are certain or impossible add nothing to the counts less their mean, and are left out.
    Outside the window lies less than 1e-16, by Bernstein's inequality: 25 + 9 standard deviations either side. The
    characteristic function of the window's frequencies is inverted by a Fourier transform; it falls as
    exp(-variance (1 - cos t)), so that some thirty frequencies are enough for any number of events. Source: Hong, On
    computing the distribution function for the Poisson binomial distribution (2013).
    """
    probability = probability[(probability > 0) & (probability < 1)]
    variance = (probability * (1 - probability)).sum().item()
    mean = probability.sum().item()
    half = math.ceil(25 + 9 * math.sqrt(variance))
    first, width = math.floor(mean) - half, 2 * half + 1
    if width > len(probability):
        first, width = 0, len(probability) + 1
    step = torch.arange(width // 2 + 1)
    step = step[variance * (1 - (2 * math.pi * step / width).cos()) <= NEGLIGIBLE_LOG]
    angle = 2 * math.pi * step.double() / width
    turn = torch.polar(torch.ones_like(angle), -angle)
    spectrum = torch.polar(torch.ones_like(angle), 2 * math.pi * (step * first % width).double() / width)
    for part in probability.split(EXAMPLES_AT_ONCE):
        spectrum = spectrum * (1 - part + turn[:, None] * part).prod(1)
    mass = torch.fft.irfft(torch.nn.functional.pad(spectrum, (0, width // 2 + 1 - len(step))), n=width).clamp(min=0.0)
    return mass / mass.sum(), torch.arange(first, first + width, dtype=torch.float64) - mean
