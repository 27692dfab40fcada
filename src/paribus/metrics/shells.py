"""Thin torchmetrics shells: batches in, the functional core's number out, the same as of all batches at once."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from paribus.metrics.binning import Binning
from paribus.metrics.calibration import expected_calibration_error
from paribus.metrics.checks import check_bins
from paribus.metrics.predictions import top_label
from paribus.metrics.proper import brier_each, nll_each


class ExpectedCalibrationError(Metric):
    """ECE of the top label over all batches.

    torchmetrics' own gives a confidence of exactly 1.0 a bin of its own, which is wrong for networks that saturate.

    Args:
        bins: how many.
        binning: `equal_width` or `equal_mass`.

    Raises:
        ValueError: bins is out of range.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    confidence: list[Tensor]
    correct: list[Tensor]

    def __init__(self, bins: int, binning: Binning) -> None:
        super().__init__()
        check_bins(bins)
        self.bins, self.binning = bins, binning
        self.add_state("confidence", [], dist_reduce_fx="cat")
        self.add_state("correct", [], dist_reduce_fx="cat")

    def update(self, log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> None:
        """Takes in a batch."""
        confidence, correct = top_label(log_probability, label)
        self.confidence.append(confidence.to(self.device))
        self.correct.append(correct.to(self.device))

    def compute(self) -> Float[Tensor, ""]:
        """ECE of what was taken in."""
        confidence, correct = dim_zero_cat(self.confidence), dim_zero_cat(self.correct)
        return expected_calibration_error(confidence, correct, self.bins, self.binning)


class MeanScore(Metric):
    """The mean over examples of a score of each; a subclass says which score."""

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def score_each(self, log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The score of each example."""

    def update(self, log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> None:
        """Takes in a batch."""
        score = self.score_each(log_probability, label)
        self.total += score.sum().to(self.total.device)
        self.count += len(score)

    def compute(self) -> Float[Tensor, ""]:
        """The mean of what was taken in."""
        return self.total / self.count


class NegativeLogLikelihood(MeanScore):
    """NLL over all batches, in nats an example."""

    def score_each(self, log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Minus the log-probability of each label."""
        return nll_each(log_probability, label)


class BrierScore(MeanScore):
    """Multi-class Brier score over all batches, summed over the classes: from 0 to 2."""

    def score_each(self, log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The sum over classes of each example's squared errors."""
        return brier_each(log_probability, label)
