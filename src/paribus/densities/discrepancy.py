"""How far two samples are from one distribution: the maximum mean discrepancy, as an unbiased U-statistic.

Gretton et al., A Kernel Two-Sample Test (2012), lemma 6. Unbiased, so it may be negative where the two are close.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Kernel = Callable[[Float[Tensor, "n m"]], Float[Tensor, "n m"]]
"""Of the squared distances of two points."""


def squared_distances(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]) -> Float[Tensor, "n m"]:
    """|x_i - y_j|^2, as sums of squares of differences: nothing cancels."""
    return (x[:, None] - y[None]).square().sum(dim=-1)


def gaussian_kernel(squares: Float[Tensor, "n m"], scale: float | Tensor) -> Float[Tensor, "n m"]:
    """exp(-d^2 / (2 scale^2))."""
    return (-squares / (2 * scale**2)).exp()


def inverse_multiquadratic_kernel(
    squares: Float[Tensor, "n m"], scales: Sequence[float | Tensor]
) -> Float[Tensor, "n m"]:
    """sum of C / (C + d^2) over C in scales: Tolstikhin et al., Wasserstein Auto-Encoders (2018), section 4."""
    return torch.stack([scale / (scale + squares) for scale in scales]).sum(dim=0)


def squared_mmd(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"], kernel: Kernel) -> Float[Tensor, ""]:
    """MMD^2 of two samples of at least 2: the mean kernel within each, pairs of a point with itself left out, less
    twice the mean kernel across.
    """
    n, m = len(x), len(y)
    own, other, across = (kernel(squared_distances(*pair)) for pair in ((x, x), (y, y), (x, y)))
    within_x = (own.sum() - own.diagonal().sum()) / (n * (n - 1))
    within_y = (other.sum() - other.diagonal().sum()) / (m * (m - 1))
    return within_x + within_y - 2 * across.mean()
