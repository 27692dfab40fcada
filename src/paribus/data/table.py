"""Any table of numbers from a file."""

from pathlib import Path

from paribus.data.contamination import Contamination
from paribus.data.contract import Split
from paribus.data.regression import RawTable
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import ResplitRegression
from paribus.data.table_file import read_table
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
        if columns is not None:
            _check_columns(list(columns), target)
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
        try:
            return super().split(table)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from None


def _check_columns(columns: list[str], target: str) -> None:
    """Refuse a list of inputs that is empty, repeats a name or contains the target."""
    if not columns:
        raise ValueError("columns is [], expected names of input columns, or null for all but the target")
    if target in columns:
        raise ValueError(f"columns contains the target {target!r}, expected input columns only")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise ValueError(f"columns names {', '.join(map(repr, repeated))} more than once, expected each name once")
