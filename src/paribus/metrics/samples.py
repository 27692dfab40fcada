"""What distances of two samples accept. Everything is computed on the CPU in float64."""

from jaxtyping import Float
from torch import Tensor

from paribus.metrics.checks import described


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
