"""The energy distance between two samples: 0 for equal distributions alone, in any dimension and without a kernel."""

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.metrics.samples import ROWS_AT_ONCE, checked_samples, distances


def energy_distance(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]) -> Float[Tensor, ""]:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased, so below 0 at times where the distributions are close.

    In units of the points. In one dimension it is twice the integral of the squared difference of the distribution
    functions. NaN where a number is not finite. Source: Szekely and Rizzo, Energy statistics (2013), equation 5.
    """
    x, y = checked_samples(x, y)
    if not (x.isfinite().all() and y.isfinite().all()):
        return x.new_tensor(torch.nan)
    n, m = len(x), len(y)
    return 2 * _summed(x, y) / (n * m) - _summed(x, x) / (n * (n - 1)) - _summed(y, y) / (m * (m - 1))


def _summed(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]) -> Float[Tensor, ""]:
    """The sum of the distances of all pairs; a point has none from itself."""
    return torch.stack([distances(rows, y).sum() for rows in x.split(ROWS_AT_ONCE)]).sum()
