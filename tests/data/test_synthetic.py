"""The line and the sine: exact fits of what they draw, against closed forms and the windows published for them."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from paribus.data import Contamination, Line, Sine

SEEDS = range(20)
CLEAN = Contamination(0.0, 20.0, "one", "random")
LEVERAGE = Contamination(0.2, -20.0, "one", "leverage")
RANDOM = Contamination(0.2, 20.0, "one", "random")


def line(seed: int, contamination: Contamination = CLEAN, **changes) -> Line:
    arguments = {
        "n_train": 1000, "n_validation": 200, "n_test": 300, "slope": 2.0, "intercept": 1.0, "noise": 0.5,
        "x_low": -3.0, "x_high": 3.0, "batch_size": 1000, "input_scaling": "none", "target_scaling": "none",
    }  # fmt: skip
    data = Line(**(arguments | changes), contamination=contamination, seed=seed)
    data.setup()
    return data


def sine(seed: int, noise: float = 0.0) -> Sine:
    data = Sine(2000, 100, 100, noise, 2000, CLEAN, "standard", "none", seed)
    data.setup()
    return data


# the score psi(r) / r of each loss, which weighs the rows in iteratively reweighted least squares
WEIGHTS = {
    "squared": lambda r: np.ones_like(r),
    "absolute": lambda r: 1 / np.maximum(np.abs(r), 1e-7),
    "huber": lambda r: 1 / np.maximum(np.abs(r), 1.0),
    "log_cosh": lambda r: np.tanh(np.maximum(np.abs(r), 1e-9)) / np.maximum(np.abs(r), 1e-9),
}


def exact_fit(x: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    """Intercept and slope that minimise the loss over the rows."""
    design = np.column_stack([np.ones_like(x), x])
    fit = np.linalg.lstsq(design, y, rcond=None)[0]
    for _ in range(1000):
        weighted = design * WEIGHTS[loss](y - design @ fit)[:, None]
        previous, fit = fit, np.linalg.solve(weighted.T @ design, weighted.T @ y)
        if np.abs(fit - previous).max() < 1e-8:
            break
    return fit


def recovered(data: Line, loss: str) -> dict[str, float]:
    train = data.parts["train"]
    intercept, slope = exact_fit(train["x"][:, 0].double().numpy(), train["y"].double().numpy(), loss)
    return data.recovery(lambda x: intercept + slope * x[:, 0])


def means(contamination: Contamination, metric: str) -> dict[str, float]:
    drawn = [line(seed, contamination) for seed in SEEDS]
    return {loss: float(np.mean([recovered(data, loss)[metric] for data in drawn])) for loss in WEIGHTS}


def test_reweighting_finds_the_least_absolute_line_of_a_linear_program() -> None:
    train = line(0, LEVERAGE, n_train=200).parts["train"]
    x, y = train["x"][:, 0].double().numpy(), train["y"].double().numpy()
    design = np.column_stack([np.ones(200), x])
    program = optimize.linprog(
        np.r_[np.zeros(2), np.ones(400)],
        A_eq=np.column_stack([design, np.eye(200), -np.eye(200)]),
        b_eq=y,
        bounds=[(None, None)] * 2 + [(0, None)] * 400,
    )
    absolute = np.abs(y - design @ exact_fit(x, y, "absolute")).sum()
    assert absolute == pytest.approx(program.fun, rel=1e-5)


def test_leverage_outliers_give_the_published_slope_errors() -> None:
    error = means(LEVERAGE, "slope_error")
    assert error["absolute"] < error["huber"] < error["log_cosh"] < error["squared"]
    assert error["squared"] >= 5 * error["absolute"]
    published = {"squared": 2.43, "absolute": 0.154, "huber": 0.253, "log_cosh": 0.312}
    assert error == pytest.approx(published, rel=0.1)


def test_random_outliers_give_the_bias_of_the_closed_forms() -> None:
    bias = means(RANDOM, "intercept_bias")
    assert bias["squared"] == pytest.approx(0.2 * 20, rel=0.1)
    assert bias["absolute"] == pytest.approx(0.5 * stats.norm.ppf(0.5 / 0.8), rel=0.1)
    error = means(RANDOM, "slope_error")
    assert error["squared"] >= 5 * error["absolute"]


def test_without_outliers_the_squared_loss_wins() -> None:
    error = means(CLEAN, "slope_error")
    assert error["absolute"] > error["squared"]


def test_recovery_reads_the_line_off_any_prediction() -> None:
    found = line(0, slope=2.0, intercept=1.0).recovery(lambda x: 0.25 + 2.5 * x[:, 0])
    assert found == pytest.approx(
        # on U(-3, 3), of mean 0 and variance 3
        {
            "excess_mse": 0.75**2 + 3 * 0.5**2,
            "slope_error": 0.5,
            "slope_bias": 0.5,
            "intercept_error": 0.75,
            "intercept_bias": -0.75,
        }
    )


def test_recovery_through_scaled_inputs_and_targets_is_in_raw_units() -> None:
    data = line(0, noise=0.0, input_scaling="standard", target_scaling="robust")
    x, y = (data.parts["train"][name].double() for name in ("x", "y"))
    intercept, slope = exact_fit(x[:, 0].numpy(), y.numpy(), "squared")
    found = data.recovery(lambda raw: data.to_target_units(intercept + slope * data.to_network_inputs(raw)[:, 0]))
    assert found["slope_error"] < 1e-5
    assert found["intercept_error"] < 1e-5


def test_the_noise_and_the_inputs_follow_their_laws() -> None:
    data = line(0, n_train=20_000)
    x, y = data.parts["train"]["x"][:, 0].double().numpy(), data.parts["train"]["y"].double().numpy()
    assert stats.kstest(x, "uniform", args=(-3, 6)).pvalue > 1e-3
    assert stats.kstest(y - 1 - 2 * x, "norm", args=(0, 0.5)).pvalue > 1e-3


def test_each_seed_is_a_fresh_draw() -> None:
    first, second = line(0), line(1)
    assert first.replication == "fresh"
    for part in ("train", "validation", "test"):
        assert not np.isin(first.parts[part]["x"].numpy(), second.parts[part]["x"].numpy()).any()


def test_there_may_be_no_validation_part() -> None:
    data = line(0, n_validation=0)
    assert data.sizes() == {"train": 1000, "validation": 0, "test": 300}
    assert list(data.val_dataloader()) == []


def test_a_cubic_fit_of_the_sine_is_odd_and_near_the_projection() -> None:
    train = sine(0).parts["train"]
    x, y = sine(0).table.inputs[:2000, 0], train["y"].double().numpy()
    coefficients = np.linalg.lstsq(np.vander(x, 4, increasing=True), y, rcond=None)[0]
    np.testing.assert_allclose(coefficients[[0, 2]], 0, atol=1e-7)
    moments = [[integrate.quad(lambda t, p=p + q: t**p, 0, math.pi)[0] for q in (1, 3)] for p in (1, 3)]
    projection = np.linalg.solve(
        moments, [integrate.quad(lambda t, p=p: np.sin(t) * t**p, 0, math.pi)[0] for p in (1, 3)]
    )
    np.testing.assert_allclose(coefficients[[1, 3]], projection, atol=2e-3)  # a sum over 2000 points for an integral


def test_the_sine_is_tested_between_its_training_points_on_the_same_curve() -> None:
    data = sine(3)
    raw = data.table.inputs[:, 0]
    assert raw[:2000].min() == -math.pi
    assert raw[:2000].max() == math.pi
    np.testing.assert_allclose(np.diff(raw[:2000]), 2 * math.pi / 1999, rtol=1e-9)
    np.testing.assert_allclose(data.parts["test"]["y"].numpy(), np.sin(raw[2100:]), atol=1e-6)
    assert sine(3).pairing() != sine(4).pairing()
    assert torch.equal(sine(3).parts["train"]["x"], sine(4).parts["train"]["x"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_train": 1}, "n_train is 1, expected at least 2"),
        ({"n_validation": -1}, "n_validation is -1"),
        ({"n_test": 0}, "n_test is 0"),
        ({"noise": -0.5}, "noise is -0.5"),
        ({"noise": math.nan}, "noise is nan"),
        ({"slope": math.inf}, "slope is inf"),
        ({"intercept": math.nan}, "intercept is nan"),
        ({"x_low": 3.0}, "x_low is 3.0 and x_high 3.0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"input_scaling": "unit"}, "input_scaling is 'unit', expected one of none, standard, robust"),
        ({"target_scaling": "unit"}, "target_scaling is 'unit'"),
    ],
)
def test_wrong_arguments_are_named(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        line(0, **changes)
