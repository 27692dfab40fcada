"""Logits as every calibrator takes them: checked, in float64, on the CPU."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

LARGEST = 1e100
"""What a logit's size may be: its square, and the difference of two, must be float64 numbers."""


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
    beyond = ~logits.isfinite() | (logits.double().abs() > LARGEST)
    if bool(beyond.any()):
        value = float(logits[beyond][0])
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


def logits_to_map(logits: Float[Tensor, "n classes"], classes: int) -> Float[Tensor, "n classes"]:
    """The same of logits at use, which must have as many classes as those of the fit.

    Raises:
        ValueError: the number of classes is another, or what `check_logits` refuses.
    """
    check_logits(logits)
    if logits.shape[1] != classes:
        raise ValueError(f"logits: {logits.shape[1]} classes given, {classes} expected, as in the fit")
    return logits_to_fit(logits)
