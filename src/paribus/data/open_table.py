"""Opening a table, whatever its format."""

from pathlib import Path

from paribus.data.csv_file import CsvFile
from paribus.data.parquet_file import ParquetFile
from paribus.data.table_file import TableFile
from paribus.errors import UserError, nearest

FORMATS: dict[str, type[CsvFile] | type[ParquetFile]] = {
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".txt": CsvFile,
    ".parquet": ParquetFile,
    ".pq": ParquetFile,
}


def open_table(path: Path) -> TableFile:
    """The table in a file that ends in .csv, .tsv, .txt, .parquet or .pq.

    Raises:
        UserError: the file is missing, empty or malformed.
    """
    if not path.is_file():
        raise UserError(_missing_file(path))
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"data.path={path}: a file of type {path.suffix!r}, expected one of {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty, expected a header and rows")
    return FORMATS[path.suffix.lower()](path)


def check_columns(columns: list[str] | None, target: str) -> None:
    """Refuse, with a ValueError, a list of inputs that is empty, repeats a name or contains the target."""
    if columns is None:
        return
    if not columns:
        raise ValueError("columns is [], expected names of input columns, or null for all but the target")
    if target in columns:
        raise ValueError(f"columns contains the target {target!r}, expected input columns only")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise ValueError(f"columns names {', '.join(map(repr, repeated))} more than once, expected each name once")


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
