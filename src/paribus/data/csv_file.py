"""A table in CSV: UTF-8 with a header, separated by commas, semicolons or tabs."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.table_file import (
    BOOLEANS,
    CLASS,
    MISSING,
    NO_CLASS,
    ColumnError,
    Remedies,
    TableFile,
    advice,
    is_number,
)
from paribus.errors import UserError


class CsvFile(TableFile):
    """A CSV file, read and cut into cells.

    Args:
        path: an existing file.

    Raises:
        UserError: it is empty, malformed or no text.
    """

    def __init__(self, path: Path) -> None:
        text = _decode(path)
        delimiter = _delimiter(text)
        lines, cells = _cut(path, text, delimiter)
        if not cells:
            raise UserError(f"{path}: the file has only blank lines, expected a header and rows")
        header = [name.strip() for name in cells[0]]
        _check_header(path, header)
        self._lines, self._cells = lines[1:], cells[1:]
        if not self._cells:
            raise UserError(f"{path}: a header and no rows")
        for number, row in enumerate(self._cells):
            if len(row) != len(header):
                raise UserError(
                    f"{path}: {self.place(number)} has {len(row)} fields, expected {len(header)} as in the header, "
                    f"separated by {delimiter!r}"
                )
        super().__init__(path, header, len(self._cells))

    def place(self, row: int) -> str:
        """By number, and by line of the file."""
        return f"data row {row + 1} (file line {self._lines[row]})"

    def numbers(self, name: str, remedies: Remedies) -> NDArray[np.float64]:
        """A column of texts as finite numbers; a column of nothing but true and false as 1 and 0."""
        cells = self._column(name, MISSING, remedies)
        if all(cell.lower() in BOOLEANS for cell in cells):
            return np.array([BOOLEANS[cell.lower()] for cell in cells])
        for row, cell in enumerate(cells):
            if not is_number(cell):
                told = f"column {name!r}, {self.place(row)}: {cell!r} is no number"
                raise ColumnError(self.path, told, advice(cell, remedies))
        return self.finite(name, np.array([float(cell) for cell in cells]))

    def texts(self, name: str) -> list[str]:
        """A column as it is written."""
        return self._column(name, NO_CLASS, CLASS)

    def cells(self, name: str) -> list[str]:
        """A column of texts, without blanks around them."""
        at = self.header.index(name)
        return [row[at].strip() for row in self._cells]

    def _column(self, name: str, missing: frozenset[str], remedies: Remedies) -> list[str]:
        cells = self.cells(name)
        empty = [row for row, cell in enumerate(cells) if cell.lower() in missing]
        if empty:
            raise self.missing(name, empty, cells[empty[0]], remedies)
        return cells


def _cut(path: Path, text: str, delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The rows of a text, header and all, and the line of the file on which each ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():  # a blank line is no row, but separators alone are one
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise UserError(f"{path}, file line {reader.line_num}: {error}") from None
    return lines, rows


def _decode(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path} is in UTF-16, expected UTF-8; save it as 'CSV UTF-8'")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, file line {line}: not UTF-8; save it as 'CSV UTF-8'") from None
    if "\0" in text:
        raise UserError(f"{path} is not text, expected CSV in UTF-8")
    return text


def _delimiter(text: str) -> str:
    """The separator that cuts the first line which is not blank into most fields; a comma where none does."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


def _check_header(path: Path, header: Sequence[str]) -> None:
    if all(is_number(name) for name in header):
        raise UserError(
            f"{path}: the first line holds only numbers ({', '.join(header[:4])}, ...); "
            "the first line must name the columns"
        )
    for position, name in enumerate(header, start=1):
        if not name:
            raise UserError(
                f"{path}: column {position} has no name; name it in the first line, or remove the column "
                "(pandas writes its index like this: to_csv(..., index=False) does not)"
            )
