"""Temperature scaling against planted temperatures, scipy and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from paribus.calibrators import Temperature, Uncalibrated, ValidationLogits


def nll(logits: np.ndarray, label: np.ndarray, temperature: float) -> float:
    scaled = logits / temperature
    return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(label)), label]).mean())


def calibration_error(probability: np.ndarray, label: np.ndarray, bins: int = 15) -> float:
    confidence, correct = probability.max(axis=1), probability.argmax(axis=1) == label
    of = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(abs((confidence - correct)[of == each].sum()) for each in range(bins)) / len(label)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0, 5.0])
def test_a_planted_temperature_is_recovered(planted, scale):
    fitted = Temperature().fit(planted(10_000, 10, scale, seed=int(10 * scale)))
    assert fitted.temperature == pytest.approx(scale, rel=0.05)
    assert not fitted.at_limit


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("scale", [1e-4, 0.5, 3.0, 1e4])
def test_the_temperature_is_the_minimiser_that_scipy_finds(planted, classes, scale):
    validation = planted(300, classes, scale, seed=classes)
    logits, label = validation.logits.numpy(), validation.label.numpy()
    reference = minimize_scalar(
        lambda u: nll(logits, label, math.exp(u)),
        bounds=(math.log(scale) - 3, math.log(scale) + 3),
        method="bounded",
        options={"xatol": 1e-12},
    )
    fitted = Temperature().fit(validation)
    # The NLL is flat within rounding over a relative width of about 1e-8.
    assert fitted.temperature == pytest.approx(math.exp(reference.x), rel=1e-6)
    assert nll(logits, label, fitted.temperature) <= reference.fun + 1e-14
    scaled = logits / fitted.temperature
    probability = np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True))
    slope = ((probability * scaled).sum(axis=1) - scaled[np.arange(len(label)), label]).mean()
    assert abs(slope) < 1e-12


def test_two_rows_in_closed_form():
    # Gap g, right three times of four: sigmoid(g / T) = 3/4.
    logits = torch.tensor([[7.0, 0.0]] * 4)
    fitted = Temperature().fit(ValidationLogits(logits, torch.tensor([0, 0, 0, 1])))
    assert fitted.temperature == pytest.approx(7 / math.log(3), rel=1e-13)


def test_the_fit_of_scaled_logits_is_the_scaled_fit(planted):
    validation = planted(500, 5, 1.0)
    one = Temperature().fit(validation).temperature
    for scale in (1e-30, 1e-3, 1e4, 1e60):
        scaled = Temperature().fit(ValidationLogits(scale * validation.logits, validation.label))
        assert scaled.temperature == pytest.approx(scale * one, rel=1e-9)


def test_one_far_example_does_not_hide_the_optimum_of_the_others(planted):
    validation = planted(500, 3, 2.0)
    far = torch.cat([validation.logits, torch.tensor([[1e12, 0.0, 0.0]], dtype=torch.float64)])
    fitted = Temperature().fit(ValidationLogits(far, torch.cat([validation.label, torch.tensor([0])])))
    assert fitted.temperature == pytest.approx(Temperature().fit(validation).temperature, rel=1e-3)


def test_the_argmax_and_the_order_are_unchanged(planted):
    fitted = Temperature().fit(planted(1000, 10, 3.0))
    logits = planted(20_000, 10, 3.0, seed=1).logits
    mapped = fitted(logits)
    assert torch.equal(mapped.argmax(dim=1), logits.argmax(dim=1))
    assert torch.equal(mapped.argsort(dim=1), logits.argsort(dim=1))
    single = logits.float()
    assert torch.equal(fitted(single).argmax(dim=1), single.argmax(dim=1))


def test_all_correct_ends_where_nothing_is_left_to_gain():
    margin = 2.0
    logits = torch.tensor([[margin, 0.0], [0.0, margin]])
    fitted = Temperature().fit(ValidationLogits(logits, torch.tensor([0, 1])))
    assert fitted.at_limit
    assert "no minimum at a finite temperature" in fitted.remark
    # log(1 + e^(-m / T)) = 1e-10, the limit being 0.
    assert fitted.temperature == pytest.approx(-margin / math.log(math.expm1(1e-10)), rel=1e-6)
    assert torch.isfinite(fitted(torch.tensor([[1e4, -1e4]]))).all()


def test_all_correct_with_nothing_to_gain_keeps_temperature_one():
    fitted = Temperature().fit(ValidationLogits(torch.tensor([[50.0, 0.0]]), torch.tensor([0])))
    assert (fitted.temperature, fitted.at_limit) == (1.0, True)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_worse_than_chance_ends_at_uniform(scale):
    logits = scale * torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    fitted = Temperature().fit(ValidationLogits(logits, torch.tensor([1, 0])))
    assert fitted.at_limit
    assert fitted.temperature > 1
    assert fitted(logits).numpy() == pytest.approx(np.full((2, 3), -math.log(3)), abs=1e-9)
    own = -float(fitted(logits)[[0, 1], [1, 0]].mean())
    assert own == pytest.approx(math.log(3), abs=1.1e-10)


def test_equal_logits_keep_temperature_one():
    fitted = Temperature().fit(ValidationLogits(torch.full((3, 4), 5.0), torch.tensor([0, 1, 1])))
    assert (fitted.temperature, fitted.at_limit) == (1.0, True)


def test_uncalibrated_is_the_softmax(planted):
    validation = planted(50, 4, 3.0)
    fitted = Uncalibrated().fit(validation)
    assert torch.equal(fitted(validation.logits), torch.log_softmax(validation.logits, dim=1))
    assert fitted.temperature == 1.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_error_of_an_over_fitted_classifier_of_gaussian_classes_falls_by_three_quarters(seed):
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(seed)
    centres = generator.normal(scale=0.7, size=(10, 20))

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray]:
        label = generator.integers(10, size=rows)
        return centres[label] + generator.normal(size=(rows, 20)), label

    classifier = LogisticRegression(C=100.0, max_iter=5000).fit(*draw(400))
    (held_out, held_out_label), (judged, label) = draw(5000), draw(20_000)
    logits = torch.from_numpy(classifier.decision_function(judged))
    fitted = Temperature().fit(
        ValidationLogits(torch.from_numpy(classifier.decision_function(held_out)), torch.from_numpy(held_out_label))
    )
    before = calibration_error(torch.softmax(logits, dim=1).numpy(), label)
    after = calibration_error(fitted(logits).exp().numpy(), label)
    assert fitted.temperature > 1
    assert before > 0.05
    assert after <= before / 4
    assert torch.equal(fitted(logits).argmax(dim=1), logits.argmax(dim=1))
