"""What every data set for regression promises, whatever its source."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from paribus.data import AutoMpg, Boston, Contamination, Diabetes, InMemoryData, Line
from paribus.data.precision import fits_float32
from paribus.data.regression import RawTable, RegressionData
from paribus.data.splitting import ResplitRegression
from paribus.errors import UserError
from paribus.streams import stream_seed

CLEAN = Contamination(0.0, 400.0, "one", "random")
SPOILT = Contamination(0.2, 400.0, "both", "leverage")


def resplit(kind: type[ResplitRegression]) -> Callable[..., RegressionData]:
    def make(seed: int, contamination: Contamination = CLEAN, **changes) -> RegressionData:
        arguments = {
            "test_fraction": 0.2, "validation_fraction": 0.1, "batch_size": 32, "input_scaling": "standard",
            "target_scaling": "standard",
        }  # fmt: skip
        data = kind(**(arguments | changes), contamination=contamination, seed=seed)
        data.setup()
        return data

    return make


def make_line(seed: int, contamination: Contamination = CLEAN) -> RegressionData:
    data = Line(300, 40, 60, 2.0, 1.0, 0.5, -3.0, 3.0, 50, contamination, "standard", "standard", seed)
    data.setup()
    return data


SOURCES = {
    "line": make_line,
    "diabetes": resplit(Diabetes),
    "auto_mpg": resplit(AutoMpg),
    "boston": resplit(Boston),
}


@pytest.fixture(params=SOURCES)
def make(request: pytest.FixtureRequest) -> Callable[..., RegressionData]:
    return SOURCES[request.param]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(make) -> None:
    first, again, other = make(0, SPOILT), make(0, SPOILT), make(1, SPOILT)
    assert first.pairing() == again.pairing()
    for part, rows in first.parts.items():
        assert all(torch.equal(rows[name], again.parts[part][name]) for name in rows)
    assert first.pairing()["split"] != other.pairing()["split"]
    assert first.pairing()["corruption"] != other.pairing()["corruption"]


def test_contamination_changes_the_training_targets_and_nothing_else(make) -> None:
    clean, spoilt = make(0, CLEAN), make(0, SPOILT)
    assert clean.pairing()["split"] == spoilt.pairing()["split"]
    assert clean.pairing()["data"] == spoilt.pairing()["data"]
    assert clean.pairing()["corruption"] != spoilt.pairing()["corruption"]
    for part in ("train", "validation", "test"):
        assert torch.equal(clean.parts[part]["x"], spoilt.parts[part]["x"])
        difference = spoilt.to_target_units(spoilt.parts[part]["y"]) - clean.to_target_units(clean.parts[part]["y"])
        expected = 400.0 * spoilt.outlier if part == "train" else torch.zeros(len(difference))
        torch.testing.assert_close(difference.abs(), expected.double(), atol=1e-3, rtol=0)
    assert not clean.outlier.any()
    assert spoilt.outlier.sum() == round(0.2 * len(spoilt.outlier))


def test_the_parts_are_the_rows_of_the_table_each_once(make) -> None:
    data = make(0)
    raw = torch.from_numpy(data.table.target)
    parts = torch.cat([data.to_target_units(part["y"]) for part in data.parts.values()])
    torch.testing.assert_close(parts.sort().values, raw.sort().values, rtol=1e-5, atol=1e-5)
    assert sum(data.sizes().values()) == len(raw)
    assert {tensor.dtype for part in data.parts.values() for tensor in part.values()} == {torch.float32}


def test_scaling_is_fitted_on_the_training_part_as_contaminated(make) -> None:
    data = make(0, SPOILT)
    train, test = data.parts["train"], data.parts["test"]
    torch.testing.assert_close(train["x"].mean(0), torch.zeros(data.in_features), atol=1e-5, rtol=0)
    torch.testing.assert_close(train["x"].std(0, correction=0), torch.ones(data.in_features), atol=1e-5, rtol=0)
    assert train["y"].mean().abs() < 1e-5
    assert test["x"].mean(0).abs().max() > 1e-3


def test_network_inputs_are_the_parts_again(make) -> None:
    data = make(0)
    scaled = data.to_network_inputs(torch.from_numpy(data.table.inputs))
    parts = torch.cat([part["x"] for part in data.parts.values()])
    for column in range(data.in_features):
        torch.testing.assert_close(
            scaled[:, column].sort().values, parts[:, column].sort().values, atol=1e-5, rtol=1e-5
        )


def test_preparing_and_loading_leave_the_global_streams_where_they_were(make) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()
    data = make(0, SPOILT)
    list(data.val_dataloader())
    list(data.test_dataloader())
    assert torch.equal(torch.get_rng_state(), torch_before)
    for before, after in zip(numpy_before, np.random.get_state(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_loaders_give_the_part_in_order(make) -> None:
    data = make(0)
    for loader, part in ((data.val_dataloader(), "validation"), (data.test_dataloader(), "test")):
        batches = list(loader)
        for name in ("x", "y"):
            assert torch.equal(torch.cat([batch[name] for batch in batches]), data.parts[part][name])


def test_setting_up_twice_prepares_once(make) -> None:
    data = make(0)
    parts = dict(data.parts)
    data.setup("test")
    assert all(data.parts[part] is rows for part, rows in parts.items())


def test_points_of_the_fit_are_plain_and_in_raw_units(make) -> None:
    data = make(0, SPOILT)
    points = data.fit_points(lambda raw: raw.double().sum(dim=1))
    assert all(
        isinstance(number, float | bool) for name, values in points.items() if name != "kind" for number in values
    )
    if data.in_features == 1:
        assert points["kind"] == "curve"
        assert len(points["x"]) == len(points["y"]) == len(points["outlier"]) == 200
        assert len(points["grid"]) == len(points["prediction"]) == 100
        assert points["prediction"] == points["grid"]
        assert min(points["grid"]) <= min(points["x"]) < max(points["x"]) <= max(points["grid"])
        shift = np.abs(np.array(points["y"]) - 1 - 2 * np.array(points["x"]))
        np.testing.assert_array_equal(shift > 100, points["outlier"])
        assert sum(points["outlier"]) > 0
    else:
        assert points["kind"] == "scatter"
        assert len(points["target"]) == len(points["prediction"]) <= 200
        rows = {round(t, 6): s for t, s in zip(data.table.target, data.table.inputs.sum(axis=1), strict=True)}
        unique = [t for t in points["target"] if (data.table.target == t).sum() == 1]
        assert unique
        for target, prediction in zip(points["target"], points["prediction"], strict=True):
            if target in unique:
                assert prediction == pytest.approx(rows[round(target, 6)])


@pytest.mark.parametrize(
    ("source", "rows", "columns", "low", "high"),
    [("diabetes", 442, 10, 25, 346), ("auto_mpg", 392, 9, 9, 46.6), ("boston", 506, 13, 5, 50)],
)
def test_public_tables_are_what_their_pages_say(source: str, rows: int, columns: int, low: float, high: float) -> None:
    table = SOURCES[source](0).table
    assert table.inputs.shape == (rows, columns)
    assert len(table.input_names) == columns
    assert np.isfinite(table.inputs).all()
    assert (table.target.min(), table.target.max()) == (low, high)


def test_known_rows_of_public_tables() -> None:
    mpg = SOURCES["auto_mpg"](0).table  # the first car: a Chevrolet Chevelle Malibu of 1970, USA
    assert dict(zip(mpg.input_names, mpg.inputs[0], strict=True)) == {
        "cylinders": 8, "displacement": 307, "horsepower": 130, "weight": 3504, "acceleration": 12, "model_year": 70,
        "origin_usa": 1, "origin_europe": 0, "origin_japan": 0,
    }  # fmt: skip
    assert (mpg.inputs[:, 6:].sum(axis=1) == 1).all()
    diabetes = SOURCES["diabetes"](0).table
    assert dict(zip(diabetes.input_names, diabetes.inputs[0], strict=True))["age"] == 59  # raw, not pre-scaled
    assert diabetes.target[0] == 151
    boston = SOURCES["boston"](0).table
    assert boston.inputs[0, 0] == 0.00632
    assert boston.target[0] == 24


def test_splits_have_the_sizes_asked_for_and_overlap_between_seeds() -> None:
    data = SOURCES["diabetes"](0)
    assert data.sizes() == {"train": 442 - 88 - 44, "validation": 44, "test": 88}
    assert data.replication == "resplit"
    assert SOURCES["diabetes"](0, validation_fraction=0.0).sizes()["validation"] == 0


def test_the_split_is_drawn_from_the_stream_split_alone() -> None:
    data = SOURCES["diabetes"](7)
    order = np.random.default_rng(stream_seed(7, "split")).permutation(442)
    expected = torch.from_numpy(data.table.target[order[:88]])
    torch.testing.assert_close(data.to_target_units(data.parts["test"]["y"]), expected, atol=1e-4, rtol=0)


def test_a_larger_validation_part_keeps_the_test_part() -> None:
    with_few, with_many = (SOURCES["diabetes"](0, validation_fraction=share) for share in (0.1, 0.3))
    few, many = (data.to_target_units(data.parts["test"]["y"]) for data in (with_few, with_many))
    torch.testing.assert_close(few, many, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_fraction": 0.0}, r"test_fraction is 0.0, expected a number in \(0, 1\)"),
        ({"validation_fraction": -0.1}, "validation_fraction is -0.1"),
        ({"test_fraction": 0.6, "validation_fraction": 0.4}, "leave nothing to train on"),
    ],
)
def test_wrong_fractions_are_named(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SOURCES["diabetes"](0, **changes)


class Given(ResplitRegression):
    """A table given by the test."""

    given: RawTable

    def load(self) -> RawTable:
        return self.given


def given(inputs: list[float], target: list[float], scaling: str = "none", **fractions: float) -> Given:
    arguments = {"test_fraction": 0.25, "validation_fraction": 0.0} | fractions
    data = Given(**arguments, batch_size=4, contamination=CLEAN, input_scaling=scaling, target_scaling="none", seed=0)
    data.given = RawTable(np.array(inputs)[:, None], np.array(target), ("a",), "b")
    data.setup()
    return data


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UserError, match="2 rows are too few: 1 to test and 0 to validate leave 1 to train on"):
        given([1.0, 2.0], [1.0, 2.0], test_fraction=0.5)
    with pytest.raises(UserError, match=r"test_fraction=0.1 of 3 rows is no row"):
        given([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], test_fraction=0.1)


@pytest.mark.parametrize(
    "column", [[1e300 * i for i in range(8)], [1e12 + i for i in range(8)], [1e-60 * i for i in range(8)]]
)
def test_what_float32_cannot_hold_is_refused_unless_it_is_scaled(column: list[float]) -> None:
    with pytest.raises(UserError, match="column 'a' of the train part is too large or too nearly constant"):
        given(column, list(range(8)))
    assert given(column, list(range(8)), scaling="standard").parts["train"]["x"].std() > 0.5
    with pytest.raises(UserError, match="column 'b'"):
        given(list(range(8)), column)


def test_constant_inputs_are_kept_as_they_are() -> None:
    assert given([0.1] * 8, list(range(8))).parts["train"]["x"].tolist() == [[np.float32(0.1)]] * 6
    assert fits_float32(np.array([0.1 + 0.2, 0.3]))


def test_a_large_offset_of_the_target_does_not_cost_digits() -> None:
    target = [1e9 + i for i in range(8)]
    data = Given(0.25, 0.0, 4, CLEAN, "none", "standard", 0)
    data.given = RawTable(np.arange(8.0)[:, None], np.array(target), ("a",), "b")
    data.setup()
    back = torch.cat([data.to_target_units(part["y"]) for part in data.parts.values()])
    torch.testing.assert_close(back.sort().values, torch.tensor(target, dtype=torch.float64), atol=1e-5, rtol=0)


def test_the_default_contract_draws_nothing() -> None:
    data = InMemoryData(1, 0)
    assert data.fit_points(lambda x: x) == data.recovery(lambda x: x) == {}
    assert torch.equal(data.to_network_inputs(torch.ones(2)), torch.ones(2))


def test_importing_data_imports_no_package_of_data_sets() -> None:
    packages = ("mlxtend", "sklearn", "pyarrow", "pooch")
    script = f"import sys, paribus.data; print([each for each in {packages} if each in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert answer.stdout.strip() == "[]"
