"""Whether scaled numbers survive float32, in which a network computes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paribus.data.scaling import ROUNDING
from paribus.errors import UserError


def check_float32(columns: Mapping[str, NDArray[np.float64]], part: str, settings: str) -> None:
    """Refuse, by name, a scaled column `[n]` that float32 cannot hold.

    Args:
        columns: the values of one part, by the name of their column.
        part: the name of that part.
        settings: how the columns were scaled, e.g. `input_scaling=none`.
    """
    for name, values in columns.items():
        if not fits_float32(values):
            raise UserError(
                f"column {name!r} of the {part} part is too large or too nearly constant for float32 after "
                f"{settings}; use standard or robust scaling, or rescale that column"
            )


def fits_float32(values: NDArray[np.float64]) -> bool:
    """Whether `[n]` values stay finite in float32, and different where they differ by more than float64's rounding."""
    if len(values) == 0:
        return True
    low, high = float(values.min()), float(values.max())
    with np.errstate(over="ignore"):
        low_single, high_single = np.float32(low), np.float32(high)
    differ = high - low > ROUNDING * max(abs(low), abs(high))
    return bool(np.isfinite([low_single, high_single]).all() and not (differ and low_single == high_single))
