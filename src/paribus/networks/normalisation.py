"""Normalisation of vectors and of images, by the same names."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from paribus.errors import UserError

Normalisation = Literal["none", "batch", "layer"]
"""`batch`: each feature over the minibatch in training, by running statistics after; a minibatch of one is an error.
`layer`: each example over its features (of an image over channels and positions), in training and after alike."""


def refuse_one(batch: int) -> None:
    """Say what to do about a minibatch of one, which has no variance; of images it has that of its own pixels alone.

    Raises:
        UserError: there is a single example.
    """
    if batch == 1:
        raise UserError(
            "batch normalisation needs more than one example in a minibatch, and the last one of an epoch has just "
            "one; choose a data.batch_size that leaves none or more over, or normalisation=layer where it is offered"
        )


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of vectors that refuses a minibatch of one."""

    def forward(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """The vectors, normalised; UserError where there is a single one in training."""
        refuse_one(len(inputs) if self.training else 0)
        return super().forward(inputs)


class ImageBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of images, channel by channel, that refuses a minibatch of one."""

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The images, normalised; UserError where there is a single one in training."""
        refuse_one(len(inputs) if self.training else 0)
        return super().forward(inputs)


OF_VECTORS: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "batch": BatchNorm,
    "layer": nn.LayerNorm,
}
OF_IMAGES: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "batch": ImageBatchNorm,
    "layer": partial(nn.GroupNorm, 1),
}


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a network normalises over the minibatch, so that no example's output is its own alone."""
    return any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())


def known(normalisation: str) -> str:
    """A normalisation's name.

    Raises:
        ValueError: there is none of this name.
    """
    if normalisation not in OF_VECTORS:
        raise ValueError(f"normalisation is {normalisation!r}, expected one of {', '.join(OF_VECTORS)}")
    return normalisation
