"""Proper scores of probabilities, accuracy, and what the Brier score is made of."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paribus.metrics.binning import Binning, binned
from paribus.metrics.checks import checked_confidences, checked_predictions, row_blocks
from paribus.metrics.predictions import each_class, one_hot, top_label


def nll_each(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Minus the log-probability of each label, in nats; infinite where the label was given probability 0."""
    log_probability, label = checked_predictions(log_probability, label)
    return -log_probability.gather(1, label[:, None]).squeeze(1)


def brier_each(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Each example's sum over classes of (p_k - [label = k])^2, from 0 to 2 (Brier 1950).

    For two classes it is twice the score that is customary there, the square of one probability's error.
    """
    log_probability, label = checked_predictions(log_probability, label)
    blocks = row_blocks(log_probability)
    scores = []
    for part, names in zip(blocks, label.split(len(blocks[0])), strict=True):
        happened = one_hot(names, part.shape[1]).double()
        scores.append((part.exp().clamp(max=1.0) - happened).square().sum(1))
    return torch.cat(scores)


def nll(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The mean of `nll_each`: nats an example."""
    return nll_each(log_probability, label).mean()


def brier(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The mean of `brier_each`: summed over the classes, from 0 to 2."""
    return brier_each(log_probability, label).mean()


def accuracy(log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    """The share of labels that are the likeliest class; of equally likely classes the first is taken."""
    return top_label(log_probability, label)[1].double().mean()


@dataclass(frozen=True)
class BrierDecomposition:
    """Murphy's three terms of the Brier score by bins, and the two that are lost within bins (Stephenson et al. 2008).

    score = reliability - resolution + uncertainty + within_variance - within_covariance, exactly.

    Attributes:
        reliability: mean over examples of (mean confidence - accuracy)^2 of their bin; 0 is best.
        resolution: mean over examples of (accuracy of their bin - accuracy of all)^2; more is better.
        uncertainty: accuracy (1 - accuracy) of all: the predictor has no part in it.
        within_variance: mean of (confidence - its bin's mean)^2.
        within_covariance: twice the mean of (confidence - its bin's mean)(correct - its bin's accuracy).
    """

    reliability: Float[Tensor, ""]
    resolution: Float[Tensor, ""]
    uncertainty: Float[Tensor, ""]
    within_variance: Float[Tensor, ""]
    within_covariance: Float[Tensor, ""]

    @property
    def score(self) -> Float[Tensor, ""]:
        """The Brier score that the terms make up."""
        between = self.reliability - self.resolution + self.uncertainty
        return between + self.within_variance - self.within_covariance


def brier_decomposition(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning
) -> BrierDecomposition:
    """The terms of the mean of (confidence - correct)^2: one event, such as that the top label is right."""
    confidence, correct = checked_confidences(confidence, correct)
    held = binned(confidence, correct, bins, binning)
    happened = correct.double()
    base_rate = happened.mean()
    off_confidence = confidence - held.confidence[held.index]
    off_accuracy = happened - held.accuracy[held.index]
    return BrierDecomposition(
        reliability=(held.weight * held.gap.square()).sum(),
        resolution=(held.weight * (held.accuracy - base_rate).nan_to_num(nan=0.0).square()).sum(),
        uncertainty=base_rate * (1 - base_rate),
        within_variance=off_confidence.square().mean(),
        within_covariance=2 * (off_confidence * off_accuracy).mean(),
    )


def classwise_brier_decomposition(
    log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"], bins: int, binning: Binning
) -> BrierDecomposition:
    """The terms of the multi-class score, `brier`: the sum over classes of those of each against the rest."""
    log_probability, label = checked_predictions(log_probability, label)
    each = [brier_decomposition(*of_class, bins, binning) for of_class in each_class(log_probability, label)]
    return BrierDecomposition(
        reliability=torch.stack([terms.reliability for terms in each]).sum(),
        resolution=torch.stack([terms.resolution for terms in each]).sum(),
        uncertainty=torch.stack([terms.uncertainty for terms in each]).sum(),
        within_variance=torch.stack([terms.within_variance for terms in each]).sum(),
        within_covariance=torch.stack([terms.within_covariance for terms in each]).sum(),
    )
