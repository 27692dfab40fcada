"""Of which classes samples are, as the yardstick of a data set sees them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.data.classification import ClassificationData
from paribus.data.contract import rows_at_once
from paribus.evaluation.extent import extent_of
from paribus.evaluation.yardsticks import yardstick_of


@torch.no_grad()
def seen_classes(x: Float[Tensor, "n ..."], data: ClassificationData) -> Int[Tensor, "n"]:
    """The class that the yardstick gives to each example."""
    yardstick, extent = yardstick_of(data), extent_of(data)
    return torch.cat([yardstick(extent.share(rows)).argmax(dim=1) for rows in x.split(rows_at_once(x))])


def class_shares(x: Float[Tensor, "n ..."], data: ClassificationData) -> Float[Tensor, "classes"]:
    """The share of each class in what the yardstick sees."""
    return torch.bincount(seen_classes(x, data), minlength=len(data.classes)).double() / len(x)


def total_variation(p: Float[Tensor, "classes"], q: Float[Tensor, "classes"]) -> float:
    """Half the sum of the differences of shares: 0 to 1."""
    return (p - q).abs().sum().item() / 2
