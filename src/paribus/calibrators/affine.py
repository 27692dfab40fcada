"""Vector and matrix scaling: an affine map of the logits, fitted by NLL on the validation part.

Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (2017), section 4.2.
"""

from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits, remembered
from paribus.calibrators.logits import float64_blocks, logits_to_fit, mapped_by_rows, row_blocks
from paribus.calibrators.minimisation import EVALUATIONS, minimise
from paribus.calibrators.temperature import fitted_temperature

BUDGET = 2_000_000_000_000
"""Multiplications and additions of one fit: a minute or two of one core."""
SOFTMAX = 300
"""What the softmax costs in these, for each example and class."""
NOT_CONVERGED = "not converged within the budget of work: NLL on the validation part can fall further"
LEAST_CURVATURE = 1e-3
"""What is taken for a class's curvature where its probabilities are next to 0 or 1, times the number of classes."""


@dataclass(frozen=True, eq=False)
class AffineMap:
    """log softmax of an affine map of the logits.

    Attributes:
        weight: of the logits, see the subclasses.
        bias: `[classes]`; a constant added to all of it changes nothing.
        converged: whether NLL is least there, as far as `minimise` tells, within the budget of work.
    """

    weight: Tensor
    bias: Float[Tensor, "classes"]
    converged: bool

    @property
    def remark(self) -> str:
        """Whether the budget ended the fit."""
        return "" if self.converged else NOT_CONVERGED

    def weighted(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """The logits times the weight."""
        raise NotImplementedError(f"{type(self).__name__} must implement weighted")

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64.

        Raises:
            ValueError: the logits are not finite, or of another number of classes.
        """
        return mapped_by_rows(
            lambda part: torch.log_softmax(self.weighted(part) + self.bias, dim=1), logits, len(self.bias)
        )


class VectorMap(AffineMap):
    """log softmax(weight * z + bias), the weight `[classes]` being the diagonal of a matrix."""

    def weighted(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Each class's logits times its weight."""
        return logits * self.weight


class MatrixMap(AffineMap):
    """log softmax(weight z + bias), the weight `[classes, classes]`: from the column's class to the row's."""

    def weighted(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """The matrix times each example's logits."""
        return logits @ self.weight.T


class VectorScaling:
    """A weight and a bias a class, of least NLL on the validation part; no regularisation.

    Starts at the fitted temperature, so that its NLL is never above that one's. Where the labels can be separated, or a
    class is absent, NLL has no least value: the fit ends at the finite weights where the gradient falls below its
    tolerance, or where the budget ends.
    """

    def fit(self, validation: ValidationLogits) -> VectorMap:
        """The best weights and biases."""
        return fitted_vector(validation)


@remembered
def fitted_vector(validation: ValidationLogits) -> VectorMap:
    """What `VectorScaling` fits."""
    label = validation.label.cpu().long()
    temperature = fitted_temperature(validation).temperature
    units = Units.of(validation.logits, temperature)
    inputs = units.inputs(validation.logits)

    def nll(parameters: Float[Tensor, "2 classes"]) -> tuple[float, Float[Tensor, "2 classes"]]:
        weight, bias = parameters * units.output
        value, gradient = 0.0, torch.zeros_like(parameters)
        for rows in row_blocks(inputs):
            part = inputs[rows]
            loss, residual = nll_and_residual(part * weight + bias, label[rows])
            value += loss
            gradient[0] += (residual * part).sum(dim=0)
            gradient[1] += residual.sum(dim=0)
        return value / len(label), gradient * units.output / len(label)

    start = torch.stack([units.scale, units.centre]) / temperature / units.output
    found, converged = minimise(nll, start, evaluations_within(inputs.numel() * SOFTMAX))
    weight, bias = found * units.output
    return VectorMap(weight / units.scale, bias - weight / units.scale * units.centre, converged)


class MatrixScaling:
    """A full matrix and a bias a class, of least NLL on the validation part; no regularisation.

    Starts at the fitted vector scaling, so that its NLL is never above that one's. With classes (classes + 1) numbers
    to fit it over-fits as soon as the classes are many; what `VectorScaling` says of separable labels holds here
    sooner.
    """

    def fit(self, validation: ValidationLogits) -> MatrixMap:
        """The best matrix and biases."""
        label = validation.label.cpu().long()
        vector = fitted_vector(validation)
        units = Units.of(validation.logits, fitted_temperature(validation).temperature)
        inputs = units.inputs(validation.logits)
        output = units.output[:, None]

        def nll(parameters: Float[Tensor, "classes inputs"]) -> tuple[float, Float[Tensor, "classes inputs"]]:
            table = parameters * output
            value, gradient = 0.0, torch.zeros_like(parameters)
            for rows in row_blocks(inputs):
                part = inputs[rows]
                loss, residual = nll_and_residual(torch.addmm(table[:, -1], part, table[:, :-1].T), label[rows])
                value += loss
                gradient[:, :-1].addmm_(residual.T, part)
                gradient[:, -1] += residual.sum(dim=0)
            return value / len(label), gradient * output / len(label)

        bias = vector.bias + vector.weight * units.centre
        start = torch.cat([torch.diag(vector.weight * units.scale), bias[:, None]], dim=1) / output
        cost = inputs.numel() * (SOFTMAX + 2 * inputs.shape[1])
        found, converged = minimise(nll, start, evaluations_within(cost))
        table = found * output
        weight = table[:, :-1] / units.scale
        return MatrixMap(weight, table[:, -1] - weight @ units.centre, converged)


@dataclass(frozen=True)
class Units:
    """Units of logits and of what the fit makes of them, in which NLL is curved about equally everywhere.

    The curvature of an example's NLL by the output of class k is q = p_k (1 - p_k). So with the mean of q and the mean
    and deviation of the logits under it, the Hessian of vector scaling at the start has the identity as each class's
    block.

    Attributes:
        centre: `[classes]`, of the logits.
        scale: `[classes]`, of the logits.
        output: `[classes]`, what a fitted output of 1 stands for.
    """

    centre: Float[Tensor, "classes"]
    scale: Float[Tensor, "classes"]
    output: Float[Tensor, "classes"]

    @classmethod
    def of(cls, logits: Float[Tensor, "n classes"], temperature: float) -> Self:
        """The units that suit these logits at a temperature."""
        examples, classes = logits.shape
        origin = sum((part.sum(dim=0) for part in float64_blocks(logits)), torch.zeros(classes)) / examples
        sums = torch.zeros(3, classes, dtype=torch.float64)
        largest = torch.zeros(classes, dtype=torch.float64)
        for part in float64_blocks(logits):
            probability = torch.softmax(part / temperature, dim=1)
            curvature = probability * (1 - probability) + LEAST_CURVATURE / classes
            off = part - origin
            sums += torch.stack(
                [curvature.sum(dim=0), (curvature * off).sum(dim=0), (curvature * off.square()).sum(dim=0)]
            )
            largest = torch.maximum(largest, part.abs().amax(dim=0))
        shift = sums[1] / sums[0]
        deviation = (sums[2] / sums[0] - shift.square()).clamp(min=0).sqrt()
        scale = torch.where(deviation > 1e-12 * largest, deviation, 1.0)
        return cls(origin + shift, scale, (examples / sums[0]).sqrt())

    def inputs(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """The logits in these units."""
        found = torch.empty(logits.shape, dtype=torch.float64)
        for rows in row_blocks(logits):
            found[rows] = (logits_to_fit(logits[rows]) - self.centre) / self.scale
        return found


def evaluations_within(cost: int) -> int:
    """How many evaluations of this cost the budget has; one at least, that of the start."""
    return max(1, min(EVALUATIONS, BUDGET // cost))


def nll_and_residual(
    logits: Float[Tensor, "n classes"], label: Int[Tensor, "n"]
) -> tuple[float, Float[Tensor, "n classes"]]:
    """The summed NLL, and its gradient by the logits: softmax - one-hot."""
    log_probability = torch.log_softmax(logits, dim=1)
    own = log_probability.gather(1, label[:, None])
    residual = log_probability.exp_()
    residual.scatter_add_(1, label[:, None], torch.full_like(own, -1.0))
    return -float(own.sum()), residual
