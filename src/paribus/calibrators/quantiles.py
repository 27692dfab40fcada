"""Bins of equal mass that never part equal values."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def equal_mass(ordered: Float[Tensor, "n"], bins: int) -> Int[Tensor, "cuts"]:
    """Where to cut ordered values into about equally many: indices between 0 and n, both excluded, increasing.

    A cut that falls among equal values moves to the nearer end of them. So there can be fewer bins than asked for, and
    none is empty.
    """
    n = len(ordered)
    # Rounded to the nearest in integers: the same from either end, but where exactly between two.
    ideal = (2 * n * torch.arange(1, bins) + bins) // (2 * bins)
    ideal = ideal[(ideal > 0) & (ideal < n)]
    first = torch.searchsorted(ordered, ordered[ideal])
    beyond = torch.searchsorted(ordered, ordered[ideal], right=True)
    cuts = torch.where(ideal - first <= beyond - ideal, first, beyond).unique()
    return cuts[(cuts > 0) & (cuts < n)]


def between(ordered: Float[Tensor, "n"], cuts: Int[Tensor, "cuts"]) -> Float[Tensor, "cuts"]:
    """The value halfway between the neighbours of each cut, never as large as the upper one."""
    lower, upper = ordered[cuts - 1], ordered[cuts]
    middle = (lower + upper) / 2
    return torch.where(middle < upper, middle, lower)


def masses(cumulative: Float[Tensor, "n"], cuts: Int[Tensor, "cuts"]) -> Float[Tensor, "bins"]:
    """What lies in each bin, of the running sums of anything."""
    ends = cumulative[torch.cat([cuts, torch.tensor([len(cumulative)])]) - 1]
    return torch.diff(ends, prepend=ends.new_zeros(1))
