"""Affine scaling of columns, fitted on one part of the data and applied to all of it."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ScalingKind = Literal["none", "standard", "robust"]

NORMAL_IQR = 1.3489795003921634
"""Interquartile range of the standard normal, 2 Phi^-1(.75): IQR / 1.349 estimates a normal standard deviation."""

ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Relative differences up to this are rounding: equal numbers have a computed spread of this order, and not 0."""


@dataclass(frozen=True)
class Scaling:
    """`scaled = (raw - center) / scale`, column by column.

    Attributes:
        center: `[d]`, or `[]` for a single column, in raw units.
        scale: likewise, above 0.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: NDArray[np.float64], kind: str) -> "Scaling":
        """Scaling of `rows`, `[n, d]` or `[n]`, over the first axis.

        Args:
            rows: finite values; they are shrunk by a power of 2 first, which is exact, so that squares do not overflow.
            kind: `none` changes nothing, `standard` uses mean and standard deviation (divisor n), `robust` median and
                IQR / 1.349. A column without spread in that sense is centred and divided by 1.
        """
        if kind not in get_args(ScalingKind):
            raise ValueError(f"scaling is {kind!r}, expected one of {', '.join(get_args(ScalingKind))}")
        if kind == "none":
            return cls(np.zeros(rows.shape[1:]), np.ones(rows.shape[1:]))
        peak = np.abs(rows).max(axis=0)
        exponent = np.frexp(peak)[1]
        shrunk = np.ldexp(rows, -exponent)
        if kind == "standard":
            center, spread = shrunk.mean(axis=0), shrunk.std(axis=0)
        else:
            low, center, high = np.quantile(shrunk, [0.25, 0.5, 0.75], axis=0)
            spread = (high - low) / NORMAL_IQR
        scale = np.where(spread > ROUNDING, np.ldexp(spread, exponent), 1.0)
        return cls(np.ldexp(center, exponent), scale)

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """`rows`, `[n, d]` or `[n]`, in units of the scale."""
        return (rows / 2 - self.center / 2) / (self.scale / 2)  # halves, so that the difference cannot overflow

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """The raw rows of scaled ones."""
        return self.center + self.scale * scaled
