"""Results made elsewhere, read from CSV."""

import pytest

from paribus.errors import UserError
from paribus.study.factors import Metric
from paribus.study.outside import results_from_csv, study_of_csv
from paribus.study.parsing import parse_study

TABLE = """method, size, seed, mae, note
ours, 10, 0, 1.5, first
ours, 10, 1, 2.5,
theirs, 1e1, 0, 3.0,
theirs, 10, 1, 5.0,
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(TABLE)
    return path


def study(**changes):
    declared = {
        "question": "Which?",
        "factors": {"method": ["theirs", "ours"], "size": [10]},
        "replicate": {"seed": 2},
        "metrics": {"mae": {"direction": "minimise", "scale": "log"}},
    }
    return parse_study({**declared, **changes})


def test_a_table_is_paired_like_records(table):
    pairs = results_from_csv(table, study()).paired("mae", {"method": ("theirs",)}, {"method": ("ours",)})
    assert pairs.first_values == pytest.approx([3, 5])
    assert pairs.second_values == pytest.approx([1.5, 2.5])


def test_a_study_can_be_read_off_the_columns(table):
    read = study_of_csv(table, ["method", "size"], "seed", [Metric("mae", "minimise")])
    assert read.factor("method").levels == ("ours", "theirs")
    assert read.factor("size").levels == (10,)
    assert read.replicate.levels == (0, 1)
    assert results_from_csv(table, read).counts()[0].finished == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("method,", "methods,", "no column 'method'.*Did you mean 'methods'"),
        ("seed,", "sead,", "no column 'seed'.*Did you mean 'sead'"),
        ("mae,", "mea,", "no column 'mae'.*Did you mean 'mea'"),
        ("3.0,", "three,", "line 4 has 'three' for mae"),
        ("theirs, 1e1, 0", "theirs, 10, 1", "lines 4 and 5 answer for one cell"),
        ("first", "first, second", "line 2 has more entries"),
        (TABLE, "method, size, seed, mae\n", "has no rows"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(table, old, new, told):
    table.write_text(TABLE.replace(old, new))
    with pytest.raises(UserError, match=told):
        results_from_csv(table, study())


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        results_from_csv(tmp_path / "none.csv", study())


def test_outcomes_and_gaps(table):
    table.write_text(
        "method,size,seed,mae,calibrator,status\n"
        "ours,10,0,nan,none,\ntheirs,10,0,1,none,\nours,10,1,,none,failed\nother,10,0,1,none,\nours,10,0,7,odd,\n"
    )
    comparison = results_from_csv(table, study(within={"calibrator": ["none"]}))
    pairs = comparison.paired("mae", {"method": ("ours",)}, {"method": ("theirs",)})
    assert pairs.diverged == (1, 0)
    assert pairs.missing == {1: "failed where method=ours, size=10, calibrator=none"}
    assert [stranger.key for stranger in comparison.strangers] == ["line 5", "line 6"]
    table.write_text(TABLE.replace("note", "status"))
    with pytest.raises(UserError, match="line 2 has the status 'first'"):
        results_from_csv(table, study())
