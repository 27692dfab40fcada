"""A table in Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paribus.data.table_file import CLASS, NO_CLASS, ColumnError, Remedies, TableFile
from paribus.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetFile(TableFile):
    """A Parquet file, of which only the columns asked for are read.

    Args:
        path: an existing file.

    Raises:
        UserError: it is malformed or has no rows.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{path} is no Parquet file: {error}") from None
        super().__init__(path, [str(name) for name in self._file.schema_arrow.names], self._file.metadata.num_rows)
        if self.rows == 0:
            raise UserError(f"{path}: no rows")

    def place(self, row: int) -> str:
        """By number."""
        return f"data row {row + 1}"

    def numbers(self, name: str, remedies: Remedies) -> NDArray[np.float64]:
        """A column of integers, floating-point numbers or booleans."""
        import pyarrow as pa

        column = self._file.read(columns=[name]).column(0)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise self._wrong_type(name, column, "numbers or booleans", remedies.text)
        self._refuse_missing(name, column, remedies)
        return self.finite(name, column.to_numpy(zero_copy_only=False).astype(np.float64))

    def texts(self, name: str) -> list[str]:
        """A column of texts, whole numbers or booleans, or of categories of these."""
        import pyarrow as pa

        column = self._file.read(columns=[name]).column(0)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        if not (text or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise self._wrong_type(name, column, "texts, whole numbers or booleans", CLASS.text)
        if pa.types.is_dictionary(column.type):
            column = column.cast(kind)
        self._refuse_missing(name, column, CLASS)
        cells = [str(cell).strip() for cell in column.to_pylist()]
        empty = [row for row, cell in enumerate(cells) if cell.lower() in NO_CLASS]
        if empty:
            raise self.missing(name, empty, cells[empty[0]], CLASS)
        return cells

    def cells(self, name: str) -> list[object]:
        """A column as Python's own objects."""
        return self._file.read(columns=[name]).column(0).to_pylist()

    def _refuse_missing(self, name: str, column: "pa.ChunkedArray", remedies: Remedies) -> None:
        missing = np.flatnonzero(column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)).tolist()
        if missing:
            raise self.missing(name, missing, "null", remedies)

    def _wrong_type(self, name: str, column: "pa.ChunkedArray", expected: str, remedy: str) -> ColumnError:
        told = f"column {name!r} is of type {column.type}, expected {expected}; first value, {self.place(0)}: "
        return ColumnError(self.path, f"{told}{column[0].as_py()!r}", remedy)
