"""What metrics accept: one place that refuses the rest, saying what was given and what is expected.

Everything is computed on the CPU in float64, whatever the device and precision of what is given.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

SUM_TOLERANCE = 1e-4
"""How far the log of a sum of probabilities may be from 0: float32 softmax is within 1e-5 for thousands of classes."""

NUMBERS_AT_ONCE = 1 << 18
"""2 MiB."""


def checked_predictions(
    log_probability: Float[Tensor, "n classes"], label: Int[Tensor, "n"]
) -> tuple[Float[Tensor, "n classes"], Int[Tensor, "n"]]:
    """Log-probabilities in float64 and labels in int64.

    Raises:
        ValueError: shapes that do not fit, no examples, NaN, probabilities that do not sum to 1, labels of no class.
    """
    if log_probability.ndim != 2 or not log_probability.is_floating_point():
        raise ValueError(
            f"expected log-probabilities [n, classes] of a floating type, got {described(log_probability)}"
        )
    examples, classes = log_probability.shape
    if label.shape != (examples,) or label.is_floating_point() or label.dtype == torch.bool:
        raise ValueError(f"expected integer labels [{examples}], got {described(label)}")
    if examples == 0 or classes == 0:
        raise ValueError(f"expected at least one example and one class, got {described(log_probability)}")
    log_probability, label = log_probability.detach().cpu().double(), label.detach().cpu().long()
    refuse_nan(log_probability, "log-probabilities")
    log_sum = torch.cat([part.logsumexp(1) for part in row_blocks(log_probability)])
    off = log_sum.abs() > SUM_TOLERANCE
    if off.any():
        row = int(off.nonzero()[0])
        raise ValueError(
            "expected natural logs of probabilities that sum to 1 over the classes; "
            f"those of example {row} sum to {log_sum[row].exp().item():.6g} ({int(off.sum())} of {examples} are off)"
        )
    if label.min() < 0 or label.max() >= classes:
        raise ValueError(f"expected labels from 0 to {classes - 1}, got {label.min().item()} to {label.max().item()}")
    return log_probability, label


def checked_confidences(
    confidence: Float[Tensor, "n"], correct: Bool[Tensor, "n"]
) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
    """Confidences in float64, and whether each came true.

    Raises:
        ValueError: shapes that do not fit, no examples, NaN, a confidence outside [0, 1], `correct` not boolean.
    """
    confidence = checked_confidence(confidence)
    if correct.shape != confidence.shape or correct.dtype != torch.bool:
        raise ValueError(f"expected booleans [{len(confidence)}] for what was correct, got {described(correct)}")
    return confidence, correct.detach().cpu()


def checked_confidence(confidence: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Confidences in float64.

    Raises:
        ValueError: another shape, no examples, NaN, a confidence outside [0, 1].
    """
    if confidence.ndim != 1 or not confidence.is_floating_point() or len(confidence) == 0:
        raise ValueError(f"expected confidences [n] of a floating type, n at least 1, got {described(confidence)}")
    confidence = confidence.detach().cpu().double()
    refuse_nan(confidence, "confidences")
    least, most = confidence.min().item(), confidence.max().item()
    if least < 0 or most > 1:
        raise ValueError(f"expected confidences from 0 to 1, got {least:g} to {most:g}")
    return confidence


def check_bins(bins: int) -> None:
    """Refuses less than one bin.

    Raises:
        ValueError: bins is not positive.
    """
    if bins < 1:
        raise ValueError(f"expected at least 1 bin, got {bins}")


def check_level(level: float) -> None:
    """Refuses a level of confidence that is not between 0 and 1.

    Raises:
        ValueError: level is out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, such as 0.95, got {level}")


def check_draws(draws: int) -> None:
    """Refuses less than one draw.

    Raises:
        ValueError: draws is not positive.
    """
    if draws < 1:
        raise ValueError(f"expected at least 1 draw, got {draws}")


def refuse_nan(values: Tensor, name: str) -> None:
    """Refuses NaN.

    Raises:
        ValueError: there is a NaN.
    """
    # A sum of infinities of both signs is NaN too, and costs no more than the look below.
    if values.sum().isnan() and (bad := values.isnan()).any():
        raise ValueError(
            f"expected numbers for {name}, got {int(bad.sum())} NaN, the first at {bad.nonzero()[0].tolist()}"
        )


def row_blocks(values: Float[Tensor, "n classes"]) -> tuple[Float[Tensor, "rows classes"], ...]:
    """The rows in parts, so that what is computed of them stays in the processor's cache."""
    return values.split(max(1, NUMBERS_AT_ONCE // values.shape[1]))


def described(tensor: Tensor) -> str:
    """Shape and type of a tensor."""
    return f"{tensor.dtype} {list(tensor.shape)}"
