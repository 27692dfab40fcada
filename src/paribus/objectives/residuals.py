"""What the objectives of regression share: the residual, and a logarithm that does not overflow."""

import torch
from jaxtyping import Float
from torch import Tensor


def residuals(prediction: Float[Tensor, "batch"], target: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Target minus prediction, in the prediction's dtype.

    Raises:
        ValueError: the shapes differ (they would broadcast), are not [batch], or the batch is empty.
    """
    if prediction.shape != target.shape or prediction.ndim != 1 or prediction.numel() == 0:
        raise ValueError(
            f"prediction has shape {list(prediction.shape)} and target {list(target.shape)}, "
            "expected [batch] for both, with at least one example"
        )
    return target.to(prediction.dtype) - prediction


def log1p_square(size: Float[Tensor, "batch"], unit: Float[Tensor, ""]) -> Float[Tensor, "batch"]:
    """log(1 + (size / unit)^2) for size >= 0 and unit > 0, where neither the ratio nor its square overflows.

    With m and l the larger and the smaller of the two, it is log(1 + (l/m)^2) + 2 log(m / unit).
    """
    smaller, larger = torch.minimum(size, unit), torch.maximum(size, unit)
    return torch.log1p((smaller / larger).square()) + 2 * (larger.log() - unit.log())
