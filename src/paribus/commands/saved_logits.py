"""Logits saved by any program: an .npz or a CSV file, checked before anything is computed from it."""

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.calibrators import ValidationLogits
from paribus.errors import UserError, nearest

KEYS = ("logits", "labels", "val_logits", "val_labels")
EXPECTED = (
    "expected an .npz with logits [n, classes] and labels [n], and val_logits and val_labels for the validation part; "
    "or a CSV with a column label, a column for each class's logit, and a column part that says test or validation"
)
PARTS = ("test", "validation")
FEW_ROWS = 10
"""Of fewer, nothing is concluded from what they happen to look like."""
MOST_SHARED = 0.5
"""Coarse logits coincide by chance, so some may."""


@dataclass(frozen=True)
class SavedLogits:
    """What a file holds.

    Attributes:
        logits: of the test part, `[n, classes]`, float64, finite.
        label: `[n]`, from 0 to classes - 1.
        validation: what calibrators may be fitted on, if the file has it.
        classes: names of the classes; their numbers where the file has none.
    """

    logits: Tensor
    label: Tensor
    validation: ValidationLogits | None
    classes: tuple[str, ...]


def read_logits(path: Path) -> SavedLogits:
    """Read and check a file.

    Raises:
        UserError: the file cannot be used: what is wrong, where, and what is expected.
    """
    readers = {".npz": _read_npz, ".csv": _read_csv}
    if not path.is_file():
        names = [each.name for each in path.absolute().parent.glob("*") if each.suffix in readers]
        raise UserError(f"{path}: there is no such file; {EXPECTED}.{nearest(path.name, names)}")
    if path.suffix.lower() not in readers:
        raise UserError(f"{path}: a file of type {path.suffix!r}; {EXPECTED}")
    arrays, classes = readers[path.suffix.lower()](path)
    parts = {}
    for part, prefix in (("test", ""), ("validation", "val_")):
        given = [name for name in (f"{prefix}logits", f"{prefix}labels") if name in arrays]
        if len(given) == 1:
            raise UserError(f"{path} has {given[0]} and not the other of {prefix}logits and {prefix}labels; {EXPECTED}")
        if given:
            parts[part] = _checked(path, prefix, arrays[f"{prefix}logits"], arrays[f"{prefix}labels"])
    if "test" not in parts:
        raise UserError(f"{path} has no test part; {EXPECTED}")
    logits, label = parts["test"]
    if "validation" not in parts:
        return SavedLogits(logits, label, None, _names(classes, logits))
    validation = ValidationLogits(*parts["validation"])
    if validation.logits.shape[1] != logits.shape[1]:
        raise UserError(
            f"{path}: logits has {logits.shape[1]} classes and val_logits {validation.logits.shape[1]}; "
            "expected as many in both"
        )
    shared = _shared_rows(logits, validation.logits)
    if shared > MOST_SHARED:
        raise UserError(
            f"{path}: {shared:.0%} of the rows of logits are rows of val_logits too; a calibrator that is fitted on "
            "the examples that judge it looks better than it is. Hold other examples out"
        )
    return SavedLogits(logits, label, validation, _names(classes, logits))


def _shared_rows(logits: Tensor, others: Tensor) -> float:
    """The share of the different rows of `logits` that are rows of `others` too."""
    rows, known = ({hash(row.tobytes()) for row in part.numpy()} for part in (logits, others))
    return len(rows & known) / len(rows) if len(rows) >= FEW_ROWS else float(rows == known)


def _names(classes: Sequence[str], logits: Tensor) -> tuple[str, ...]:
    return tuple(classes) or tuple(str(number) for number in range(logits.shape[1]))


