"""Bins of equal mass that never part equal values."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def equal_mass(ordered: Float[Tensor, "n"], bins: int) -> Int[Tensor, "cuts"]:
    """Where to cut ordered values into about equally many: indices between 0 and n, both excluded, increasing.

    A cut that falls among equal values moves to the nearer end of them. So there can be fewer bins than asked for, and
    none is empty.
    """
    part = torch.arange(1, bins)
    cuts = beside_equals(ordered, nearest_index(len(ordered), part, torch.full_like(part, bins))).unique()
    return cuts[(cuts > 0) & (cuts < len(ordered))]


def nearest_index(examples: int, part: Int[Tensor, "cuts"], bins: Int[Tensor, "cuts"]) -> Int[Tensor, "cuts"]:
    """examples part / bins, rounded in integers: the same from either end, but where exactly between two."""
    return (2 * examples * part + bins) // (2 * bins)


def beside_equals(ordered: Float[Tensor, "n"], cuts: Int[Tensor, "cuts"]) -> Int[Tensor, "cuts"]:
    """The cuts, from 0 to n, with those among equal values moved to the nearer end of them."""
    value = ordered[cuts.clamp(max=len(ordered) - 1)]
    first = torch.searchsorted(ordered, value)
    beyond = torch.searchsorted(ordered, value, right=True)
    moved = torch.where(cuts - first <= beyond - cuts, first, beyond)
    return torch.where(cuts < len(ordered), moved, cuts)


def bounds(ordered: Float[Tensor, "n"]) -> Float[Tensor, "bounds"]:
    """What parts each probability from the one before: halfway, never as large as the upper; 0 first, 1 last."""
    lower, upper = ordered[:-1], ordered[1:]
    middle = (lower + upper) / 2
    return torch.cat([ordered.new_zeros(1), torch.where(middle < upper, middle, lower), ordered.new_ones(1)])
