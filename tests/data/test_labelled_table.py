"""Tables with a column of classes: how these are named and ordered, and what is said of a column that has none."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from paribus.data import LabelledTable, LabelNoise
from paribus.errors import UserError


def write_csv(folder: Path, cells: list[str], name: str = "fruit.csv") -> Path:
    path = folder / name
    for cell, words in (("nan", "the value is missing"), ("heavy", "'heavy' is no number; encode text")):
        path.write_text(f"weight,kind\n1,a\n{cell},b\n3,a\n4,b\n")
        with pytest.raises(UserError, match=rf"column 'weight', data row 2 \(file line 3\): {words}"):
            data(path)
