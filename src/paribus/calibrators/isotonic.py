"""Isotonic regression: a probability becomes the best non-decreasing function of itself."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits
from paribus.calibrators.one_vs_all import ClasswiseMap, one_vs_all


@dataclass(frozen=True, eq=False)
class Lines:
    """A function that is linear between knots, and constant beyond the first and the last.

    Attributes:
        knots: `[knots]`, increasing.
        values: `[knots]`, the function there.
    """

    knots: Float[Tensor, "knots"]
    values: Float[Tensor, "knots"]

    def __call__(self, probability: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The function of each probability."""
        return torch.from_numpy(np.interp(probability.numpy(), self.knots.numpy(), self.values.numpy()))


class Isotonic:
    """The non-decreasing function of a class's predicted probability nearest, in squares, to whether it is the label.

    Fitted by scikit-learn on the validation part, with its conventions: equal probabilities share one value, linear
    between the blocks, constant beyond the outermost. A block without a hit is a probability of 0. Classes are taken
    one against all others and normalised; a row of zeros becomes uniform.
    Source: Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates (2002).
    """

    def fit(self, validation: ValidationLogits) -> ClasswiseMap:
        """The function of each class, as `Lines`."""
        return one_vs_all(validation, isotonic)


def isotonic(probability: Float[Tensor, "n"], is_class: Float[Tensor, "n"]) -> Lines:
    """The frequency of a class as a non-decreasing function of its predicted probability."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probability.numpy(), is_class.numpy())
    return Lines(torch.from_numpy(fitted.X_thresholds_), torch.from_numpy(fitted.y_thresholds_))
