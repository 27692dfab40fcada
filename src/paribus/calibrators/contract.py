"""What a calibrator is, and what it may be fitted on: the validation part, and no other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

Recalibration = Callable[[Tensor], Tensor]
"""Logits `[n, classes]` to log-probabilities `[n, classes]` in float64; minus infinity where a probability is 0."""


@dataclass(frozen=True)
class ValidationLogits:
    """Logits and labels that were held out from training and are not those that are judged.

    A type of its own, so that a calibrator cannot be handed the test part by an exchange of arguments.

    Attributes:
        logits: `[n, classes]`, float64, finite.
        label: `[n]`, from 0 to classes - 1.
    """

    logits: Float[Tensor, "n classes"]
    label: Int[Tensor, "n"]


class Calibrator(Protocol):
    """A post-hoc method: from validation logits to a map of logits to probabilities."""

    def fit(self, validation: ValidationLogits) -> Recalibration:
        """The map that validation suggests. Nothing is random, and the logits are not changed."""
