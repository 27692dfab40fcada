"""One table, split at random: another seed is another split of the same rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from paribus.data.contamination import Contamination
from paribus.data.contract import Split
from paribus.data.regression import RawTable, RegressionData
from paribus.data.scaling import ScalingKind
from paribus.errors import UserError
from paribus.streams import stream_seed
from paribus.supplied import Supplied

LEAST_TRAINING_ROWS = 2


class ResplitRegression(RegressionData):
    """A fixed table of which each seed takes another random split.

    Args:
        test_fraction: share of all rows in the test part, in (0, 1).
        validation_fraction: share of all rows in the validation part, in [0, 1); together below 1.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.
    """

    replication = "resplit"

    def __init__(
        self,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, contamination, input_scaling, target_scaling, seed)
        check_fractions(test_fraction, validation_fraction)
        self.test_fraction, self.validation_fraction = test_fraction, validation_fraction

    def split(self, table: RawTable) -> Split:
        """A random permutation of the rows, cut at the fractions."""
        rows = len(table.target)
        tested = part_size("test_fraction", self.test_fraction, rows)
        validated = part_size("validation_fraction", self.validation_fraction, rows)
        if rows - tested - validated < LEAST_TRAINING_ROWS:
            raise UserError(
                f"{rows} rows are too few: {tested} to test and {validated} to validate leave "
                f"{rows - tested - validated} to train on, expected at least {LEAST_TRAINING_ROWS} "
                "(data.test_fraction, data.validation_fraction)"
            )
        order = np.random.default_rng(stream_seed(self.seed, "split")).permutation(rows)
        test, validation, train = np.split(order, [tested, tested + validated])
        return {"train": train, "validation": validation, "test": test}


def consecutive(n_train: int, n_validation: int, n_test: int) -> Split:
    """Rows in the order in which they were drawn, those to train on first: examples drawn anew are exchangeable."""
    train, validation, test = np.split(np.arange(n_train + n_validation + n_test), [n_train, n_train + n_validation])
    return {"train": train, "validation": validation, "test": test}


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the path of the data before what is told of a mistake in it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def check_fractions(test_fraction: float, validation_fraction: float) -> None:
    """Refuse, with a ValueError, shares of all rows that leave nothing to test or to train on."""
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}, expected a number in (0, 1)")
    check_validation_fraction(validation_fraction)
    if test_fraction + validation_fraction >= 1:
        raise ValueError(
            f"test_fraction {test_fraction} and validation_fraction {validation_fraction} leave nothing to train "
            f"on, expected a sum below 1"
        )


def check_validation_fraction(fraction: float) -> None:
    """Refuse, with a ValueError, a share outside [0, 1)."""
    if not 0 <= fraction < 1:
        raise ValueError(f"validation_fraction is {fraction}, expected a number in [0, 1)")


def part_size(name: str, fraction: float, rows: int) -> int:
    """Rows of a part, `round(fraction * rows)`; a fraction above 0 must come to a row."""
    size = round(fraction * rows)
    if size == 0 and fraction > 0:
        raise UserError(
            f"data.{name}={fraction} of {rows} rows is no row at all; expected more than {0.5 / rows:.3g}"
            f"{', or 0' if name == 'validation_fraction' else ''}"
        )
    return size
