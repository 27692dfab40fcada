"""Where the numbers of a data set's examples lie."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import InMemoryData


class Extent(NamedTuple):
    """The least and the greatest number of each channel of images, of each column of a table.

    Attributes:
        least, greatest: `[channels, 1, 1]` or `[columns]`, of float32.
    """

    least: Float[Tensor, "channels ..."]
    greatest: Float[Tensor, "channels ..."]

    @classmethod
    def of(cls, *parts: Float[Tensor, "n channels ..."]) -> "Extent":
        """That of the examples of all parts together."""
        held = [part for part in parts if len(part)]
        inner = tuple(range(2, held[0].ndim))
        every = (0, *inner)
        least = torch.stack([part.amin(dim=every) for part in held]).amin(dim=0)
        greatest = torch.stack([part.amax(dim=every) for part in held]).amax(dim=0)
        shape = (-1, *(1 for _ in inner))
        return cls(least.cpu().float().reshape(shape), greatest.cpu().float().reshape(shape))

    def share(self, examples: Float[Tensor, "n channels ..."]) -> Float[Tensor, "n channels ..."]:
        """How far numbers are from the least to the greatest, on the CPU: what lies outside counts as the nearer end,
        and 0 stands for a number that all examples share.
        """
        width = self.greatest - self.least
        shares = (examples.detach().cpu().float() - self.least) / torch.where(width > 0, width, 1.0)
        return shares.clamp(0, 1)


def extent_of(data: InMemoryData) -> Extent:
    """That of a data set's examples as networks see them: for images, the inputs that stand for black and white."""
    return Extent.of(*(rows["x"] for rows in data.parts.values()))
