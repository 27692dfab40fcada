"""Histogram binning: a probability becomes the frequency of its class in its bin."""

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits
from paribus.calibrators.one_vs_all import ClasswiseMap, Steps, one_vs_all
from paribus.calibrators.quantiles import bounds, equal_mass


class HistogramBinning:
    """The frequency of the class in each bin of its predicted probability, on the validation part.

    Bins are (lower, upper]. Those of equal mass are cut halfway between neighbours and never part equal values, so that
    they can be fewer than asked for; an empty bin of equal width says nothing and takes its midpoint. A frequency of
    0 is a probability of 0. Classes are taken one against all others and normalised; a row of zeros becomes uniform.
    Source: Zadrozny and Elkan, Obtaining calibrated probability estimates from decision trees and naive Bayesian
    classifiers (2001).

    Args:
        bins: how many, from 1.
        equal_mass: whether bins hold equally many validation examples of each class's probabilities, rather than
            being equally wide.

    Raises:
        ValueError: bins is out of range.
    """

    def __init__(self, bins: int, equal_mass: bool) -> None:
        if bins < 1:
            raise ValueError(f"bins: {bins} given, at least 1 expected")
        self.bins = bins
        self.equal_mass = equal_mass

    def fit(self, validation: ValidationLogits) -> ClasswiseMap:
        """The frequencies of each class, as `Steps`."""
        return one_vs_all(validation, self.frequencies)

    def frequencies(self, probability: Float[Tensor, "n"], is_class: Float[Tensor, "n"]) -> Steps:
        """The frequency of a class by its predicted probability."""
        if self.equal_mass:
            ordered = probability.sort().values
            cuts = bounds(ordered)[equal_mass(ordered, self.bins)]
        else:
            cuts = torch.arange(1, self.bins, dtype=torch.float64) / self.bins
        bin_of = torch.searchsorted(cuts, probability)
        edges = torch.cat([cuts.new_zeros(1), cuts, cuts.new_ones(1)])
        size = torch.bincount(bin_of, minlength=len(cuts) + 1)
        hits = torch.bincount(bin_of, weights=is_class, minlength=len(cuts) + 1)
        midpoint = (edges[:-1] + edges[1:]) / 2
        return Steps(cuts, torch.where(size > 0, hits / size, midpoint))
