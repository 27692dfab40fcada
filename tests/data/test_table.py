"""CSV and Parquet files, good and bad: the numbers that are read, and what is said of a file that cannot be used."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from paribus.data import Contamination, Table
from paribus.data.table import read_table
from paribus.errors import UserError

GOOD = "a,b,price\n1,2.5,10\n-3e2,.5,11\n4, 6 ,12.25\n"


def write(folder: Path, content: str | bytes, name: str = "houses.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes, columns: list[str] | None = None, target: str = "price"):
    return read_table(write(folder, content), target, columns)


def data(path: Path, seed: int = 0, **changes) -> Table:
    arguments = {
        "path": str(path), "target": "price", "columns": None, "test_fraction": 0.25, "validation_fraction": 0.25,
        "batch_size": 4, "input_scaling": "standard", "target_scaling": "standard",
    }  # fmt: skip
    return Table(**(arguments | changes), contamination=Contamination(0.0, 0.0, "one", "random"), seed=seed)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\n" + GOOD.replace("\n", "\n\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.rstrip("\n"),
        '"a","b","price"\n"1","2.5","10"\n"-300","0.5","11"\n4,6,12.25',
    ],
    ids=["plain", "blank_lines", "bom", "crlf", "cr", "semicolon", "tab", "no_last_newline", "quoted"],
)
def test_the_same_numbers_however_they_are_written(tmp_path: Path, content: str) -> None:
    table = read(tmp_path, content)
    np.testing.assert_array_equal(table.inputs, [[1, 2.5], [-300, 0.5], [4, 6]])
    np.testing.assert_array_equal(table.target, [10, 11, 12.25])
    assert (table.input_names, table.target_name) == (("a", "b"), "price")


def test_columns_choose_inputs_and_their_order_and_skip_text(tmp_path: Path) -> None:
    table = read(tmp_path, "name,a,price,b\nx,1,2,3\ny,4,5,6\n", columns=["b", "a"])
    np.testing.assert_array_equal(table.inputs, [[3, 1], [6, 4]])
    assert table.input_names == ("b", "a")


def test_booleans_are_zero_and_one(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, "a,price\nTrue,1\nfalse,2\nTRUE,3\n").inputs[:, 0], [1, 0, 1])


BAD = {
    "missing": ("a,price\n1,2\n,3\n,4\n", r"column 'a', data row 2 \(file line 3\): .* missing \(''\) and 1 more"),
    "missing_na": ("a,price\n1,2\nNA,3\n", r"the value is missing \('NA'\); remove such rows or fill"),
    "missing_nan": ("a,price\n1,nan\n", r"column 'price', data row 1 \(file line 2\): the value is missing"),
    "separators_only": ("a,price\n1,2\n,\n", r"data row 2 \(file line 3\): the value is missing"),
    "after_blank_lines": ("a,price\n1,2\n\n\nx,3\n", r"column 'a', data row 2 \(file line 5\): 'x' is no number"),
    "after_a_long_cell": ('a,price\n"1\n",2\nw,3\n', r"data row 2 \(file line 4\): 'w' is no number; encode text"),
    "text": ("a,price\nred,2\n", "'red' is no number; encode text as numbers .* or name the inputs in data.columns"),
    "text_target": ("a,price\n1,yes\n", "'yes' is no number; this is the target: .* family=classification data=lab"),
    "missing_target": ("a,price\n1,\n", r"the value is missing \(''\); this is the target: remove such rows$"),
    "decimal_comma": ("a;price\n1,5;2\n", "'1,5' is no number; write decimals with a point"),
    "thousands": ('a,price\n"1,000,000",2\n', "without thousands separators"),
    "underscore": ("a,price\n1_000,2\n", "without thousands separators"),
    "mixed_booleans": ("a,price\ntrue,2\n0,3\n", "'true' is no number; a column of booleans must hold nothing but"),
    "infinite": ("a,price\n1,2\n-inf,3\n", r"column 'a', data row 2 \(file line 3\): the value is not finite"),
    "too_large": ("a,price\n1e999,2\n", "the value is not finite in float64"),
    "duplicates": ("a,a,price\n1,2,3\n", "several columns are named 'a'"),
    "unnamed": (",a,price\n0,2,3\n", r"column 1 has no name; .*index=False"),
    "trailing_comma": ("a,price,\n1,2,\n", "column 3 has no name"),
    "no_header": ("1,2,3\n4,5,6\n", r"the first line holds only numbers \(1, 2, 3, ...\)"),
    "ragged": ("a,price\n1,2\n3,4,5\n", r"data row 2 \(file line 3\) has 3 fields, expected 2 as in the header"),
    "short": ("a,b,price\n1,2\n", "has 2 fields, expected 3"),
    "empty": ("", "the file is empty"),
    "blank": ("\n \n\n", "only blank lines"),
    "header_only": ("a,price\n", "a header and no rows"),
    "unknown_target": ("a,prize\n1,2\n", r"no column 'price' \(data.target\). Did you mean 'prize'\? It has: a, prize"),
    "target_only": ("price\n1\n2\n", "no column but the target 'price'"),
    "utf16": ("a,price\n1,2\n".encode("utf-16"), "UTF-16, expected UTF-8"),
    "latin1": ("a,price\n1,2\né,3\n".encode("latin-1"), "file line 3: not UTF-8"),
    "binary": (b"a,price\n1,\x00\n", "is not text"),
    "open_quote": ('a,price\n1,"2\n', "file line"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_csv_is_told_where_and_what_to_do(tmp_path: Path, name: str) -> None:
    content, words = BAD[name]
    with pytest.raises(UserError, match=words) as caught:
        read(tmp_path, content)
    assert "houses.csv" in str(caught.value)


def test_all_columns_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, "a;b;city;day;price\n1;70,5;Bonn;2024-05-01;?\n2;81,5;Ulm;2024-05-02;3\n")
    assert [line[:12] for line in str(caught.value).splitlines()[1:]] == [
        "  column 'b'", "    write de", "  column 'ci", "  column 'da", "    encode t", "  column 'pr", "    this is "
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"15 of 16 columns cannot be used[^;]*\n  and 5 more\n    encode text"):
        read(tmp_path, ",".join(f"c{i}" for i in range(15)) + ",price\n" + "x," * 15 + "1\n")


def test_an_unknown_input_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no column 'rooom' \(data.columns\). Did you mean 'room'\?"):
        read(tmp_path, "room,price\n1,2\n", columns=["rooom"])


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(
        UserError, match=r"data.path=.*house\.csv: there is no such file.* Did you mean 'houses\.csv'\?"
    ):
        read_table(tmp_path / "house.csv", "price", None)
    with pytest.raises(UserError, match=r"no folder .*elsewhere \(the working directory is"):
        read_table(tmp_path / "elsewhere" / "house.csv", "price", None)
    with pytest.raises(UserError, match="a folder, expected a CSV or Parquet file"):
        read_table(tmp_path, "price", None)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a file of type '\.xlsx', expected one of \.csv, "):
        read_table(write(tmp_path, "x", "houses.xlsx"), "price", None)


def write_parquet(folder: Path, columns: dict[str, pa.Array]) -> Path:
    pq.write_table(pa.table(columns), folder / "houses.parquet")
    return folder / "houses.parquet"


def test_parquet_gives_numbers_of_every_width_and_booleans(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path,
        {
            "a": pa.array([1, 2, 3], pa.int8()),
            "flag": pa.array([True, False, True]),
            "half": pa.array(np.array([0.5, 1.5, 2.5], np.float16)),
            "price": pa.array([1.0, 2.0, 4.0], pa.float32()),
            "name": pa.array(["x", "y", "z"]),
        },
    )
    table = read_table(path, "price", ["a", "flag", "half"])
    np.testing.assert_array_equal(table.inputs, [[1, 1, 0.5], [2, 0, 1.5], [3, 1, 2.5]])
    assert table.inputs.dtype == table.target.dtype == np.float64
    with pytest.raises(
        UserError, match=r"column 'name' is of type string, expected numbers or booleans.*'x'; encode text"
    ):
        read_table(path, "price", None)
    with pytest.raises(UserError, match="Did you mean 'price'"):
        read_table(path, "prices", None)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([1, None, None]), "column 'a', data row 2: the value is missing .* and 1 more"),
        (pa.array([1.0, 2.0, float("nan")]), "column 'a', data row 3: the value is missing"),
        (pa.array([True, None, False]), "column 'a', data row 2: the value is missing"),
        (pa.array([1.0, float("inf"), 2.0]), "column 'a', data row 2: the value is not finite"),
        (pa.array([None, None, None]), "column 'a' is of type null"),
        (pa.array([[1], [2], [3]]), "column 'a' is of type list"),
    ],
)
def test_a_bad_parquet_column_is_told_where(tmp_path: Path, column: pa.Array, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_table(write_parquet(tmp_path, {"a": column, "price": pa.array([1, 2, 3])}), "price", None)


def test_broken_or_empty_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no Parquet file"):
        read_table(write(tmp_path, "PAR1 nonsense", "houses.parquet"), "price", None)
    with pytest.raises(UserError, match="no rows"):
        read_table(
            write_parquet(tmp_path, {"a": pa.array([], pa.int8()), "price": pa.array([], pa.int8())}), "price", None
        )
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "price"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(UserError, match="several columns are named 'a'"):
        read_table(tmp_path / "twice.parquet", "price", None)


def test_csv_and_parquet_of_one_table_are_the_same_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=40), "b": rng.integers(0, 9, 40), "price": rng.normal(size=40)}
    lines = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True))]
    from_csv = data(write(tmp_path, "\n".join(lines)))
    from_parquet = data(write_parquet(tmp_path, {name: pa.array(values) for name, values in columns.items()}))
    from_csv.setup()
    from_parquet.setup()
    assert from_csv.pairing() == from_parquet.pairing()
    assert from_csv.sizes() == {"train": 20, "validation": 10, "test": 10}
    assert from_csv.replication == "resplit"


def test_a_constant_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"target column 'price' is 5 in every row"):
        data(write(tmp_path, "a,price\n1,5\n2,5\n3,5\n4,5\n")).setup()


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too few"):
        data(write(tmp_path, GOOD)).setup()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": []}, r"columns is \[\]"),
        ({"columns": ["a", "price"]}, "columns contains the target 'price'"),
        ({"columns": ["a", "b", "a"]}, "columns names 'a' more than once"),
    ],
)
def test_wrong_columns_are_named(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data(Path("any.csv"), **changes)


cells = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers().map(str),
    st.sampled_from(["", " ", "true", "NA", "1,5", '"', "'", "\n", "\t", ";", "é", "\0", "0x1f", "1e400", "\u2028"]),
    st.text(max_size=4),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(cells, max_size=4), max_size=6), st.sampled_from(",;\t"), st.booleans())
def test_any_file_is_read_as_finite_numbers_or_refused_by_name(
    tmp_path: Path, rows: list[list[str]], mark: str, header: bool
) -> None:
    lines = ([["a", "b", "price"]] if header else []) + rows
    path = write(tmp_path, "\n".join(mark.join(row) for row in lines).encode("utf-8", "replace"))
    try:
        table = read_table(path, "price", None)
    except UserError as refusal:
        told = str(refusal)
    else:
        told = f"{path} is read"
        assert table.inputs.shape == (len(table.target), len(table.input_names))
        assert np.isfinite(table.inputs).all()
        assert np.isfinite(table.target).all()
    assert "houses.csv" in told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1, max_size=8))
def test_every_finite_number_is_read_back_exactly(tmp_path: Path, rows: list[tuple[float, float, float]]) -> None:
    text = "\n".join(["a,b,price", *(",".join(map(repr, row)) for row in rows)])
    table = read(tmp_path, text)
    np.testing.assert_array_equal(np.column_stack([table.inputs, table.target]), rows)
