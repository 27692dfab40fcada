"""Data of a linear Gaussian model: its law against scipy's, and against samples of it."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, multivariate_normal

from paribus.data import LinearGaussian
from paribus.errors import UserError

ARGUMENTS = {
    "n_train": 60, "n_validation": 10, "n_test": 50, "dimensions": 5, "signal": [4.0, 1.0], "noise": 0.5,
    "problem_seed": 0, "batch_size": 16,
}  # fmt: skip


def make(seed: int = 0, **changes) -> LinearGaussian:
    data = LinearGaussian(**(ARGUMENTS | changes), seed=seed)
    data.setup()
    return data


def every_row(data: LinearGaussian) -> np.ndarray:
    return torch.cat([data.parts[part]["x"] for part in ("train", "validation", "test")]).double().numpy()


@pytest.mark.parametrize(
    "changes",
    [{}, {"noise": 0.01}, {"dimensions": 2}, {"signal": [0.0]}, {"dimensions": 30, "signal": [9, 4, 1], "noise": 2.0}],
)
def test_the_log_density_is_that_of_the_covariance(changes) -> None:
    data = make(**changes)
    covariance = data.weight @ data.weight.T + data.noise**2 * np.eye(len(data.mean))
    x = torch.cat([data.parts["test"]["x"].double(), torch.randn(20, len(data.mean), dtype=torch.float64) * 30])
    expected = multivariate_normal(data.mean, covariance).logpdf(x.numpy())
    np.testing.assert_allclose(data.log_density(x).numpy(), expected, rtol=1e-9)
    assert data.log_density(x.float()).dtype == torch.float64


def test_directions_are_orthonormal_and_eigenvalues_known() -> None:
    data = make()
    np.testing.assert_allclose(data.weight.T @ data.weight, np.diag([4.0, 1.0]), atol=1e-12)
    np.testing.assert_array_equal(data.eigenvalues, [4.25, 1.25, 0.25, 0.25, 0.25])
    covariance = data.weight @ data.weight.T + 0.25 * np.eye(5)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance)[::-1], data.eigenvalues, rtol=1e-12)


def test_eigenvalues_fall_in_whatever_order_the_signal_was_given() -> None:
    np.testing.assert_array_equal(make(signal=[1.0, 4.0]).eigenvalues, make().eigenvalues)


def test_samples_have_the_mean_and_the_covariance() -> None:
    """200,000 rows: means within 5 standard errors, and the sample covariance turned into the directions of the truth.

    There its entry (i, j) has the standard error sqrt((1 + [i = j]) l_i l_j / n).
    """
    n = 200_000
    data = make(n_train=n, n_validation=0, n_test=1)
    rows = data.parts["train"]["x"].double().numpy()
    values, directions = np.linalg.eigh(data.weight @ data.weight.T + 0.25 * np.eye(5))
    turned = (rows - data.mean) @ directions
    assert (np.abs(turned.mean(axis=0)) < 5 * np.sqrt(values / n)).all()
    error = np.sqrt((1 + np.eye(5)) * np.outer(values, values) / n)
    assert (np.abs(np.cov(turned.T) - np.diag(values)) < 5 * error).all()
    sample = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    np.testing.assert_allclose(sample, data.eigenvalues, rtol=5 * math.sqrt(2 / n) + 1e-3)


def test_samples_are_normal() -> None:
    """Each coordinate, in units of its standard deviation: Kolmogorov and Smirnov's test, its p above 1e-5."""
    data = make(n_train=20_000)
    rows = data.parts["train"]["x"].double().numpy()
    scale = np.sqrt(np.diag(data.weight @ data.weight.T) + 0.25)
    for column in range(5):
        assert kstest((rows[:, column] - data.mean[column]) / scale[column], "norm").pvalue > 1e-5


def test_the_mean_log_density_is_that_of_a_part_and_close_to_what_is_expected() -> None:
    """log p of a Gaussian has the mean -entropy and the variance d / 2; within 5 standard errors."""
    data = make(n_test=40_000)
    mean = data.mean_log_density("test")
    assert mean == pytest.approx(data.log_density(data.parts["test"]["x"]).mean().item(), rel=1e-12)
    covariance = data.weight @ data.weight.T + 0.25 * np.eye(5)
    assert data.expected_log_density == pytest.approx(-multivariate_normal(data.mean, covariance).entropy(), rel=1e-12)
    assert abs(mean - data.expected_log_density) < 5 * math.sqrt(5 / 2 / 40_000)


def test_another_seed_draws_anew_from_the_same_law() -> None:
    data, again, other, problem = make(), make(), make(seed=1), make(problem_seed=1)
    assert data.replication == "fresh"
    assert data.pairing() == again.pairing()
    assert np.array_equal(every_row(data), every_row(again))
    for name in ("weight", "mean"):
        np.testing.assert_array_equal(getattr(data, name), getattr(other, name))
        assert (getattr(data, name) != getattr(problem, name)).all()
    assert not np.isin(every_row(data), every_row(other)).any()
    assert data.pairing()["split"] != other.pairing()["split"]


def test_parts_hold_inputs_alone_in_float32() -> None:
    data = make()
    assert data.sizes() == {"train": 60, "validation": 10, "test": 50}
    assert all(set(rows) == {"x"} and rows["x"].dtype == torch.float32 for rows in data.parts.values())
    assert len({tuple(row) for row in every_row(data)}) == 120  # no row in two parts
    assert data.facts()["in_shape"] == (5,)
    assert set(data.pairing()) == {"data", "split"}
    assert make(n_validation=0).sizes()["validation"] == 0
    assert next(iter(data.val_dataloader()))["x"].shape == (10, 5)


def test_the_density_follows_the_parts_to_where_they_are_placed() -> None:
    data = make()
    before = data.mean_log_density("test")
    data.place(torch.device("cpu"), torch.float64)
    assert data.mean_log_density("test") == before


def test_preparing_leaves_the_global_streams_where_they_were() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    make()
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_train": 1}, "n_train is 1, expected at least 2"),
        ({"n_validation": -1}, "n_validation is -1, expected at least 0"),
        ({"n_test": 0}, "n_test is 0, expected at least 1"),
        ({"dimensions": 0}, "dimensions is 0, expected at least 1"),
        ({"problem_seed": -1}, "problem_seed is -1, expected at least 0"),
        ({"signal": []}, r"signal is \[\], expected 1 to 5 variances"),
        ({"signal": [1.0] * 6}, "expected 1 to 5 variances"),
        ({"signal": [1.0, -1.0]}, r"signal is \[1.0, -1.0\], expected 1 to 5 variances, each finite and at least 0"),
        ({"signal": [math.inf]}, r"signal is \[inf\]"),
        ({"noise": 0.0}, "noise is 0.0, expected a finite standard deviation above 0"),
        ({"noise": math.nan}, "noise is nan"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_mistakes_are_named(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_what_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(UserError, match="the train part is too large"):
        make(signal=[1e78])
