"""What every objective is and returns."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Loss(NamedTuple):
    """A scalar to minimise and the named terms it is made of; a family logs each as `{stage}/{term}`."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]


def batch_mean(term: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
    """The mean over the batch, in the term's dtype: the one division of an objective.

    Summed in float64, because the sum of a batch overflows float32 where its mean does not.
    """
    return term.mean(dtype=torch.float64).to(term.dtype)


class Objective(nn.Module):
    """What is minimised. Plain arguments; knows no config, optimizer, logger or network."""

    def __init__(self) -> None:  # so that the signature of an objective without arguments is empty, not nn.Module's
        super().__init__()


class RegressionObjective(Objective):
    """Of a prediction and a target of each example: `forward(prediction [batch], target [batch]) -> Loss`."""


class ClassificationObjective(Objective):
    """Of the logits and the label of each example: `forward(logits [batch, classes], label [batch]) -> Loss`."""
