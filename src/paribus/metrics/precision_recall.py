"""Precision and recall of samples: how many lie among the real examples, and how many of these among the samples."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.metrics.samples import ROWS_AT_ONCE, checked_samples, distances


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1.

    Attributes:
        precision: of the generated points, those on the manifold of the real ones: fidelity.
        recall: of the real points, those on the manifold of the generated ones: coverage.
    """

    precision: float
    recall: float


def precision_recall(
    real: Float[Tensor, "n features"], generated: Float[Tensor, "m features"], neighbours: int
) -> PrecisionRecall:
    """Improved precision and recall: a manifold is the balls about its points that reach to their k-th neighbour.

    Compare at equal counts, and beside two samples of one distribution: these do not reach 1.
    Source: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models (2019), equations
    1 and 2; k = 3 there, of the features of a network.

    Args:
        real, generated: points of one space, more than `neighbours` of each. One that is not finite is on no manifold
            and has none.
        neighbours: k, at least 1.

    Raises:
        ValueError: an argument is out of range, or there are too few points.
    """
    real, generated = checked_samples(real, generated)
    if not 1 <= neighbours < min(len(real), len(generated)):
        raise ValueError(
            f"neighbours is {neighbours}, expected at least 1 and fewer than the points, of which there are "
            f"{len(real)} and {len(generated)}"
        )
    # The first neighbour of a point in its own sample is itself.
    radii = (neighbour_distance(each, each, neighbours + 1) for each in (real, generated))
    real_radius, generated_radius = (each.where(each.isfinite(), -1.0) for each in radii)
    on_generated = torch.zeros(len(real), dtype=torch.bool)
    on_real = []
    for rows, radius in zip(generated.split(ROWS_AT_ONCE), generated_radius.split(ROWS_AT_ONCE), strict=True):
        distance = distances(rows, real)
        on_real.append((distance <= real_radius).any(dim=1))
        on_generated |= (distance <= radius[:, None]).any(dim=0)
    return PrecisionRecall(torch.cat(on_real).double().mean().item(), on_generated.double().mean().item())


def neighbour_distance(
    points: Float[Tensor, "m features"], others: Float[Tensor, "n features"], neighbour: int
) -> Float[Tensor, "m"]:
    """The distance of each point from the k-th nearest of the others."""
    return torch.cat(
        [
            distances(rows, others).topk(neighbour, dim=1, largest=False).values[:, -1]
            for rows in points.split(ROWS_AT_ONCE)
        ]
    )
