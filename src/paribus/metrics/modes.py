"""How points lie about the modes of a mixture that is known."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def points_in_modes(
    points: Float[Tensor, "n features"], centres: Float[Tensor, "modes features"], radius: float
) -> Int[Tensor, "modes"]:
    """How many points each mode holds: those that lie within the radius of it and nearer to it than to the others."""
    distance = torch.cdist(points.double(), centres.double(), compute_mode="donot_use_mm_for_euclid_dist")
    least, nearest = distance.min(dim=1)
    return torch.bincount(nearest[least <= radius], minlength=len(centres))
