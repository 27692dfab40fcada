"""Examples to predict, read from a file or a folder: as the run that predicts them had its own."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paribus.data.classification import ClassificationData, RawImages
from paribus.data.contract import InMemoryData
from paribus.data.image_folder import ImageFolder, read_image
from paribus.data.open_table import FORMATS, open_table
from paribus.data.table_file import GIVEN, ColumnError, TableFile
from paribus.errors import UserError, nearest
from paribus.model import check_columns
from paribus.study.files import IMAGES

KEY = "x"
"""Name of the array in an .npz file."""
MOST_SHOWN = 10


def read_inputs(path: Path, data: InMemoryData) -> tuple[pd.DataFrame, NDArray[Any]]:
    """What identifies each example, and the inputs `[n, *shape]` in the units of the data's source.

    Args:
        path: a CSV or Parquet file that has the data's columns by name, all of whose columns are kept; an .npz file
            with an array `x`; or, for images, a folder of them.
        data: of the run.

    Raises:
        UserError: there is no such file, or it is not of the kind that the run was trained on.
    """
    if path.is_dir():
        return _images(path, data)
    if not path.is_file():
        near = nearest(path.name, [each.name for each in path.absolute().parent.glob("*")])
        raise UserError(f"--input {path}: there is no such file or folder.{near}")
    if path.suffix.lower() == ".npz":
        inputs = _array(path)
        return pd.DataFrame({"row": np.arange(len(inputs))}), inputs
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"--input {path}: expected {', '.join(FORMATS)}, .npz, or a folder of images")
    file = open_table(path)
    check_columns(str(path), file.header, data.input_names, data.in_shape)
    inputs = file.matrix([(name, GIVEN) for name in data.input_names])
    _tell_of_unused(file, [name for name in file.header if name not in data.input_names])
    return pd.DataFrame({name: file.cells(name) for name in file.header}), inputs


def _tell_of_unused(file: TableFile, others: Sequence[str]) -> None:
    """Name the columns of numbers that the prediction leaves aside: one may be a category that training never saw."""
    unused = []
    for name in others:
        with suppress(ColumnError):
            file.numbers(name, GIVEN)
            unused.append(name)
    if unused:
        shown = ", ".join(unused[:MOST_SHOWN]) + (", ..." if len(unused) > MOST_SHOWN else "")
        print(f"{file.path}: the run was trained without these columns and does not use them: {shown}", file=sys.stderr)


def _array(path: Path) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if KEY not in file.files:
                raise UserError(f"{path} has {', '.join(file.files) or 'nothing'}, expected an array {KEY} [n, ...]")
            return file[KEY]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as .npz: {error}") from None


def _images(folder: Path, data: InMemoryData) -> tuple[pd.DataFrame, NDArray[Any]]:
    """The images in a folder and those below it, by name."""
    if not (isinstance(data, ClassificationData) and isinstance(data.raw, RawImages)):
        raise UserError(
            f"--input {folder} is a folder, and the run was trained on a table of {', '.join(data.input_names)}; "
            "expected a CSV or Parquet file"
        )
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in IMAGES)
    files = [each for each in files if not each.name.startswith(".")]
    if not files:
        raise UserError(f"--input {folder} has no images, expected {', '.join(IMAGES)}")
    channels, height, width = data.in_shape
    size = data.size if isinstance(data, ImageFolder) else None
    images = []
    for file in files:
        image = read_image(file, "grey" if channels == 1 else "rgb", size)
        if image.shape != data.in_shape:
            raise UserError(
                f"{file} has {image.shape[1]} x {image.shape[2]} pixels, and the run was trained on images of "
                f"{height} x {width}; resize it"
            )
        images.append(image * (data.raw.peak / 255))
    return pd.DataFrame({"file": [str(each.relative_to(folder)) for each in files]}), np.stack(images)
