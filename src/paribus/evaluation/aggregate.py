"""How the codes of all examples together lie about the prior: matched as a whole, and in its modes."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.densities import Prior
from paribus.densities.discrepancy import gaussian_kernel, squared_mmd
from paribus.metrics import points_in_modes

MULTIPLES = (0.125, 0.25, 0.5, 1.0, 2.0)
"""Of the median distance of the prior's samples: the scales of the kernel."""
WITHIN = 3.0
"""Standard deviations of a mode within which a code lies in it."""
LEAST_SHARE = 0.01
"""Of the codes that a mode must hold to be covered: single codes get anywhere by chance."""


@runtime_checkable
class Multimodal(Protocol):
    """A prior with modes of one standard deviation, in every feature."""

    scale: Tensor

    def centres(self, like: Tensor) -> Float[Tensor, "modes features"]:
        """The modes' means."""


def code_mmd(code: Float[Tensor, "n features"], prior_code: Float[Tensor, "m features"]) -> float:
    """The unbiased squared MMD of codes and of samples of the prior, at least 2 of each; below 0 where they are close.

    The kernel is the mean of Gaussian ones, exp(-d^2 / 2 s^2), with s an eighth, a quarter, half, once and twice the
    median distance of two samples of the prior: it is the prior's alone, the same for all codes that are held against
    it, and none that an objective here minimises.
    """
    code, prior_code = code.double(), prior_code.double()
    median = torch.pdist(prior_code).median()

    def kernel(squares: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        return torch.stack([gaussian_kernel(squares, median * multiple) for multiple in MULTIPLES]).mean(dim=0)

    return squared_mmd(code, prior_code, kernel).item()


def mode_metrics(prior: Prior, code: Float[Tensor, "n features"]) -> dict[str, float]:
    """`codes_in_modes`, the share of codes within three standard deviations of the nearest mode of the prior, and
    `modes_covered`, how many modes hold at least one percent of the codes; nothing for a prior without modes.
    """
    if not isinstance(prior, Multimodal):
        return {}
    centres = prior.centres(prior.scale).cpu()  # where the prior's own numbers are
    held = points_in_modes(code.cpu(), centres, WITHIN * prior.scale.item())
    covered = (held >= LEAST_SHARE * len(code)) & (held > 0)
    return {"codes_in_modes": held.sum().item() / len(code), "modes_covered": float(covered.sum())}
