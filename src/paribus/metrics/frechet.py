"""The Frechet distance between two samples, each taken for the Gaussian of its mean and covariance."""

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.metrics.samples import checked_samples


def frechet_distance(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]) -> Float[Tensor, ""]:
    """|mean_x - mean_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2)): the squared 2-Wasserstein distance of the Gaussians.

    Covariances have the divisor n - 1. Means and covariances of finite samples make it too large, by an amount that
    falls with the points and grows with the features: compare it at equal counts, and beside that of two samples of one
    distribution. NaN where a number is not finite.

    With C = A'A for the centred points A / sqrt(n - 1), the root's trace is the sum of the singular values of
    A_x A_y': no covariance is formed, rounding stays that of the points, and no rank is needed.
    Source: Dowson and Landau, The Frechet distance between multivariate normal distributions (1982); Heusel et al.
    (2017) took it of the features of a network.
    """
    x, y = checked_samples(x, y)
    if not (x.isfinite().all() and y.isfinite().all()):
        return x.new_tensor(torch.nan)
    root_x, root_y = _root(x), _root(y)
    shift = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    spread = root_x.square().sum() + root_y.square().sum() - 2 * torch.linalg.svdvals(root_x @ root_y.T).sum()
    return shift + spread.clamp(min=0)  # below it by rounding alone


def _root(points: Float[Tensor, "n features"]) -> Float[Tensor, "rank features"]:
    """R with R'R the covariance, of at most as many rows as columns."""
    centred = (points - points.mean(dim=0)) / (len(points) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R
