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
from paribus.calibrators.quantiles import between, equal_mass, masses

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

    with B the beta function; all numbers of bins are equally likely at first, and none is left out of the average.
    Bins are cut as in `HistogramBinning`. No probability is 0. Classes are taken one against all others and normalised.
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
    hits = is_class[order].cumsum(dim=0)
    binnings = [equal_mass(ordered, bins) for bins in numbers_of_bins(len(ordered))]
    posteriors = [posterior(ordered, hits, cuts) for cuts in binnings]
    weights = torch.softmax(torch.stack([score for score, _ in posteriors]), dim=0)

    # The average is constant between the cuts of all binnings together.
    cuts = torch.cat(binnings).unique()
    average = torch.zeros(len(cuts) + 1, dtype=torch.float64)
    for weight, own_cuts, (_, values) in zip(weights, binnings, posteriors, strict=True):
        bin_of = torch.searchsorted(own_cuts, torch.cat([cuts.new_zeros(1), cuts]), right=True)
        average += weight * values[bin_of]
    return Steps(between(ordered, cuts), average)


def posterior(
    ordered: Float[Tensor, "n"], hits: Float[Tensor, "n"], cuts: Int[Tensor, "cuts"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "bins"]]:
    """The log marginal likelihood of one binning, and the posterior mean of the frequency in each of its bins.

    Args:
        ordered: the predicted probabilities, increasing.
        hits: how many of the examples so far are of the class.
        cuts: where a bin ends and the next begins.
    """
    edges = torch.cat([ordered.new_zeros(1), between(ordered, cuts), ordered.new_ones(1)])
    mean = ((edges[:-1] + edges[1:]) / 2).clamp(SMALLEST_PRIOR_MEAN, 1 - SMALLEST_PRIOR_MEAN)
    hit_prior, miss_prior = PRIOR_EXAMPLES * mean, PRIOR_EXAMPLES * (1 - mean)
    hit = masses(hits, cuts)
    size = masses(torch.arange(1, len(ordered) + 1, dtype=torch.float64), cuts)
    score = log_beta(hit + hit_prior, size - hit + miss_prior) - log_beta(hit_prior, miss_prior)
    return score.sum(), (hit + hit_prior) / (size + PRIOR_EXAMPLES)


def log_beta(a: Float[Tensor, "bins"], b: Float[Tensor, "bins"]) -> Float[Tensor, "bins"]:
    """log B(a, b)."""
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
