"""The Gaussian classes: their posterior against densities computed elsewhere, and what is derived from it."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from paribus.data import GaussianClasses, LabelNoise
from paribus.errors import UserError

ARGUMENTS = {
    "n_train": 60, "n_validation": 0, "n_test": 50, "classes": 4, "dimensions": 3, "separation": 2.0,
    "problem_seed": 0, "batch_size": 16, "input_scaling": "none",
}  # fmt: skip


def make(seed: int = 0, noise: float = 0.0, **changes) -> GaussianClasses:
    data = GaussianClasses(**(ARGUMENTS | changes), label_noise=LabelNoise(noise, "symmetric"), seed=seed)
    data.setup()
    return data


def posterior(data: GaussianClasses, inputs: np.ndarray) -> np.ndarray:
    """Bayes' rule with equal priors, from scipy's densities."""
    density = np.stack([multivariate_normal(mean, np.eye(len(mean))).pdf(inputs) for mean in data.means], axis=1)
    return density / density.sum(axis=1, keepdims=True)


def uniform(data: GaussianClasses):
    return lambda inputs: torch.full(
        (len(inputs), data.out_features), -math.log(data.out_features), dtype=torch.float64
    )


def test_the_posterior_is_bayes_rule() -> None:
    data = make(n_test=200)
    inputs = data.raw.inputs[data.rows["test"]]
    np.testing.assert_allclose(data.log_posterior(inputs).exp().numpy(), posterior(data, inputs), rtol=1e-10)


def test_the_posterior_is_what_the_labels_follow() -> None:
    """For each class the mean of (label is it) - posterior has mean 0; within 4.5 standard errors."""
    data = make(n_test=40_000, separation=1.0)
    rows = data.rows["test"]
    gap = np.eye(4)[data.raw.label[rows]] - data.log_posterior(data.raw.inputs[rows]).exp().numpy()
    assert (np.abs(gap.mean(axis=0)) < 4.5 * gap.std(axis=0) / math.sqrt(len(rows))).all()
    weighted = gap * data.raw.inputs[rows][:, :1]  # also where the first input is large
    assert (np.abs(weighted.mean(axis=0)) < 4.5 * weighted.std(axis=0) / math.sqrt(len(rows))).all()


def test_means_are_at_the_separation_and_the_same_for_every_seed() -> None:
    data, other = make(seed=0), make(seed=1)
    np.testing.assert_allclose(np.linalg.norm(data.means, axis=1), 2.0)
    np.testing.assert_array_equal(data.means, other.means)
    assert (make(problem_seed=1).means != data.means).all()
    assert data.pairing()["split"] != other.pairing()["split"]
    assert data.replication == "fresh"


def test_examples_scatter_about_their_means_with_unit_covariance() -> None:
    data = make(n_train=40_000)
    residual = data.raw.inputs - data.means[data.raw.label]
    np.testing.assert_allclose(residual.mean(axis=0), 0, atol=4.5 / math.sqrt(40_000))
    np.testing.assert_allclose(np.cov(residual.T), np.eye(3), atol=4.5 * math.sqrt(2 / 40_000))
    shares = np.bincount(data.raw.label) / len(data.raw.label)
    np.testing.assert_allclose(shares, 0.25, atol=4.5 * math.sqrt(0.25 * 0.75 / 40_000))


def test_recovery_of_the_posterior_itself_is_exact() -> None:
    data = make(n_test=500)
    found = data.recovery(lambda inputs: data.log_posterior(inputs.numpy()))
    p = posterior(data, data.raw.inputs[data.rows["test"]])
    label = data.parts["test"]["y"].numpy()
    assert found["kl_from_bayes"] == pytest.approx(0, abs=1e-12)
    assert found["overconfidence"] == pytest.approx(0, abs=1e-12)
    assert found["accuracy_regret"] == 0
    assert found["bayes_accuracy"] == pytest.approx((p.argmax(axis=1) == label).mean())
    assert found["bayes_nll"] == pytest.approx(-np.log(p[np.arange(500), label]).mean())


def test_recovery_of_a_wrong_prediction_is_enumerated() -> None:
    data = make(n_test=40, input_scaling="standard", noise=0.3)
    q = np.random.default_rng(0).dirichlet(np.ones(4), size=40)
    seen = []

    def predict(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(inputs)
        return torch.from_numpy(np.log(q))

    found = data.recovery(predict)
    raw = data.raw.inputs[data.rows["test"]]
    np.testing.assert_array_equal(seen[0].numpy(), raw)  # raw, whatever the scaling
    assert seen[0].dtype == torch.float64
    p = posterior(data, raw)
    divergence = overconfidence = regret = 0.0
    for row in range(40):
        divergence += sum(p[row, k] * math.log(p[row, k] / q[row, k]) for k in range(4)) / 40
        best = max(range(4), key=lambda k: q[row, k])
        overconfidence += (q[row, best] - p[row, best]) / 40
        regret += (max(p[row]) - p[row, best]) / 40
    assert found["kl_from_bayes"] == pytest.approx(divergence)
    assert found["overconfidence"] == pytest.approx(overconfidence)
    assert found["accuracy_regret"] == pytest.approx(regret)


def test_classes_far_apart_are_certain_and_finite() -> None:
    data = make(separation=1e3)
    found = data.recovery(lambda inputs: data.log_posterior(inputs.numpy()))
    assert found["bayes_accuracy"] == 1
    assert all(math.isfinite(value) for value in found.values())
    certain = data.recovery(lambda inputs: (data.log_posterior(inputs.numpy()) > -1).double().log())
    assert certain["kl_from_bayes"] == 0  # log 0 where the posterior underflows to 0
    assert data.recovery(uniform(data))["kl_from_bayes"] == pytest.approx(math.log(4))


def test_no_separation_leaves_nothing_to_learn() -> None:
    data = make(separation=0.0)
    found = data.recovery(uniform(data))
    assert found["kl_from_bayes"] == pytest.approx(0, abs=1e-12)
    assert found["bayes_nll"] == pytest.approx(math.log(4))


def test_sizes_shapes_and_types() -> None:
    data = make(n_validation=7)
    assert data.sizes() == {"train": 60, "validation": 7, "test": 50}
    assert data.facts() == {
        "in_features": 3, "in_shape": (3,), "out_features": 4, "out_shape": (4,), "examples": 60,
    }  # fmt: skip
    assert data.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": 1}, "classes is 1, expected at least 2"),
        ({"dimensions": 1}, "dimensions is 1, expected at least 2"),
        ({"n_train": 1}, "n_train is 1, expected at least 2"),
        ({"n_test": 0}, "n_test is 0, expected at least 1"),
        ({"n_validation": -1}, "n_validation is -1, expected at least 0"),
        ({"problem_seed": -1}, "problem_seed is -1, expected at least 0"),
        ({"separation": -1.0}, "separation is -1.0, expected a finite distance"),
        ({"separation": math.inf}, "separation is inf"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"input_scaling": "minmax"}, "input_scaling is 'minmax', expected one of none, standard, robust"),
    ],
)
def test_mistakes_are_named(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_what_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(UserError, match="column 'x0' of the train part is too large"):
        make(separation=1e300)
