"""Whether samples are copies of the training examples."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROWS_AT_ONCE = 256
"""Points whose distances from all others are computed at once."""
NEAR = 0.01
"""The share of held-out examples that are nearer to a training example than what counts as a copy."""


class Memorisation(NamedTuple):
    """How near samples are to the training examples, beside held-out examples.

    Attributes:
        ratio: the median distance of samples from the nearest training example, over that of held-out examples: about 1
            for fresh examples, 0 for copies; above 1 where samples are unlike any example. NaN where the median of
            held-out examples is 0.
        copied: the share of samples that are nearer to a training example than the nearest hundredth of held-out
            examples: about .01 for fresh examples, 1 for copies.
    """

    ratio: float
    copied: float


def memorisation(
    samples: Float[Tensor, "n numbers"], held_out: Float[Tensor, "m numbers"], train: Float[Tensor, "k numbers"]
) -> Memorisation:
    """Of samples, in Euclidean distance; infinitely far is what is not finite."""
    of_samples, of_held_out = nearest(samples, train).distance, nearest(held_out, train).distance
    usual = of_held_out.median().item()
    threshold = of_held_out.quantile(NEAR)
    return Memorisation(
        ratio=of_samples.median().item() / usual if usual else math.nan,
        copied=(of_samples < threshold).double().mean().item(),
    )


class Nearest(NamedTuple):
    """Of some points: which other one is nearest to each, and how far it is, in float64."""

    position: Int[Tensor, "n"]
    distance: Float[Tensor, "n"]


def nearest(points: Float[Tensor, "n numbers"], others: Float[Tensor, "m numbers"]) -> Nearest:
    """The nearest of the others; on the CPU.

    Found by way of the matrix product in single precision, which is fast and rounds, about the others' mean, where it
    rounds the least; the distance of what was found is exact.
    """
    points, others = points.detach().cpu().double(), others.detach().cpu().double()
    centre = others.mean(dim=0)
    near, far = (points - centre).float(), (others - centre).float()
    position = torch.cat([torch.cdist(rows, far).min(dim=1).indices for rows in near.split(ROWS_AT_ONCE)])
    distance = (points - others[position]).norm(dim=1)
    return Nearest(position, distance.nan_to_num(nan=math.inf))
