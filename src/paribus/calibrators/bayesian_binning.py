"""Bayesian binning into quantiles (BBQ): the average of many histogram binnings, by how well each explains the labels.

Source: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning (2015), and the
authors' program where the paper leaves a choice.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits
from paribus.calibrators.one_vs_all import ClasswiseMap, Steps, one_vs_all
from paribus.calibrators.quantiles import beside_equals, bounds, nearest_index

PRIOR_EXAMPLES = 2.0
"""How many examples a bin's prior is worth, N' / B; the paper's N' = 2 B."""
SMALLEST_PRIOR_MEAN = 0.005
"""A bin's prior mean is its midpoint, but at least this, and at most 1 - this (as in the authors' program)."""
BIN_RANGE = 10.0
"""Numbers of bins from n^(1/3) / BIN_RANGE to BIN_RANGE n^(1/3)."""
EXAMPLES_A_BIN = 5
"""And no more bins than leave each this many examples (as in the authors' program)."""


class BayesianBinning:
    """The average over binnings of equal mass, weighted by their marginal likelihoods.

    For every number of bins from max(1, floor(n^(1/3) / 10)) to min(ceil(n / 5), ceil(10 n^(1/3))), with N_b examples
    and m_b hits in bin b, and the prior Beta(2 p_b, 2 (1 - p_b)) around its midpoint p_b:

        P(D | M) = product over b of B(m_b + 2 p_b, N_b - m_b + 2 (1 - p_b)) / B(2 p_b, 2 (1 - p_b))
        P(hit | p in b, M) = (m_b + 2 p_b) / (N_b + 2)

    with B the beta function; all numbers of bins are equally likely at first. The average is over all of them, where
    the authors' program leaves out the least likely. Bins are cut as in `HistogramBinning`. No probability is 0.
    Classes are taken one against all others and normalised.
    """

    def fit(self, validation: ValidationLogits) -> ClasswiseMap:
        """The averaged function of each class, as `Steps`."""
        return one_vs_all(validation, averaged_binning)


def numbers_of_bins(examples: int) -> range:
    """The numbers of bins that are averaged over."""
    root = float(np.cbrt(examples))
    most = min(int(np.ceil(examples / EXAMPLES_A_BIN)), int(np.ceil(BIN_RANGE * root)))
    return range(max(1, int(root / BIN_RANGE)), most + 1)


def averaged_binning(probability: Float[Tensor, "n"], is_class: Float[Tensor, "n"]) -> Steps:
    """The frequency of a class by its predicted probability, averaged over the binnings."""
    ordered, order = probability.sort()
    bound = bounds(ordered)
    hits = torch.cat([ordered.new_zeros(1), is_class[order].cumsum(dim=0)])
    numbers = numbers_of_bins(len(ordered))
    binning, start, end = bins_of_binnings(ordered, numbers)

    evidence, frequency = posterior(bound[start], bound[end], hits[end] - hits[start], (end - start).double())
    weight = torch.softmax(torch.zeros(len(numbers), dtype=torch.float64).index_add(0, binning, evidence), dim=0)

    # A weight below this is lost in rounding beside the others'.
    kept = (weight > 1e-25)[binning]
    share, at = (weight[binning] * frequency)[kept], start[kept]
    # Each binning changes by the difference of neighbouring bins; its first bin, at 0, differs from nothing.
    change = torch.where(at > 0, share - share.roll(1), share)
    average = torch.zeros_like(ordered).index_add_(0, at, change).cumsum(dim=0)
    first = at.unique()
    return Steps(bound[first[1:]], average[first])


def bins_of_binnings(
    ordered: Float[Tensor, "n"], numbers: range
) -> tuple[Int[Tensor, "bins"], Int[Tensor, "bins"], Int[Tensor, "bins"]]:
    """The bins of all binnings in a row: of which binning each is, its first index, and the index beyond its last."""
    asked = torch.tensor(numbers)
    binning = torch.repeat_interleave(torch.arange(len(asked)), asked)
    part = torch.cat([torch.arange(1, number + 1) for number in numbers])
    end = beside_equals(ordered, nearest_index(len(ordered), part, asked[binning]))
    # Ends that fell together, or to 0, are no bins.
    key = (binning * len(ordered) + end - 1)[end > 0].unique()
    binning, end = key // len(ordered), key % len(ordered) + 1
    start = torch.cat([end.new_zeros(1), end[:-1]]) % len(ordered)
    return binning, start, end


def posterior(
    lower: Float[Tensor, "bins"], upper: Float[Tensor, "bins"], hits: Float[Tensor, "bins"], size: Float[Tensor, "bins"]
) -> tuple[Float[Tensor, "bins"], Float[Tensor, "bins"]]:
    """The log marginal likelihood of each bin's labels, and the posterior mean of its frequency.

    Args:
        lower: where the bin begins.
        upper: where it ends.
        hits: how many of its examples are of the class.
        size: how many examples it has.
    """
    mean = ((lower + upper) / 2).clamp(SMALLEST_PRIOR_MEAN, 1 - SMALLEST_PRIOR_MEAN)
    hit_prior, miss_prior = PRIOR_EXAMPLES * mean, PRIOR_EXAMPLES * (1 - mean)
    evidence = log_beta(hits + hit_prior, size - hits + miss_prior) - log_beta(hit_prior, miss_prior)
    return evidence, (hits + hit_prior) / (size + PRIOR_EXAMPLES)


def log_beta(a: Float[Tensor, "bins"], b: Float[Tensor, "bins"]) -> Float[Tensor, "bins"]:
    """log B(a, b)."""
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
