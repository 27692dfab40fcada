"""How points lie about the modes of a mixture that is known."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

HIGH_QUALITY = 3.0
"""Standard deviations of a mode within which a sample of it is of high quality."""


class ModeCoverage(NamedTuple):
    """How samples cover equally probable modes.

    Attributes:
        covered: modes with at least one sample of high quality.
        high_quality: the share of the samples that are.
        reverse_kl: KL(q || uniform) in nats, of the share q of the samples that are nearest to each mode, whatever
            their quality; 0 to log modes. With n samples of a uniform q it is (modes - 1) / 2 n on average. NaN where a
            sample is not finite.
    """

    covered: int
    high_quality: float
    reverse_kl: float


def points_in_modes(
    points: Float[Tensor, "n features"], centres: Float[Tensor, "modes features"], radius: float
) -> Int[Tensor, "modes"]:
    """How many points each mode holds: those that lie within the radius of it and nearer to it than to the others."""
    distance = torch.cdist(points.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist")
    least, nearest = distance.min(dim=1)
    return torch.bincount(nearest[least <= radius], minlength=len(centres))


def mode_coverage(
    samples: Float[Tensor, "n features"], centres: Float[Tensor, "modes features"], scale: float
) -> ModeCoverage:
    """The three numbers of PacGAN's experiments on mixtures, where n is 2,500.

    Source: Srivastava et al., VEEGAN (2017), section 5.1; Lin et al., PacGAN (2018), section 4.1.

    Args:
        samples: points, at least one.
        centres: of the modes.
        scale: standard deviation of each mode.

    Raises:
        ValueError: there are no samples.
    """
    if not len(samples):
        raise ValueError("expected at least 1 sample, got none")
    good = points_in_modes(samples, centres, HIGH_QUALITY * scale)
    finite = samples.isfinite().all().item()
    nearest = points_in_modes(samples, centres, math.inf)
    return ModeCoverage(
        covered=int((good > 0).sum()),
        high_quality=good.sum().item() / len(samples),
        reverse_kl=divergence_from_uniform(nearest) if finite else math.nan,
    )


def divergence_from_uniform(count: Int[Tensor, "modes"]) -> float:
    """KL(shares of the counts || uniform), in nats; NaN where nothing was counted."""
    share = count.double() / count.sum()
    return (torch.special.xlogy(share, share).sum() + math.log(len(share))).item()
