"""Reading a table of numbers from CSV or Parquet, with answers that name the cell that is wrong."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.regression import RawTable
from paribus.errors import UserError, nearest

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"})
BOOLEANS = {"false": 0.0, "true": 1.0}

Place = Callable[[int], str]
"""Says where row number i (from 0) is to be found."""


def read_table(path: Path, target: str, columns: Sequence[str] | None) -> RawTable:
    """The inputs and the target of a file.

    Args:
        path: ends in .csv, .tsv, .txt, .parquet or .pq.
        target: name of the target column.
        columns: names of the input columns; None for all but the target.

    Raises:
        UserError: the file is missing, empty or malformed, a column is unknown, or a cell is no finite number.
    """
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".txt": _read_csv, ".parquet": _read_parquet, ".pq": _read_parquet}
    if not path.is_file():
        raise UserError(_missing_file(path))
    if path.suffix.lower() not in readers:
        raise UserError(f"data.path={path}: a file of type {path.suffix!r}, expected one of {', '.join(readers)}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty, expected a header and rows of numbers")
    return readers[path.suffix.lower()](path, target, columns)


def _missing_file(path: Path) -> str:
    """What to say of a path that is no file."""
    if path.is_dir():
        return f"data.path={path}: a folder, expected a CSV or Parquet file"
    if not path.parent.is_dir():
        return (
            f"data.path={path}: there is no such file, and no folder {path.parent} "
            f"(the working directory is {Path.cwd()})"
        )
    near = nearest(path.name, [file.name for file in path.parent.iterdir() if file.is_file()])
    return f"data.path={path}: there is no such file, expected a CSV or Parquet file.{near}"


def _choose(path: Path, header: Sequence[str], target: str, columns: Sequence[str] | None) -> list[str]:
    """Names of the inputs, then of the target, once the header is known to be sound."""
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise UserError(f"{path}: several columns are named {', '.join(map(repr, repeated))}; give each its own name")
    for key, name in [("target", target), *(("columns", name) for name in columns or [])]:
        if name not in header:
            known = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
            raise UserError(f"{path} has no column {name!r} (data.{key}).{nearest(name, header)} It has: {known}")
    inputs = list(columns) if columns is not None else [name for name in header if name != target]
    if not inputs:
        raise UserError(f"{path} has no column but the target {target!r}, expected at least one input")
    return [*inputs, target]


def _to_table(values: Sequence[NDArray[np.float64]], names: Sequence[str]) -> RawTable:
    return RawTable(np.stack(values[:-1], axis=1), values[-1], tuple(names[:-1]), names[-1])


# CSV


def _read_csv(path: Path, target: str, columns: Sequence[str] | None) -> RawTable:
    text = _decode(path)
    delimiter = _delimiter(text)
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
    if not rows:
        raise UserError(f"{path}: the file has only blank lines, expected a header and rows of numbers")
    header, rows, lines = [name.strip() for name in rows[0]], rows[1:], lines[1:]
    _check_header(path, header)
    if not rows:
        raise UserError(f"{path}: a header and no rows")

    def place(row: int) -> str:
        return f"data row {row + 1} (file line {lines[row]})"

    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise UserError(
                f"{path}: {place(number)} has {len(row)} fields, expected {len(header)} as in the header, "
                f"separated by {delimiter!r}"
            )
    names = _choose(path, header, target, columns)
    positions = [header.index(name) for name in names]
    return _to_table(
        [
            _numbers(path, name, [row[at].strip() for row in rows], place)
            for name, at in zip(names, positions, strict=True)
        ],
        names,
    )


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
    if all(_is_number(name) for name in header):
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


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # float("1_000") is a number in Python and in no table


def _numbers(path: Path, name: str, cells: Sequence[str], place: Place) -> NDArray[np.float64]:
    """A column of texts as finite numbers; a column of nothing but true and false as 1 and 0."""
    missing = [row for row, cell in enumerate(cells) if cell.lower() in MISSING]
    if missing:
        raise UserError(_missing_cells(path, name, missing, place, cells[missing[0]]))
    if all(cell.lower() in BOOLEANS for cell in cells):
        return np.array([BOOLEANS[cell.lower()] for cell in cells])
    for row, cell in enumerate(cells):
        if not _is_number(cell):
            raise UserError(f"{path}: column {name!r}, {place(row)}: {cell!r} is no number{_advice(cell)}")
    return _finite(path, name, np.array([float(cell) for cell in cells]), place)


def _advice(cell: str) -> str:
    """What to do about a text in a column of numbers."""
    if cell.lower() in BOOLEANS:
        return "; a column of booleans must hold nothing but true and false"
    if _is_number(cell.replace(",", ".", 1)):
        return "; write decimals with a point"
    if _is_number(cell.replace(",", "").replace("_", "").replace(" ", "").replace("'", "")):
        return "; write numbers without thousands separators"
    return "; encode text as numbers (one 0/1 column a category), or name the inputs in data.columns and leave it out"


# Parquet


def _read_parquet(path: Path, target: str, columns: Sequence[str] | None) -> RawTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is no Parquet file: {error}") from None
    names = _choose(path, [str(name) for name in file.schema_arrow.names], target, columns)
    table = file.read(columns=names)
    if table.num_rows == 0:
        raise UserError(f"{path}: no rows")

    def place(row: int) -> str:
        return f"data row {row + 1}"

    values = []
    for name in names:
        column = table.column(name)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise UserError(
                f"{path}: column {name!r} is of type {kind}, expected numbers or booleans; first value, "
                f"{place(0)}: {column[0].as_py()!r}{_advice('')}"
            )
        missing = np.flatnonzero(column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)).tolist()
        if missing:
            raise UserError(_missing_cells(path, name, missing, place, "null"))
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        values.append(_finite(path, name, numbers, place))
    return _to_table(values, names)


# both


def _missing_cells(path: Path, name: str, missing: Sequence[int], place: Place, cell: str) -> str:
    """What to say of cells without a value."""
    further = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"{path}: column {name!r}, {place(missing[0])}: the value is missing ({cell!r}){further}; remove such rows "
        "or fill them in the file, or name the inputs in data.columns and leave the column out"
    )


def _finite(path: Path, name: str, numbers: NDArray[np.float64], place: Place) -> NDArray[np.float64]:
    """The numbers, refused where one is infinite (as a text too large for float64 is)."""
    infinite = np.flatnonzero(~np.isfinite(numbers))
    if len(infinite):
        raise UserError(
            f"{path}: column {name!r}, {place(int(infinite[0]))}: the value is not finite in float64; "
            "remove the row or correct the value"
        )
    return numbers
