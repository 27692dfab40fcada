"""How much of the classes simple classifiers read off codes: the usual probes of a representation.

Codes are standardised first, feature by feature. A probe with a penalty, or one by distance, depends on the scale of
its inputs, which no objective of these codes fixes: unscaled, a representation can seem to hold nothing.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paribus.calibrators.affine import nll_and_residual
from paribus.calibrators.minimisation import minimise
from paribus.data.scaling import ROUNDING

PENALTY = 1.0
"""Times half the sum of the squared weights, beside the NLL summed over the training codes: scikit-learn's C = 1."""
ROWS_AT_ONCE = 1024


def probe_accuracy(
    train: Float[Tensor, "n features"],
    train_label: Int[Tensor, "n"],
    test: Float[Tensor, "m features"],
    test_label: Int[Tensor, "m"],
    classes: int,
) -> float:
    """The share of test codes that a linear classifier of the training codes gets right; NaN if one is not finite."""
    train, test = standardised(train, test)
    if not (train.isfinite().all() and test.isfinite().all()):
        return math.nan
    weight, bias = logistic_regression(train, train_label, classes)
    return share_right((test @ weight + bias).argmax(dim=1), test_label)


def knn_accuracy(
    train: Float[Tensor, "n features"],
    train_label: Int[Tensor, "n"],
    test: Float[Tensor, "m features"],
    test_label: Int[Tensor, "m"],
    classes: int,
    neighbours: int,
) -> float:
    """The share of test codes whose nearest training codes are mostly of their class; NaN where one is not finite.

    Of classes with equally many neighbours the first is taken. Where there are fewer training codes, all are
    neighbours.
    """
    train, test = standardised(train, test)
    if not (train.isfinite().all() and test.isfinite().all()):
        return math.nan
    predicted = []
    for rows in test.split(ROWS_AT_ONCE):
        nearest = torch.cdist(rows, train).topk(min(neighbours, len(train)), largest=False).indices
        votes = torch.nn.functional.one_hot(train_label[nearest], classes).sum(dim=1)
        predicted.append(votes.argmax(dim=1))
    return share_right(torch.cat(predicted), test_label)


def standardised(
    train: Float[Tensor, "n features"], test: Float[Tensor, "m features"]
) -> tuple[Float[Tensor, "n features"], Float[Tensor, "m features"]]:
    """Codes in units of the training codes' deviation from their mean, in float64; a feature without one is centred."""
    train, test = train.double(), test.double()
    mean = train.mean(dim=0)
    deviation = (train - mean).square().mean(dim=0).sqrt()
    unit = torch.where(deviation > ROUNDING * mean.abs(), deviation, 1.0)
    return (train - mean) / unit, (test - mean) / unit


def logistic_regression(
    code: Float[Tensor, "n features"], label: Int[Tensor, "n"], classes: int
) -> tuple[Float[Tensor, "features classes"], Float[Tensor, "classes"]]:
    """Weights and biases of least NLL and `PENALTY`; biases are not penalised."""
    inputs = torch.cat([code, torch.ones_like(code[:, :1])], dim=1)
    penalised = torch.ones(inputs.shape[1], 1, dtype=code.dtype)
    penalised[-1] = 0

    def objective(table: Float[Tensor, "inputs classes"]) -> tuple[float, Float[Tensor, "inputs classes"]]:
        nll, residual = nll_and_residual(inputs @ table, label)
        weight = PENALTY * penalised * table
        return (nll + float((weight * table).sum()) / 2) / len(label), (inputs.T @ residual + weight) / len(label)

    table, _ = minimise(objective, torch.zeros(inputs.shape[1], classes, dtype=code.dtype))
    return table[:-1], table[-1]


def share_right(predicted: Int[Tensor, "n"], label: Int[Tensor, "n"]) -> float:
    """Of predictions."""
    return (predicted == label).double().mean().item()
