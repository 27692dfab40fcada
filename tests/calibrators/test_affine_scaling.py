"""Vector and matrix scaling against scipy, the nesting of all scalings, and over-fitting at many classes."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from paribus.calibrators import MatrixScaling, Temperature, Uncalibrated, ValidationLogits, VectorScaling, affine
from paribus.calibrators.affine import Units, evaluations_within


def nll(recalibration, validation: ValidationLogits) -> float:
    return -float(recalibration(validation.logits).gather(1, validation.label[:, None]).mean())


def distorted(rows: int, classes: int, seed: int) -> ValidationLogits:
    """Logits of known probabilities through a random affine map."""
    generator = np.random.default_rng(seed)
    exact = generator.normal(scale=1.5, size=(rows, classes))
    label = (exact + generator.gumbel(size=exact.shape)).argmax(axis=1)
    mixing = 2 * np.eye(classes) + generator.normal(scale=0.4, size=(classes, classes))
    logits = exact @ mixing.T + generator.normal(size=classes)
    return ValidationLogits(torch.from_numpy(logits), torch.from_numpy(label))


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_vector_scaling_is_the_minimum_that_scipy_finds(classes):
    validation = distorted(600, classes, seed=classes)
    logits, label = validation.logits.numpy(), validation.label.numpy()

    def value(parameters: np.ndarray) -> float:
        weight, bias = parameters.reshape(2, classes)
        return -log_softmax(logits * weight + bias, axis=1)[np.arange(len(label)), label].mean()

    reference = minimize(value, np.concatenate([np.ones(classes), np.zeros(classes)]), method="BFGS", tol=1e-9)
    fitted = VectorScaling().fit(validation)
    assert fitted.converged
    assert nll(fitted, validation) == pytest.approx(reference.fun, abs=1e-9)
    assert value(torch.cat([fitted.weight, fitted.bias]).numpy()) == pytest.approx(nll(fitted, validation), abs=1e-13)
    probability = torch.from_numpy(np.exp(log_softmax(logits * reference.x[:classes] + reference.x[classes:], axis=1)))
    assert torch.allclose(fitted(validation.logits).exp(), probability, atol=1e-4)


@pytest.mark.parametrize("classes", [2, 4])
def test_matrix_scaling_is_the_minimum_that_scipy_finds(classes):
    validation = distorted(600, classes, seed=classes)
    logits, label = validation.logits.numpy(), validation.label.numpy()

    def value(parameters: np.ndarray) -> float:
        table = parameters.reshape(classes, classes + 1)
        return -log_softmax(logits @ table[:, :-1].T + table[:, -1], axis=1)[np.arange(len(label)), label].mean()

    reference = minimize(value, np.eye(classes, classes + 1).ravel(), method="BFGS", tol=1e-9)
    fitted = MatrixScaling().fit(validation)
    assert fitted.converged
    assert nll(fitted, validation) == pytest.approx(reference.fun, abs=1e-9)
    table = torch.cat([fitted.weight, fitted.bias[:, None]], dim=1).numpy()
    assert value(table) == pytest.approx(nll(fitted, validation), abs=1e-13)


def test_a_planted_map_is_recovered():
    generator = np.random.default_rng(3)
    logits = generator.normal(scale=2.0, size=(50_000, 3))
    weight, bias = np.array([0.5, 1.0, 1.5]), np.array([0.3, 0.0, -0.3])
    label = (logits * weight + bias + generator.gumbel(size=logits.shape)).argmax(axis=1)
    fitted = VectorScaling().fit(ValidationLogits(torch.from_numpy(logits), torch.from_numpy(label)))
    # Five standard errors of a logistic slope at this n are below 0.05.
    assert fitted.weight.numpy() == pytest.approx(weight, abs=0.05)
    assert (fitted.bias - fitted.bias.mean()).numpy() == pytest.approx(bias - bias.mean(), abs=0.05)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("rows", "classes"), [(1, 3), (7, 2), (40, 5), (300, 10), (1000, 4)])
def test_each_scaling_contains_the_one_before(rows, classes, seed):
    validation = distorted(rows, classes, seed)
    errors = [
        nll(calibrator.fit(validation), validation)
        for calibrator in (Uncalibrated(), Temperature(), VectorScaling(), MatrixScaling())
    ]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(errors)), errors


@pytest.mark.parametrize("calibrator", [VectorScaling(), MatrixScaling()])
def test_the_map_does_not_depend_on_the_unit_of_the_logits(calibrator):
    validation = distorted(500, 4, seed=1)
    fitted = calibrator.fit(validation)(validation.logits)
    for scale, shift in [(1e4, 0.0), (1e-4, 0.0), (1.0, 1e4)]:
        logits = scale * validation.logits + shift
        other = calibrator.fit(ValidationLogits(logits, validation.label))(logits)
        assert torch.allclose(other.exp(), fitted.exp(), atol=1e-5)


@pytest.mark.parametrize("calibrator", [VectorScaling(), MatrixScaling()])
def test_separable_labels_end_at_finite_weights_with_nothing_left_to_gain(calibrator):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    validation = ValidationLogits(logits, logits.argmax(dim=1))
    fitted = calibrator.fit(validation)
    assert torch.isfinite(fitted.weight).all()
    assert torch.isfinite(fitted.bias).all()
    assert nll(fitted, validation) < 1e-6
    assert torch.isfinite(fitted(1e4 * logits)).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_matrix_scaling_over_fits_many_classes(planted, seed):
    validation, judged = planted(1000, 50, 2.0, seed=seed), planted(5000, 50, 2.0, seed=seed + 100)
    temperature, matrix = Temperature().fit(validation), MatrixScaling().fit(validation)
    assert nll(matrix, validation) < nll(temperature, validation)
    assert nll(matrix, judged) > nll(temperature, judged) + 0.1


@pytest.mark.parametrize("budget", [1, 300_000, 60_000_000])
def test_a_fit_ends_with_its_budget_no_worse_than_its_start_and_says_so(monkeypatch, budget):
    validation = distorted(40, 5, seed=0)
    monkeypatch.setattr(affine, "BUDGET", budget)
    calibrators = [Temperature(), VectorScaling(), MatrixScaling()]
    temperature, vector, matrix = (calibrator.fit(validation) for calibrator in calibrators)
    errors = [nll(fitted, validation) for fitted in (temperature, vector, matrix)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(errors)), errors
    if budget == 1:
        assert errors == pytest.approx([errors[0]] * 3, rel=1e-12)
    else:
        assert errors[1] < errors[0] - 1e-4
    if budget <= 300_000:
        assert not vector.converged
        assert "not converged" in vector.remark
        assert not matrix.converged
        assert "not converged" in matrix.remark
    else:
        assert (vector.converged, vector.remark) == (True, "")


def test_the_evaluations_of_a_fit_are_bounded():
    assert [evaluations_within(cost) for cost in (1, affine.BUDGET // 7, 10 * affine.BUDGET)] == [2000, 7, 1]


def test_in_its_units_each_class_is_curved_by_1():
    validation, temperature = distorted(400, 4, seed=2), 1.7
    units = Units.of(validation.logits, temperature)
    inputs = (validation.logits - units.centre) / units.scale

    def value(parameters: torch.Tensor) -> torch.Tensor:
        outputs = (parameters[0] * inputs + parameters[1]) * units.output
        return torch.nn.functional.cross_entropy(outputs, validation.label)

    start = torch.stack([units.scale, units.centre]) / temperature / units.output
    curvature = torch.func.hessian(value)(start)
    for name in range(4):
        # But for the least curvature, 1e-3 / 4 beside about .1.
        assert curvature[:, name, :, name].numpy() == pytest.approx(np.eye(2), abs=0.02)


def test_many_classes_take_few_evaluations(monkeypatch):
    """A hundred classes of very different frequencies, 7000 examples: fewer than sixty."""
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(7000, 100, generator=generator, dtype=torch.float64) * 2 + torch.linspace(-2, 3, 100)
    label = torch.multinomial(exact.softmax(dim=1), 1, generator=generator).squeeze(1)
    validation = ValidationLogits(1.5 * exact, label)
    monkeypatch.setattr(affine, "BUDGET", 60 * 7000 * 100 * affine.SOFTMAX)
    assert VectorScaling().fit(validation).converged
