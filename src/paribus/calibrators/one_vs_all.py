"""Calibrators of one probability at a time, applied to each class against all others, and normalised over the classes.

Source of the reduction: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability
estimates (2002); Guo et al., On calibration of modern neural networks (2017), section 4.2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits
from paribus.calibrators.logits import float64_blocks, mapped_by_rows

ROWS_OF_CLASSES = 1 << 22
"""How many probabilities are mapped at once: each class is called for each part, so that parts must not be small."""

Curve = Callable[[Tensor], Tensor]
"""Probabilities `[n]` of one class, as predicted, to recalibrated ones `[n]`."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A function that is constant between cuts.

    Attributes:
        cuts: `[bins - 1]`, increasing; bin i is (cut i - 1, cut i], the first from 0 and the last to 1.
        values: `[bins]`.
    """

    cuts: Float[Tensor, "cuts"]
    values: Float[Tensor, "bins"]

    def __call__(self, probability: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The value of each probability's bin."""
        return self.values[torch.searchsorted(self.cuts, probability.contiguous())]


@dataclass(frozen=True, eq=False)
class ClasswiseMap:
    """The log of each class's recalibrated probability over their sum; uniform in a row where all of them are 0.

    Attributes:
        curves: one a class.
        remark: see `Recalibration`.
    """

    curves: tuple[Curve, ...]
    remark: str

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64, minus infinity where a probability is 0.

        Raises:
            ValueError: the logits are not finite, or of another number of classes.
        """

        def recalibrated(part: Tensor) -> Tensor:
            predicted = torch.softmax(part, dim=1).T.contiguous()
            columns = [curve(column) for curve, column in zip(self.curves, predicted, strict=True)]
            return torch.log(normalised(torch.stack(columns, dim=1)))

        return mapped_by_rows(recalibrated, logits, len(self.curves), ROWS_OF_CLASSES)


def normalised(probability: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """Rows over their sums; a row of zeros, which says nothing, becomes uniform."""
    total = probability.sum(dim=1, keepdim=True)
    return torch.where(total > 0, probability / total, 1 / probability.shape[1])


def one_vs_all(
    validation: ValidationLogits, fit: Callable[[Float[Tensor, "n"], Float[Tensor, "n"]], Curve]
) -> ClasswiseMap:
    """The map of the curves that `fit` makes, for each class, of its probabilities and of whether it is the label."""
    classes = validation.logits.shape[1]
    # A class's probabilities in a row: with many classes, reading them across examples takes longer than fitting.
    predicted = torch.cat([torch.softmax(part, dim=1).T for part in float64_blocks(validation.logits)], dim=1)
    label = validation.label.cpu()
    curves = tuple(fit(column, (label == name).double()) for name, column in enumerate(predicted))
    absent = classes - len(label.unique())
    remark = f"{absent} of {classes} classes have no validation example: nothing is known of them" if absent else ""
    return ClasswiseMap(curves, remark)
