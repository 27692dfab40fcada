"""What every network is: a module of plain arguments that says which random numbers it needs and draws none."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from paribus.noise import NoiseSpec

NO_NOISE: Mapping[str, Tensor] = MappingProxyType({})
"""What a network is given where nothing is to be random: in validation, in evaluation, and after training."""


class Network(nn.Module):
    """Base of all networks: `forward(inputs, noise)` maps `[batch, *in]` to `[batch, out]`.

    `noise` holds, by the names of `noise_spec`, random numbers `[batch, *shape]` for each example, or nothing.

    Attributes:
        extent: the least and the largest number that the output can hold; None for any.
    """

    extent: tuple[float, float] | None = None

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The random numbers that each example needs in training, by name."""
        return {}
