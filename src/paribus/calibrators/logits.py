"""Logits as every calibrator takes them: checked, in float64, on the CPU."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

LARGEST = 1e100
"""What a logit's size may be: its square, and the difference of two, must be float64 numbers."""

BLOCK = 1 << 18
"""How many logits are computed with at once: 2 MiB."""


def check_logits(logits: Float[Tensor, "n classes"]) -> None:
    """Refuse what is not logits of at least one example and two classes.

    Raises:
        ValueError: the shape or the type is another, or a value is not finite (or beyond 1e100).
    """
    if not logits.is_floating_point() or logits.ndim != 2:
        raise ValueError(f"logits: {logits.dtype} of shape {tuple(logits.shape)} given, floats [n, classes] expected")
    rows, classes = logits.shape
    if rows < 1:
        raise ValueError("logits: no example given, at least one expected")
    if classes < 2:
        raise ValueError(
            f"logits: {classes} class given, at least 2 expected; the single logit z of two classes is [0, z]"
        )
    for part in float64_blocks(logits):
        beyond = ~(part.abs() <= LARGEST)
        if bool(beyond.any()):
            value = float(part[beyond][0])
            raise ValueError(f"logits: {value} given, finite values up to {LARGEST} in size expected")


def check_labels(label: Int[Tensor, "n"], rows: int, classes: int) -> None:
    """Refuse what is not one class an example.

    Raises:
        ValueError: the shape or the type is another, or a label is outside 0 to classes - 1.
    """
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool or label.shape != (rows,):
        raise ValueError(
            f"label: {label.dtype} of shape {tuple(label.shape)} given, integers of shape ({rows},) expected"
        )
    if not bool(((label >= 0) & (label < classes)).all()):
        raise ValueError(f"label: {int(label.min())} to {int(label.max())} given, 0 to {classes - 1} expected")


def logits_to_fit(logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """The logits in float64 on the CPU, apart from any gradient."""
    return logits.detach().to("cpu", torch.float64)


def mapped_by_rows(
    function: Callable[[Tensor], Tensor], logits: Float[Tensor, "n classes"], classes: int, block: int = BLOCK
) -> Float[Tensor, "n classes"]:
    """What a function of logits in float64 makes of them, a part of the rows after the other.

    Raises:
        ValueError: the number of classes is another than that of the fit, or what `check_logits` refuses.
    """
    check_logits(logits)
    if logits.shape[1] != classes:
        raise ValueError(f"logits: {logits.shape[1]} classes given, {classes} expected, as in the fit")
    found = torch.empty(logits.shape, dtype=torch.float64)
    for rows in row_blocks(logits, block):
        found[rows] = function(logits_to_fit(logits[rows]))
    return found


def row_blocks(logits: Float[Tensor, "n classes"], block: int = BLOCK) -> Iterator[slice]:
    """The rows in parts of about so many numbers, so that what is computed of them stays in the processor's cache."""
    rows, classes = logits.shape
    step = max(1, block // classes)
    return (slice(first, first + step) for first in range(0, rows, step))


def float64_blocks(logits: Float[Tensor, "n classes"]) -> Iterator[Float[Tensor, "rows classes"]]:
    """These parts as `logits_to_fit` gives them."""
    return (logits_to_fit(logits[rows]) for rows in row_blocks(logits))
