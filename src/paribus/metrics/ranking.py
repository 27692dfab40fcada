"""How well probabilities rank: classes against each other, and right predictions above wrong ones."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paribus.metrics.checks import checked_confidences, checked_predictions, row_blocks
from paribus.metrics.predictions import one_hot

TIE_DECIMALS = 9
"""Calibrators give many examples one probability, up to the last digits of what normalised it: still ties."""


def auroc(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The area under the ROC curve, each class against the rest, averaged over the classes that have examples.

    With two classes that is the binary one; NaN where the labels are all of one class. Examples are ranked by
    log-odds, which keep apart what rounds to the same probability of 0 or 1 (torchmetrics ranks by probability, in
    float32); those that differ by less than rounding does are ties.
    """
    log_probability, label = checked_predictions(log_probability, label)
    blocks = row_blocks(log_probability)
    # A class's scores in a row: with many classes, reading them across examples takes longer than ranking them.
    score = torch.cat([log_odds(part).round(decimals=TIE_DECIMALS).T for part in blocks], dim=1)
    areas = [binary_auroc(score[k], label == k) for k in label.unique().tolist()]
    return torch.stack(areas).mean()


def binary_auroc(score: Float[Tensor, "n"], positive: Bool[Tensor, "n"]) -> Float[Tensor, ""]:
    """The chance that a positive scores above a negative, ties counted as half: Mann and Whitney's statistic.

    NaN where one of the two is missing.
    """
    ordered, chosen = score.sort().values, score[positive]
    below, not_above = torch.searchsorted(ordered, chosen), torch.searchsorted(ordered, chosen, right=True)
    positives = positive.sum().double()
    above = ((below + not_above + 1) / 2.0).sum(dtype=torch.float64) - positives * (positives + 1) / 2
    return above / (positives * (len(score) - positives))


def log_odds(log_probability: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """log p - log(1 - p) of each class, exact where p is next to 1; infinite at 0 and 1."""
    top = one_hot(log_probability.argmax(1), log_probability.shape[1])
    rest_of_top = log_probability.masked_fill(top, -torch.inf).logsumexp(1, keepdim=True)
    rest = torch.where(top, rest_of_top, torch.log1p(-log_probability.exp().clamp(max=1.0)))
    return log_probability - rest


@dataclass(frozen=True)
class RiskCoverage:
    """The error of the most confident part of the examples, over the size of that part.

    Attributes:
        coverage: 1/n, 2/n, ..., 1.
        risk: the share of errors among the most confident ones.
        area: the mean risk over these coverages, AURC (Geifman, Uziel and El-Yaniv 2019); smaller is better.
    """

    coverage: Float[Tensor, "n"]
    risk: Float[Tensor, "n"]

    @property
    def area(self) -> Float[Tensor, ""]:
        """AURC."""
        return self.risk.mean()


def risk_coverage(confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"]) -> RiskCoverage:
    """The risk-coverage curve. Examples of equal confidence come in random order: the curve is its expectation.

    So each of a group of equals brings that group's mean error, and the order of the data does not matter.
    """
    confidence, correct = checked_confidences(confidence, correct)
    _, group, size = torch.unique(-confidence, return_inverse=True, return_counts=True)
    error = torch.bincount(group, weights=(~correct).double()) / size
    taken = torch.arange(1, len(confidence) + 1, dtype=torch.float64)
    return RiskCoverage(taken / len(confidence), error.repeat_interleave(size).cumsum(0) / taken)
