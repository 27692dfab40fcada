"""What a calibrator is, and what it may be fitted on: the validation part, and no other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.logits import check_labels, check_logits

Fitted = TypeVar("Fitted")


class Recalibration(Protocol):
    """A fitted map of logits to log-probabilities."""

    @property
    def remark(self) -> str:
        """What a reader of its results must know of the fit, in a line without a full stop; empty if nothing."""

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64 on the CPU; minus infinity where a probability is 0.

        Raises:
            ValueError: the logits are not finite, or of another number of classes than in the fit.
        """


@dataclass(frozen=True, eq=False)
class ValidationLogits:
    """Logits and labels that were held out from training and are not those that are judged.

    A type of its own, so that a calibrator cannot be handed the test part by an exchange of arguments. What was fitted
    on it is remembered with it, so that its tensors must stay as they are.

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


def remembered(fit: Callable[[ValidationLogits], Fitted]) -> Callable[[ValidationLogits], Fitted]:
    """The fit, done once for each validation part: richer methods start where plainer ones ended."""
    known: WeakKeyDictionary[ValidationLogits, Fitted] = WeakKeyDictionary()

    def remembering(validation: ValidationLogits) -> Fitted:
        if validation not in known:
            known[validation] = fit(validation)
        return known[validation]

    return remembering
