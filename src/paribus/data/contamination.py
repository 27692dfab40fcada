"""Outliers put on purpose into training targets, so that robustness is measured at a known rate."""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paribus.data.scaling import Scaling
from paribus.errors import UserError
from paribus.streams import stream_seed

Sides = Literal["one", "both"]
Placement = Literal["random", "leverage"]

LEVERAGE_SHARE = 0.4
"""Share of the rows, the furthest along the principal axis, from which `leverage` draws the outliers."""


class Contamination:
    """Adds `size` to a fraction of the training targets; validation and test targets stay clean.

    Under one seed the rows (and signs) hit at one fraction are among those hit at any larger one, so that rates can be
    compared pair by pair.

    Args:
        fraction: share of the training rows, in [0, 1): exactly `round(fraction * n)` rows are hit.
        size: what is added to the target, in the target's own units; may be negative.
        sides: `one` adds `size`, `both` adds it with a random sign.
        placement: `random` draws the rows anywhere. `leverage` draws them among the 40 % furthest along the first
            principal axis of the standardised inputs (for one input: those with the largest values); beyond 40 % the
            remaining rows follow.
    """

    def __init__(self, fraction: float, size: float, sides: Sides, placement: Placement) -> None:
        if not 0 <= fraction < 1:
            raise ValueError(f"fraction is {fraction}, expected a number in [0, 1)")
        if not math.isfinite(size):
            raise ValueError(f"size is {size}, expected a finite number")
        if fraction > 0 and size == 0:
            raise ValueError(
                f"size is 0 with fraction {fraction}, expected the size of an outlier in the target's units"
            )
        if sides not in get_args(Sides):
            raise ValueError(f"sides is {sides!r}, expected one of {', '.join(get_args(Sides))}")
        if placement not in get_args(Placement):
            raise ValueError(f"placement is {placement!r}, expected one of {', '.join(get_args(Placement))}")
        self.fraction, self.size, self.sides, self.placement = fraction, size, sides, placement

    def __call__(
        self, inputs: NDArray[np.float64], target: NDArray[np.float64], seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The contaminated target `[n]` and which rows were hit `[n]`, drawn from the seed's stream `corruption`.

        Raises:
            UserError: a fraction above 0 that comes to no row at all.
        """
        count = round(self.fraction * len(target))
        if count == 0 and self.fraction > 0:
            raise UserError(
                f"contamination.fraction={self.fraction} of {len(target)} training rows is no row at all; "
                f"expected 0 or at least {1 / len(target):.2g}"
            )
        rng = np.random.default_rng(stream_seed(seed, "corruption"))
        order = rng.permutation(len(target))  # all rows, whatever the fraction, so that rates nest
        signs = rng.choice(np.array([-1.0, 1.0]), size=len(target))
        if self.placement == "leverage":
            pool = np.zeros(len(target), dtype=bool)
            furthest_first = np.argsort(-principal_score(inputs), kind="stable")
            pool[furthest_first[: math.ceil(LEVERAGE_SHARE * len(target))]] = True
            order = np.concatenate([order[pool[order]], order[~pool[order]]])
        hit = np.zeros(len(target), dtype=bool)
        hit[order[:count]] = True
        shift = self.size * signs if self.sides == "both" else np.full(len(target), self.size)
        return np.where(hit, target + shift, target), hit


def principal_score(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Position of each row of `[n, d]` along the first principal axis of the standardised inputs: `[n]`.

    The axis points where its largest weight is positive, since an eigenvector's sign is arbitrary. Constant columns
    weigh nothing.
    """
    standardised = Scaling.fit(inputs, "standard").apply(inputs)
    axis = np.linalg.eigh(standardised.T @ standardised)[1][:, -1]
    return standardised @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
