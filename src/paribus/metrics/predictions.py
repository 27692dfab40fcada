"""From logits to log-probabilities, and from these to the confidence in the likeliest class."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paribus.metrics.checks import checked_predictions, described

CLASSES_AT_ONCE = 64
"""Reading a class across examples costs a whole line of the cache each: neighbours share it."""


def log_probabilities(logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """Natural logs of softmax probabilities, in float64: finite for logits of 1e4.

    Raises:
        ValueError: logits that are not `[n, classes]`, or not finite.
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(f"expected logits [n, classes] of a floating type, got {described(logits)}")
    logits = logits.detach().cpu().double()
    if not logits.isfinite().all():
        raise ValueError(f"expected finite logits, got {int((~logits.isfinite()).sum())} that are NaN or infinite")
    return logits.log_softmax(1)


def top_label(
    log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """The probability of the likeliest class, and whether that class is the label.

    Of classes that are equally likely the first is taken. A probability that rounding put above 1 becomes 1.
    """
    log_probability, label = checked_predictions(log_probability, label)
    highest, predicted = log_probability.max(1)
    return highest.exp().clamp(max=1.0), predicted == label


def each_class(
    log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]
) -> Iterator[tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]]:
    """Of one class after the other, its probability and whether it is the label. A few classes are held at a time."""
    for first in range(0, log_probability.shape[1], CLASSES_AT_ONCE):
        some = log_probability[:, first : first + CLASSES_AT_ONCE].T.contiguous().exp().clamp_(max=1.0)
        yield from ((stated, label == first + k) for k, stated in enumerate(some))


def one_hot(label: Int[Tensor, "n"], classes: int) -> Bool[Tensor, "n classes"]:
    """Whether the label is class k."""
    return label[:, None] == torch.arange(classes)
