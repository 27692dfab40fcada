"""Any table of numbers from a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paribus.data.contamination import Contamination
from paribus.data.contract import Split
from paribus.data.open_table import check_columns, open_table
from paribus.data.regression import RawTable
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import ResplitRegression, naming
from paribus.data.table_file import INPUT, TARGET
from paribus.errors import UserError
from paribus.supplied import Supplied


class Table(ResplitRegression):
    """A CSV or Parquet file of numbers, split again at random for every seed; units are those of the file.

    Args:
        path: the file, relative to the working directory; CSV in UTF-8 with a header, or Parquet.
        target: name of the column to predict.
        columns: names of the input columns; None for all columns but the target.
        test_fraction, validation_fraction: see `ResplitRegression`.
        batch_size, contamination, input_scaling, target_scaling, seed: see `RegressionData`.

    Raises:
        UserError: on `setup`, for a file that cannot be used: what is wrong, in which column and row, and what to do.
    """

    def __init__(
        self,
        path: str,
        target: str,
        columns: list[str] | None,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(
            test_fraction, validation_fraction, batch_size, contamination, input_scaling, target_scaling, seed
        )
        check_columns(columns, target)
        self.path, self.target = path, target
        self.columns = None if columns is None else list(columns)

    def load(self) -> RawTable:
        """Read and check the file."""
        table = read_table(Path(self.path).expanduser(), self.target, self.columns)
        if table.target.min() == table.target.max():
            raise UserError(
                f"{self.path}: the target column {self.target!r} is {table.target[0]:g} in every row, "
                "so there is nothing to learn; choose another data.target"
            )
        return table

    def split(self, table: RawTable) -> Split:
        """As for every table; a mistake names the file."""
        with naming(self.path):
            return super().split(table)


def read_table(path: Path, target: str, columns: Sequence[str] | None) -> RawTable:
    """The inputs and the target of a file.

    Args:
        path: see `open_table`.
        target: name of the target column.
        columns: names of the input columns; None for all but the target.

    Raises:
        UserError: the file is missing, empty or malformed, a column is unknown, or a cell is no finite number.
    """
    file = open_table(path)
    inputs = file.inputs(target, columns)
    numbers = file.matrix([*((name, INPUT) for name in inputs), (target, TARGET)])
    x, y = (np.ascontiguousarray(part) for part in (numbers[:, :-1], numbers[:, -1]))
    return RawTable(x, y, tuple(inputs), target)
