"""Bins of confidences: which example is in which, and what each bin holds."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paribus.metrics.checks import check_bins, checked_confidence, checked_confidences

Binning = Callable[[Tensor, int], Tensor]
"""Confidences `[n]` and a number of bins to the bin of each example `[n]`, from 0. Labels play no part in it."""


@dataclass(frozen=True)
class Bins:
    """What the bins hold; of an empty bin the means are NaN.

    Attributes:
        index: the bin of each example.
        count: examples in each bin.
        confidence: mean confidence of each bin.
        accuracy: share of each bin that is correct.
    """

    index: Int[Tensor, "n"]
    count: Int[Tensor, "bins"]
    confidence: Float[Tensor, "bins"]
    accuracy: Float[Tensor, "bins"]

    @property
    def weight(self) -> Float[Tensor, "bins"]:
        """The share of all examples that each bin holds."""
        return self.count.double() / self.count.sum()

    @property
    def gap(self) -> Float[Tensor, "bins"]:
        """Accuracy less mean confidence; 0 for an empty bin, which weighs nothing."""
        return (self.accuracy - self.confidence).nan_to_num(nan=0.0)


def equal_width(confidence: Float[Tensor, "n"], bins: int) -> Int[Tensor, "n"]:
    """Bins `(k / bins, (k + 1) / bins]`, the first of which holds 0.0 as well (Guo et al. 2017, section 2)."""
    check_bins(bins)
    edges = torch.arange(1, bins, dtype=torch.float64) / bins
    return torch.bucketize(checked_confidence(confidence).contiguous(), edges)


def equal_mass(confidence: Float[Tensor, "n"], bins: int) -> Int[Tensor, "n"]:
    """Bins of n / bins examples each, by rank of confidence; equal confidences share a bin.

    They share that of their middle rank, so that with many ties the bins are unequal and some are empty.
    """
    check_bins(bins)
    confidence = checked_confidence(confidence)
    _, group, size = torch.unique(confidence, return_inverse=True, return_counts=True)
    twice_middle_rank = 2 * (size.cumsum(0) - size) + size - 1
    return ((bins * twice_middle_rank) // (2 * len(confidence)))[group]


def binned(confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"], bins: int, binning: Binning) -> Bins:
    """What the bins hold."""
    confidence, correct = checked_confidences(confidence, correct)
    index = binning(confidence, bins)
    count = torch.bincount(index, minlength=bins)
    return Bins(
        index,
        count,
        bin_sums(confidence, index, bins) / count,
        bin_sums(correct.double(), index, bins) / count,
    )


def bin_sums(values: Float[Tensor, "n"], index: Int[Tensor, "n"], bins: int) -> Float[Tensor, "bins"]:
    """The sum over each bin's examples."""
    return torch.bincount(index, weights=values, minlength=bins)
