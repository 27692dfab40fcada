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
    path.write_text("weight,kind,size\n" + "".join(f"{row},{cell},{row**2}\n" for row, cell in enumerate(cells)))
    return path


def write_parquet(folder: Path, kind: pa.Array) -> Path:
    rows = np.arange(len(kind), dtype=np.float64)
    pq.write_table(pa.table({"weight": rows, "kind": kind, "size": rows**2}), folder / "fruit.parquet")
    return folder / "fruit.parquet"


def data(path: Path, **changes) -> LabelledTable:
    arguments = {
        "path": str(path), "target": "kind", "columns": None, "test_fraction": 0.25, "validation_fraction": 0.25,
        "batch_size": 4, "input_scaling": "standard",
    }  # fmt: skip
    data = LabelledTable(**(arguments | changes), label_noise=LabelNoise(0.0, "symmetric"), seed=0)
    data.setup()
    return data


CSV = {
    "text": (["pear", " apple", "pear", "apple "] * 2, ("apple", "pear"), [1, 0, 1, 0] * 2),
    "quoted": (['"fig, dried"', "apple"] * 4, ("apple", "fig, dried"), [1, 0] * 4),
    "whole": (["10", "9", "-2", "9.0", "10", "+9", "-2", "1e1"], ("-2", "9", "10"), [2, 1, 0, 1, 2, 1, 0, 2]),
    "boolean": (["True", "false", "TRUE", "False"] * 2, ("false", "true"), [1, 0, 1, 0] * 2),
    "number_and_text": (["1", "unknown", "2", "1.0"] * 2, ("1", "1.0", "2", "unknown"), [0, 3, 2, 1] * 2),
    "none_is_a_word": (["none", "mild"] * 4, ("mild", "none"), [1, 0] * 4),
    "large": (["9007199254740993", "9007199254740992"] * 4, ("9007199254740992", "9007199254740993"), [1, 0] * 4),
}


@pytest.mark.parametrize("name", CSV)
def test_classes_of_a_csv_file(tmp_path: Path, name: str) -> None:
    cells, classes, label = CSV[name]
    raw = data(write_csv(tmp_path, cells), validation_fraction=0.0).raw
    assert raw.classes == classes
    assert raw.label.tolist() == label
    np.testing.assert_array_equal(raw.inputs, [[row, row**2] for row in range(len(cells))])
    assert raw.input_names == ("weight", "size")


PARQUET = {
    "text": (pa.array(["pear", "apple"] * 4), ("apple", "pear"), [1, 0] * 4),
    "large_text": (pa.array(["pear", "apple"] * 4, pa.large_string()), ("apple", "pear"), [1, 0] * 4),
    "categories": (pa.array(["pear", "apple"] * 4).dictionary_encode(), ("apple", "pear"), [1, 0] * 4),
    "whole": (pa.array([10, 9] * 4, pa.int8()), ("9", "10"), [1, 0] * 4),
    "floating": (pa.array([10.0, 9.0] * 4), ("9", "10"), [1, 0] * 4),
    "boolean": (pa.array([True, False] * 4), ("false", "true"), [1, 0] * 4),
}


@pytest.mark.parametrize("name", PARQUET)
def test_classes_of_a_parquet_file(tmp_path: Path, name: str) -> None:
    kind, classes, label = PARQUET[name]
    raw = data(write_parquet(tmp_path, kind)).raw
    assert (raw.classes, raw.label.tolist()) == (classes, label)


def test_the_same_table_in_both_formats_is_the_same_data(tmp_path: Path) -> None:
    kinds = ["pear", "apple", "fig", "pear"] * 5
    first, second = data(write_csv(tmp_path, kinds)), data(write_parquet(tmp_path, pa.array(kinds)))
    assert first.pairing() == second.pairing()
    assert first.sizes() == {"train": 10, "validation": 5, "test": 5}
    assert first.facts() == {
        "in_features": 2, "in_shape": (2,), "out_features": 3, "out_shape": (3,), "examples": 10,
    }  # fmt: skip
    assert first.parts["train"]["y"].dtype == torch.int64
    assert first.replication == "resplit"


BAD = {
    "missing": (["a", "b", "", "b"] * 2, r"column 'kind', data row 3 \(file line 4\): the value is missing \(''\) and"),
    "missing_nan": (["a", "NaN", "a", "b"], r"the value is missing \('NaN'\)"),
    "fraction": (["1", "2.5", "1", "2"], r"data row 2 \(file line 3\): '2.5' is no class.* use data=table"),
    "infinite": (["1", "inf", "1", "2"], "'inf' is no class"),
    "constant": (["a"] * 8, "the target column 'kind' is 'a' in every row"),
    "different": ([str(number) for number in range(8)], "8 different values in 8 rows"),
    "alone": (["a"] * 7 + ["b"], r"fruit.csv: class 'b' has 1 example, too few"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_column_without_classes_is_told_why(tmp_path: Path, name: str) -> None:
    cells, words = BAD[name]
    with pytest.raises(UserError, match=words) as caught:
        data(write_csv(tmp_path, cells))
    assert "fruit.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (pa.array(["a", None, "b", "b"]), "column 'kind', data row 2: the value is missing"),
        (pa.array(["a", " ", "b", "b"]), "column 'kind', data row 2: the value is missing"),
        (pa.array([1.0, float("nan"), 2.0, 2.0]), "column 'kind', data row 2: the value is missing"),
        (pa.array([0.5, 1.0, 1.0, 2.0]), "'0.5' is no class"),
        (pa.array([[1], [2], [1], [2]]), "column 'kind' is of type list.*expected texts, whole numbers or booleans"),
    ],
)
def test_a_bad_parquet_column_is_told_where(tmp_path: Path, kind: pa.Array, words: str) -> None:
    with pytest.raises(UserError, match=words):
        data(write_parquet(tmp_path, kind))


def test_other_mistakes_are_those_of_every_table(tmp_path: Path) -> None:
    path = write_csv(tmp_path, ["a", "b"] * 4)
    with pytest.raises(UserError, match=r"has no column 'kinds' \(data.target\). Did you mean 'kind'"):
        data(path, target="kinds")
    with pytest.raises(UserError, match=r"data.path=.*there is no such file.* Did you mean 'fruit.csv'"):
        data(tmp_path / "fruits.csv")
    with pytest.raises(ValueError, match="columns contains the target 'kind'"):
        data(path, columns=["kind"])
    for cell, words in (("nan", "the value is missing"), ("heavy", "'heavy' is no number; encode text")):
        path.write_text(f"weight,kind\n1,a\n{cell},b\n3,a\n4,b\n")
        with pytest.raises(UserError, match=rf"column 'weight', data row 2 \(file line 3\): {words}"):
            data(path)
