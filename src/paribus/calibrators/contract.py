"""What a calibrator is, and what it may be fitted on: the validation part, and no other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.logits import check_labels, check_logits

Recalibration = Callable[[Tensor], Tensor]
"""Logits `[n, classes]` to log-probabilities `[n, classes]` in float64; minus infinity where a probability is 0.

The result lies on the CPU. Logits that are not finite, or of another number of classes than in the fit, are refused by
a ValueError.
"""


@dataclass(frozen=True, eq=False)
class ValidationLogits:
    """Logits and labels that were held out from training and are not those that are judged.

    A type of its own, so that a calibrator cannot be handed the test part by an exchange of arguments.

    Attributes:
        logits: `[n, classes]`, floating point, finite; at least one row and two classes.
        label: `[n]`, integers from 0 to classes - 1.

    Raises:
        ValueError: a shape, a type or a value is another.
    """

    logits: Float[Tensor, "n classes"]
    label: Int[Tensor, "n"]

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_labels(self.label, *self.logits.shape)


class Calibrator(Protocol):
    """A post-hoc method: from validation logits to a map of logits to probabilities."""

    def fit(self, validation: ValidationLogits) -> Recalibration:
        """The map that validation suggests. Nothing is random, and the logits are not changed."""
