"""What distances of two samples accept. Everything is computed on the CPU in float64."""

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.metrics.checks import described

ROWS_AT_ONCE = 128
"""Points whose distances from all others are computed at once: few, so that these stay in the processor's cache."""


def checked_samples(
    x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]
) -> tuple[Float[Tensor, "n features"], Float[Tensor, "m features"]]:
    """Two samples in float64.

    Raises:
        ValueError: they are not of at least 2 points of the same space.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2 or not x.shape[1]:
        raise ValueError(
            "expected two samples [n, features] of at least 2 points of one space, "
            f"got {described(x)} and {described(y)}"
        )
    return x.detach().cpu().double(), y.detach().cpu().double()


def distances(points: Float[Tensor, "m features"], others: Float[Tensor, "n features"]) -> Float[Tensor, "m n"]:
    """Euclidean; not by the matrix product, whose rounding makes equal points differ."""
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
