"""Vector and matrix scaling: an affine map of the logits, fitted by NLL on the validation part.

Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (2017), section 4.2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.contract import ValidationLogits
from paribus.calibrators.logits import logits_to_fit, logits_to_map
from paribus.calibrators.minimisation import minimise
from paribus.calibrators.temperature import Temperature


@dataclass(frozen=True, eq=False)
class VectorMap:
    """log softmax(weight * z + bias).

    Attributes:
        weight: `[classes]`, the diagonal.
        bias: `[classes]`; a constant added to all of it changes nothing.
        converged: whether the gradient fell below its tolerance within the iterations allowed.
    """

    weight: Float[Tensor, "classes"]
    bias: Float[Tensor, "classes"]
    converged: bool

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64.

        Raises:
            ValueError: the logits are not finite, or of another number of classes.
        """
        return torch.log_softmax(logits_to_map(logits, len(self.bias)) * self.weight + self.bias, dim=1)


@dataclass(frozen=True, eq=False)
class MatrixMap:
    """log softmax(weight z + bias).

    Attributes:
        weight: `[classes, classes]`; from the logit of the column's class to that of the row's.
        bias: `[classes]`.
        converged: whether the gradient fell below its tolerance within the iterations allowed.
    """

    weight: Float[Tensor, "classes classes"]
    bias: Float[Tensor, "classes"]
    converged: bool

    def __call__(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Log-probabilities in float64.

        Raises:
            ValueError: the logits are not finite, or of another number of classes.
        """
        return torch.log_softmax(logits_to_map(logits, len(self.bias)) @ self.weight.T + self.bias, dim=1)


class VectorScaling:
    """A weight and a bias a class, of least NLL on the validation part; no regularisation.

    Starts at the fitted temperature, so that its NLL is never above that one's. Where the labels can be separated, or a
    class is absent, NLL has no least value: the fit ends at the finite weights where the gradient falls below its
    tolerance, or where the iterations end.
    """

    def fit(self, validation: ValidationLogits) -> VectorMap:
        """The best weights and biases."""
        logits = logits_to_fit(validation.logits)
        label = validation.label.cpu().long()
        centre, scale = centre_and_scale(logits)
        unit = (logits - centre) / scale

        def nll(parameters: Float[Tensor, "2 classes"]) -> tuple[float, Float[Tensor, "2 classes"]]:
            value, residual = nll_and_residual(unit * parameters[0] + parameters[1], label)
            return value, torch.stack([(residual * unit).sum(dim=0), residual.sum(dim=0)])

        temperature = Temperature().fit(validation).temperature
        found, converged = minimise(nll, torch.stack([scale, centre]) / temperature)
        weight = found[0] / scale
        return VectorMap(weight, found[1] - weight * centre, converged)


class MatrixScaling:
    """A full matrix and a bias a class, of least NLL on the validation part; no regularisation.

    Starts at the fitted vector scaling, so that its NLL is never above that one's. With classes (classes + 1) numbers
    to fit it over-fits as soon as the classes are many; what `VectorScaling` says of separable labels holds here
    sooner.
    """

    def fit(self, validation: ValidationLogits) -> MatrixMap:
        """The best matrix and biases."""
        logits = logits_to_fit(validation.logits)
        label = validation.label.cpu().long()
        centre, scale = centre_and_scale(logits)
        unit = torch.cat([(logits - centre) / scale, torch.ones(len(logits), 1, dtype=torch.float64)], dim=1)

        def nll(parameters: Float[Tensor, "classes inputs"]) -> tuple[float, Float[Tensor, "classes inputs"]]:
            value, residual = nll_and_residual(unit @ parameters.T, label)
            return value, residual.T @ unit

        vector = VectorScaling().fit(validation)
        bias = vector.bias + vector.weight * centre
        found, converged = minimise(nll, torch.cat([torch.diag(vector.weight * scale), bias[:, None]], dim=1))
        weight = found[:, :-1] / scale
        return MatrixMap(weight, found[:, -1] - weight @ centre, converged)


def centre_and_scale(
    logits: Float[Tensor, "n classes"],
) -> tuple[Float[Tensor, "classes"], Float[Tensor, "classes"]]:
    """Mean and standard deviation of each class's logits (1 where they are constant): units that suit a gradient."""
    scale, centre = torch.std_mean(logits, dim=0, correction=0)
    return centre, torch.where(scale > 1e-12 * logits.abs().amax(dim=0), scale, 1.0)


def nll_and_residual(
    logits: Float[Tensor, "n classes"], label: Int[Tensor, "n"]
) -> tuple[float, Float[Tensor, "n classes"]]:
    """The mean NLL, and its gradient by the logits: (softmax - one-hot) / n."""
    log_probability = torch.log_softmax(logits, dim=1)
    own = log_probability.gather(1, label[:, None])
    residual = log_probability.exp()
    residual.scatter_add_(1, label[:, None], torch.full_like(own, -1.0))
    return float(-own.mean()), residual / len(label)
