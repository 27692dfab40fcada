"""Normalisation of vectors and of images, by the same names."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import nn

Normalisation = Literal["none", "batch", "layer"]
"""`batch`: each feature over the minibatch in training, by running statistics after; a minibatch of one is an error.
`layer`: each example over its features (of an image over channels and positions), in training and after alike."""

OF_VECTORS: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
OF_IMAGES: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "batch": nn.BatchNorm2d,
    "layer": partial(nn.GroupNorm, 1),
}


def known(normalisation: str) -> str:
    """A normalisation's name.

    Raises:
        ValueError: there is none of this name.
    """
    if normalisation not in OF_VECTORS:
        raise ValueError(f"normalisation is {normalisation!r}, expected one of {', '.join(OF_VECTORS)}")
    return normalisation
