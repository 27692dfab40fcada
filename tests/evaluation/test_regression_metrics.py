"""Metrics against scikit-learn, and post-hoc corrections against their definition."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from paribus.data import Contamination, Line
from paribus.evaluation import Recentred, RegressionMetrics
from paribus.evaluation.regression import regression_metrics
from paribus.families import Regression
from paribus.networks import Linear
from paribus.objectives import Squared
from paribus.schedules import Constant


@pytest.mark.parametrize("n", [2, 7, 100, 101])
def test_metrics_are_scikit_learns(n):
    rng = np.random.default_rng(n)
    target, prediction = 1e3 + rng.normal(size=n), 1e3 + rng.normal(size=n)
    ours = regression_metrics(torch.from_numpy(prediction), torch.from_numpy(target))
    assert ours == pytest.approx(
        {
            "mae": reference.mean_absolute_error(target, prediction),
            "rmse": reference.root_mean_squared_error(target, prediction),
            "median_absolute_error": reference.median_absolute_error(target, prediction),
            "r2": reference.r2_score(target, prediction),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_of_targets_of_any_size_are_finite(size):
    rng = np.random.default_rng(0)
    target, prediction = torch.from_numpy(rng.normal(size=(2, 50)))
    plain, scaled = regression_metrics(prediction, target), regression_metrics(size * prediction, size * target)
    assert scaled["rmse"] == pytest.approx(size * plain["rmse"], rel=1e-12)
    assert scaled["r2"] == pytest.approx(plain["r2"], rel=1e-12)


def test_a_constant_target_has_no_r2():
    measured = regression_metrics(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0]))
    assert math.isnan(measured["r2"])
    assert measured["mae"] == 1.5


def fitted(weight, bias, **changes):
    """A line of known weights on data `y = 1 + 2x + noise`."""
    settings = {"n_train": 50, "n_validation": 40, "n_test": 60, "slope": 2.0, "intercept": 1.0, "noise": 0.5}
    clean = Contamination(fraction=0.0, size=0.0, sides="one", placement="random")
    data = Line(
        **settings | changes, x_low=-3.0, x_high=3.0, batch_size=50, contamination=clean,
        input_scaling="standard", target_scaling="standard", seed=0,
    )  # fmt: skip
    data.setup()
    network = Linear(in_features=1, out_features=1)
    family = Regression(network, Squared(), torch.optim.SGD, Constant(), in_features=1, seed=0, input_noise=0.0)
    # the network works in scaled units: y' = (y - m) / s of x' = (x - c) / d
    (low, high) = (
        data.to_network_inputs(torch.tensor([[0.0], [1.0]], dtype=torch.float64)).squeeze(-1).double().tolist()
    )
    offset, unit = data.to_target_units(torch.tensor([0.0, 1.0])).tolist()
    with torch.no_grad():
        for parameter in network.parameters():
            slope = weight / (high - low) / (unit - offset)
            parameter.fill_(slope if parameter.ndim == 2 else (bias - offset) / (unit - offset) - slope * low)
    return family, data


@torch.no_grad()
def test_recovery_reads_the_line_in_raw_units():
    (row,) = RegressionMetrics()(*fitted(weight=2.5, bias=0.2))
    x = np.linspace(-3.0, 3.0, 200_001)
    assert row.metrics["excess_mse"] == pytest.approx(np.mean((0.5 * x - 0.8) ** 2), rel=1e-4)
    expected = {"slope_bias": 0.5, "intercept_bias": -0.8, "slope_error": 0.5, "intercept_error": 0.8}
    assert {name: row.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_corrections_move_predictions_by_the_validation_residual():
    family, data = fitted(weight=2.0, bias=5.0)
    rows = {row.levels["correction"]: row.metrics for row in Recentred(["none", "mean", "median"])(family, data)}
    x, y = (data.parts["validation"][name] for name in "xy")
    residual = (data.to_target_units(y) - data.to_target_units(family.predict(x))).numpy()
    plain = RegressionMetrics()(family, data)[0].metrics
    assert rows["none"] == {name: value for name, value in plain.items() if name != "train_rmse"}
    x, y = (data.parts["train"][name] for name in "xy")
    errors = (data.to_target_units(y) - data.to_target_units(family.predict(x))).numpy()
    assert plain["train_rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
    x, y = (data.parts["validation"][name] for name in "xy")
    assert rows["mean"]["intercept_bias"] == pytest.approx(4.0 + residual.mean(), abs=1e-5)
    assert rows["median"]["intercept_bias"] == pytest.approx(4.0 + np.median(residual), abs=1e-5)
    # noise of sigma .5 over 40 points: the mean is within 4 standard errors of the truth
    assert abs(rows["mean"]["intercept_bias"]) < 4 * 0.5 / math.sqrt(40)
    assert rows["mean"]["slope_bias"] == pytest.approx(rows["none"]["slope_bias"], abs=1e-9)


@pytest.mark.parametrize("corrections", [[], ["none", "none"], ["men"]])
def test_unknown_corrections_are_refused(corrections):
    with pytest.raises(ValueError, match="expected different ones of none, mean, median"):
        Recentred(corrections)