def _checked(path: Path, prefix: str, logits: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """A part's logits and labels as tensors, or what is wrong with them."""
    name = f"{path}: {prefix}logits"
    values, label = np.asarray(logits), np.asarray(labels)
    if values.dtype.kind not in "fiu" or values.ndim not in (1, 2):
        raise UserError(f"{name} is {values.dtype} of shape {values.shape}, expected numbers [n, classes]")
    if values.size == 0:
        raise UserError(f"{name} is of shape {values.shape}, expected at least one row and one class")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        place = tuple(int(each) for each in np.argwhere(~np.isfinite(values))[0])
        raise UserError(f"{name}{list(place)} is {values[place]}, expected finite numbers")
    single = values.ndim == 1 or values.shape[1] == 1
    if len(values) >= FEW_ROWS and values.min() >= 0 and _are_probabilities(values, single):
        raise UserError(
            f"{name}: {'every number is from 0 to 1' if single else 'each row sums to 1'}, so these are probabilities; "
            f"save {'log(p / (1 - p))' if single else 'their logarithm'} as logits"
        )
    if single:  # the one logit of a binary classifier: of class 1 against class 0
        values = np.stack([np.zeros(len(values)), values.reshape(len(values))], axis=1)
    if label.ndim != 1 or len(label) != len(values):
        raise UserError(
            f"{path}: {prefix}labels is of shape {label.shape}, expected [{len(values)}]: the class of each row"
        )
    if label.dtype.kind not in "fiub" or not (label == np.floor(label)).all():
        raise UserError(
            f"{path}: {prefix}labels is {label.dtype}, expected whole numbers from 0 to {values.shape[1] - 1}"
        )
    if label.min() < 0 or label.max() >= values.shape[1]:
        wrong = label.min() if label.min() < 0 else label.max()
        raise UserError(f"{path}: {prefix}labels has {wrong:g}, expected classes from 0 to {values.shape[1] - 1}")
    return torch.from_numpy(values), torch.from_numpy(label.astype(np.int64))


def _are_probabilities(values: NDArray[np.float64], single: bool) -> bool:
    return bool(values.max() <= 1) if single else bool(np.allclose(values.sum(axis=1), 1, atol=1e-4))


def _read_npz(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        if not zipfile.is_zipfile(path):
            raise UserError(f"{path} is no .npz file; {EXPECTED}")
        with np.load(path, allow_pickle=False) as file:
            unknown = [name for name in file.files if name not in KEYS]
            arrays = {name: file[name] for name in file.files if name in KEYS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}; {EXPECTED}") from None
    if "logits" not in arrays or "labels" not in arrays:
        near = "".join(nearest(name, unknown) for name in ("logits", "labels") if name not in arrays)
        raise UserError(f"{path} has {', '.join([*arrays, *unknown]) or 'nothing'}; {EXPECTED}.{near}")
    return arrays, ()


def _read_csv(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}; {EXPECTED}") from None
    if len(rows) < 2:
        raise UserError(f"{path} has no rows; {EXPECTED}")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if "label" not in header:
        raise UserError(f"{path} has no column label; {EXPECTED}.{nearest('label', header)}")
    if "" in header or len(set(header)) < len(header):
        wrong = next(name for name in header if not name or header.count(name) > 1)
        raise UserError(
            f"{path}: {f'several columns are named {wrong!r}' if wrong else 'a column has no name'}; give each its "
            "own, and leave out what is neither label, part nor a logit (of pandas: to_csv(index=False))"
        )
    if short := next((number for number, row in enumerate(body, 2) if len(row) != len(header)), None):
        raise UserError(f"{path}, line {short}: expected {len(header)} fields, as in the header")
    at, part_at = header.index("label"), header.index("part") if "part" in header else None
    columns = [place for place, name in enumerate(header) if place not in (at, part_at)]
    classes = tuple(header[place] for place in columns)
    if not classes:
        raise UserError(f"{path} has no column of logits; {EXPECTED}")
    values = np.array([[_number(path, line, row[place]) for place in columns] for line, row in enumerate(body, 2)])
    by_name = len(classes) > 1 and {row[at].strip() for row in body} <= set(classes)
    label = np.array(
        [
            classes.index(row[at].strip()) if by_name else _number(path, line, row[at])
            for line, row in enumerate(body, 2)
        ]
    )
    part = np.array([PARTS[0] if part_at is None else row[part_at].strip() for row in body])
    if unknown := sorted({str(each) for each in part} - set(PARTS)):
        raise UserError(f"{path}: part is {unknown[0]!r}, expected test or validation.{nearest(unknown[0], PARTS)}")
    arrays: dict[str, NDArray[Any]] = {}
    for name, prefix in zip(PARTS, ("", "val_"), strict=True):
        if (part == name).any():
            arrays |= {f"{prefix}logits": values[part == name], f"{prefix}labels": label[part == name]}
    return arrays, classes if len(classes) > 1 else ()


def _number(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{path}, line {line}: {text!r} is not a number; {EXPECTED}") from None
