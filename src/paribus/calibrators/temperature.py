"""Temperature scaling: one number that sharpens or softens all probabilities, and no calibration as its level 1.

Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (2017), section 4.2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits, remembered
from paribus.calibrators.logits import logits_to_fit, mapped_by_rows, row_blocks

WIDEST = 1e18
"""The inverse temperature is sought from 1 / WIDEST to WIDEST, in units of 1 / the largest spread within a row."""

NEGLIGIBLE = 1e-10
"""Where NLL falls towards a limit for ever, nats an example of it that may remain."""


@dataclass(frozen=True)
class TemperatureMap:
    """log softmax(z / temperature). The order of a row, and so its argmax, is that of the logits.

    Attributes:
        temperature: T; above 1 where the logits are over-confident.
        classes: how many classes the logits have.
        at_limit: whether NLL has no least value at a finite temperature above 0 (see `Temperature`).
    """

    temperature: float
    classes: int
    at_limit: bool

    @property
    def remark(self) -> str:
        """Whether the temperature is a limit."""
        limit = (
            "NLL has no minimum at a finite temperature above 0: the one nearest 1 within 1e-10 of its limit was taken"
        )
        return limit if self.at_limit else ""

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64.

        Raises:
            ValueError: the logits are not finite, or of another number of classes.
        """
        return mapped_by_rows(lambda part: torch.log_softmax(part / self.temperature, dim=1), logits, self.classes)


class Uncalibrated:
    """The softmax as it is: what every calibrator is compared with."""

    def fit(self, validation: ValidationLogits) -> TemperatureMap:
        """Temperature 1, whatever the validation part."""
        return TemperatureMap(1.0, validation.logits.shape[1], at_limit=False)


class Temperature:
    """The temperature of least NLL on the validation part.

        p = softmax(z / T),   T = argmin over T > 0 of mean over the part of -log p_y

    NLL is convex in 1/T; its derivative's root is found by Newton's method within a bracket, to rounding. There is no
    such root in two cases, and `at_limit` says so:

    - every label has the largest logit of its row (all correct): NLL falls as T goes to 0;
    - the labels' logits are no larger than the mean of their rows (no better than chance): NLL falls as T goes to
      infinity.

    Then T is the one nearest to 1 whose NLL is within 1e-10 of the limit; so it is 1 where T makes no difference.
    """

    def fit(self, validation: ValidationLogits) -> TemperatureMap:
        """The map of the best temperature; nothing but NLL is minimised."""
        return fitted_temperature(validation)


@remembered
def fitted_temperature(validation: ValidationLogits) -> TemperatureMap:
    """What `Temperature` fits."""
    logits = logits_to_fit(validation.logits)
    label = validation.label.cpu().long()
    below_largest = logits - logits.amax(dim=1, keepdim=True)
    spread = float(-below_largest.min())
    if spread == 0:
        return TemperatureMap(1.0, logits.shape[1], at_limit=True)
    # In units of the largest spread, so that the fit of c z is c times the fit of z.
    unit = math.log(spread)
    log_inverse, at_limit = log_inverse_temperature(below_largest.div_(spread), label, nearest=unit)
    return TemperatureMap(math.exp(unit - log_inverse), logits.shape[1], at_limit)


def log_inverse_temperature(
    logits: Float[Tensor, "n classes"], label: Int[Tensor, "n"], nearest: float
) -> tuple[float, bool]:
    """The u that minimises the mean NLL of softmax(e^u z), and whether it is a limit that is never reached.

    Args:
        logits: z, with 0 the largest of each row and -1 the least of all.
        label: the class of each row.
        nearest: at a limit, the u to stay as near to as NLL permits.
    """
    own = logits.gather(1, label[:, None]).squeeze(1)

    def derivatives(log_inverse: float) -> tuple[float, float]:
        """By e^u: mean of E[z] - z_y, which grows with u, and of Var[z]; E and Var of the probabilities at u."""
        slope = curvature = 0.0
        for rows in row_blocks(logits):
            part = logits[rows]
            probability = torch.softmax(math.exp(log_inverse) * part, dim=1)
            mean = (probability * part).sum(dim=1)
            slope += float((mean - own[rows]).sum())
            curvature += float((probability * (part - mean[:, None]).square_()).sum())
        return slope / len(own), curvature / len(own)

    def nll(log_inverse: float) -> float:
        inverse = math.exp(log_inverse)
        each = (torch.logsumexp(inverse * logits[rows], dim=1) - inverse * own[rows] for rows in row_blocks(logits))
        return sum(float(part.sum()) for part in each) / len(own)

    low, high = -math.log(WIDEST), math.log(WIDEST)
    if derivatives(high)[0] <= 0:
        return nearest_to_limit(nll, high, nearest=min(nearest, high)), True
    if derivatives(low)[0] >= 0:
        return nearest_to_limit(nll, low, nearest=max(nearest, low)), True
    return root(derivatives, low, high), False


def root(derivatives: Callable[[float], tuple[float, float]], low: float, high: float) -> float:
    """The u at which the first of the derivatives by e^u passes from below 0 to above, between low and high.

    Newton's steps in u, halving the bracket wherever a step would leave it or the last did not halve the slope.
    """
    u, last = min(max(0.0, low), high), math.inf
    while True:
        slope, curvature = derivatives(u)
        if slope == 0:
            return u
        low, high = (u, high) if slope < 0 else (low, u)
        step = -slope / (math.exp(u) * curvature) if curvature > 0 else math.inf
        if not low < u + step < high or abs(slope) > last / 2:
            step = (low + high) / 2 - u
        last = abs(slope)
        if abs(step) <= 1e-14 * max(1.0, abs(u)):
            return u + step
        u += step


def nearest_to_limit(nll: Callable[[float], float], limit: float, nearest: float) -> float:
    """The u closest to `nearest` whose NLL is within NEGLIGIBLE of that at the limit, towards which it falls."""
    enough = nll(limit) + NEGLIGIBLE
    if nll(nearest) <= enough:
        return nearest
    outside, inside = nearest, limit
    while abs(inside - outside) > 1e-12 * max(1.0, abs(inside)):
        middle = (outside + inside) / 2
        if nll(middle) <= enough:
            inside = middle
        else:
            outside = middle
    return inside
