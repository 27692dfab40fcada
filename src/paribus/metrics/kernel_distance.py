"""The maximum mean discrepancy under a polynomial kernel, which compares the first three moments of features."""

from jaxtyping import Float
from torch import Tensor

from paribus.metrics.samples import checked_samples


def kernel_distance(x: Float[Tensor, "n features"], y: Float[Tensor, "m features"]) -> Float[Tensor, ""]:
    """The unbiased MMD^2 of two samples under the kernel (x . y / features + 1)^3; below 0 where they are close.

    Of all points at once, where Binkowski, Sutherland, Arbel and Gretton, Demystifying MMD GANs (2018), from whom the
    kernel is, average over subsets.
    """
    x, y = checked_samples(x, y)
    n, m = len(x), len(y)
    own, other, across = ((left @ right.T / x.shape[1] + 1) ** 3 for left, right in ((x, x), (y, y), (x, y)))
    within_x = (own.sum() - own.diagonal().sum()) / (n * (n - 1))
    within_y = (other.sum() - other.diagonal().sum()) / (m * (m - 1))
    return within_x + within_y - 2 * across.mean()
