"""Reading a table from CSV or Parquet, with answers that name the cell that is wrong."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paribus.data.classification import class_order
from paribus.errors import UserError, nearest

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"})
NO_CLASS = MISSING - {"none", "-"}
"""Missing in a column of classes, where `none` may be the name of one."""

BOOLEANS = {"false": 0.0, "true": 1.0}
MOST_TOLD = 10


class Remedies(NamedTuple):
    """What to do about a cell that cannot be used, which depends on what its column is for."""

    missing: str
    text: str


INPUT = Remedies(
    "remove such rows or fill them in the file, or name the inputs in data.columns and leave the column out",
    "encode text as numbers (one 0/1 column a category; docs/bring_data.md has a recipe), or name the inputs in "
    "data.columns and leave it out",
)
TARGET = Remedies(
    "this is the target: remove such rows",
    "this is the target: to predict a class choose family=classification data=labelled_table; to predict a number, "
    "write one in every row",
)
CLASS = Remedies(TARGET.missing, "a class is a text, a whole number or a boolean")
GIVEN = Remedies(
    "the prediction needs it: remove such rows or fill them in the file",
    "the run was trained on a column of numbers: encode it as the table was that the run was trained on",
)


class ColumnError(UserError):
    """A column with a cell that cannot be used.

    Attributes:
        told: where, and what it is.
        remedy: what to do.
    """

    def __init__(self, path: Path, told: str, remedy: str) -> None:
        super().__init__(f"{path}: {told}; {remedy}")
        self.told, self.remedy = told, remedy


class TableFile(ABC):
    """A file of named columns, whose header is known to be sound and which has at least one row.

    Attributes:
        path: the file.
        header: names of its columns, each different.
        rows: how many.
    """

    def __init__(self, path: Path, header: Sequence[str], rows: int) -> None:
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise UserError(
                f"{path}: several columns are named {', '.join(map(repr, repeated))}; give each its own name"
            )
        self.path, self.header, self.rows = path, header, rows

    @abstractmethod
    def place(self, row: int) -> str:
        """Where row number i (from 0) is to be found."""

    @abstractmethod
    def numbers(self, name: str, remedies: Remedies) -> NDArray[np.float64]:
        """A column `[rows]` of finite numbers; booleans are 1 and 0.

        Raises:
            ColumnError: it holds something else.
        """

    @abstractmethod
    def texts(self, name: str) -> list[str]:
        """A column of names of classes, as texts without blanks around them; none is missing."""

    @abstractmethod
    def cells(self, name: str) -> Sequence[object]:
        """A column as it is, whatever it holds."""

    def inputs(self, target: str, columns: Sequence[str] | None) -> list[str]:
        """Names of the inputs, once those of the inputs and of the target are known to be there.

        Args:
            target: name of the target column.
            columns: names of the input columns; None for all but the target.
        """
        for key, name in [("target", target), *(("columns", name) for name in columns or [])]:
            if name not in self.header:
                known = ", ".join(self.header[:20]) + (", ..." if len(self.header) > 20 else "")
                raise UserError(
                    f"{self.path} has no column {name!r} (data.{key}).{nearest(name, self.header)} It has: {known}"
                )
        inputs = list(columns) if columns is not None else [name for name in self.header if name != target]
        if not inputs:
            raise UserError(f"{self.path} has no column but the target {target!r}, expected at least one input")
        return inputs

    def matrix(self, columns: Sequence[tuple[str, Remedies]]) -> NDArray[np.float64]:
        """Columns of numbers by name, `[rows, columns]`.

        Raises:
            UserError: some hold something else; all of these are told.
        """
        read, wrong = [], []
        for name, remedies in columns:
            try:
                read.append(self.numbers(name, remedies))
            except ColumnError as error:
                wrong.append(error)
        if len(wrong) == 1:
            raise wrong[0]
        if wrong:
            told = [f"{self.path}: {len(wrong)} of {len(columns)} columns cannot be used as they are:"]
            for remedy in dict.fromkeys(each.remedy for each in wrong):
                alike = [each.told for each in wrong if each.remedy == remedy]
                more = [f"and {len(alike) - MOST_TOLD} more"] if len(alike) > MOST_TOLD else []
                told += [f"  {each}" for each in [*alike[:MOST_TOLD], *more, f"  {remedy}"]]
            raise UserError("\n".join(told))
        return np.stack(read, axis=1)

    def classes(self, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """A column of classes: labels `[rows]`, and the names that they number, in order (of numbers, where all are).

        Raises:
            UserError: the values are no classes: fractions, all alike, or mostly different.
        """
        cells = self._named_alike(name, self.texts(name))
        classes = class_order(cells)
        if len(classes) == 1:
            raise UserError(
                f"{self.path}: the target column {name!r} is {cells[0]!r} in every row, "
                "so there is nothing to learn; choose another data.target"
            )
        if 2 * len(classes) > self.rows:
            raise UserError(
                f"{self.path}: the target column {name!r} has {len(classes)} different values in {self.rows} rows, "
                "expected classes of several rows each; to predict a number use data=table"
            )
        position = {each: number for number, each in enumerate(classes)}
        return np.array([position[cell] for cell in cells]), classes

    def _named_alike(self, name: str, cells: list[str]) -> list[str]:
        """The same class under the same name: True and true, 1 and 1.0."""
        if all(cell.lower() in BOOLEANS for cell in cells):
            return [cell.lower() for cell in cells]
        if not all(is_number(cell) for cell in cells):
            return cells
        for row, cell in enumerate(cells):
            if not (math.isfinite(float(cell)) and float(cell).is_integer()):
                raise UserError(
                    f"{self.path}: column {name!r}, {self.place(row)}: {cell!r} is no class, expected texts, whole "
                    "numbers or booleans; to predict a number use data=table"
                )
        return [str(int(cell) if re.fullmatch(r"[+-]?\d+", cell) else int(float(cell))) for cell in cells]

    def missing(self, name: str, rows: Sequence[int], cell: str, remedies: Remedies) -> ColumnError:
        """What to say of cells without a value."""
        further = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        told = f"column {name!r}, {self.place(rows[0])}: the value is missing ({cell!r}){further}"
        return ColumnError(self.path, told, remedies.missing)

    def finite(self, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers, refused where one is infinite (as a text too large for float64 is)."""
        infinite = np.flatnonzero(~np.isfinite(numbers))
        if len(infinite):
            where = f"column {name!r}, {self.place(int(infinite[0]))}"
            raise ColumnError(
                self.path, f"{where}: the value is not finite in float64", "remove the row or correct the value"
            )
        return numbers


def is_number(cell: str) -> bool:
    """Whether a text is a number as tables write them."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # float("1_000") is a number in Python and in no table


def advice(cell: str, remedies: Remedies) -> str:
    """What to do about a text in a column of numbers."""
    if cell.lower() in BOOLEANS:
        return "a column of booleans must hold nothing but true and false"
    if is_number(cell.replace(",", ".", 1)):
        return "write decimals with a point"
    if is_number(cell.replace(",", "").replace("_", "").replace(" ", "").replace("'", "")):
        return "write numbers without thousands separators"
    return remedies.text
