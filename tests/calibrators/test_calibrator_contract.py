"""What every calibrator promises, over ordinary and extreme validation parts."""

import gc
import weakref

import numpy as np
import pytest
import torch

from paribus.calibrators import (
    BayesianBinning,
    Calibrator,
    HistogramBinning,
    Isotonic,
    MatrixScaling,
    Temperature,
    Uncalibrated,
    ValidationLogits,
    VectorScaling,
)
from paribus.calibrators.contract import remembered
from paribus.calibrators.logits import BLOCK
from paribus.calibrators.one_vs_all import ROWS_OF_CLASSES

CALIBRATORS: dict[str, Calibrator] = {
    "none": Uncalibrated(),
    "temperature": Temperature(),
    "vector": VectorScaling(),
    "matrix": MatrixScaling(),
    "histogram_equal_mass": HistogramBinning(bins=15, equal_mass=True),
    "histogram_equal_width": HistogramBinning(bins=15, equal_mass=False),
    "one_bin": HistogramBinning(bins=1, equal_mass=True),
    "isotonic": Isotonic(),
    "bayesian_binning": BayesianBinning(),
}
POSITIVE = {"none", "temperature", "vector", "matrix", "bayesian_binning"}
"""Those whose probabilities are never 0: a log-probability of minus infinity is a fault there."""


def ordinary(rows: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(seed)
    exact = generator.normal(scale=2.0, size=(rows, classes))
    label = (exact + generator.gumbel(size=exact.shape)).argmax(axis=1)
    return torch.from_numpy(2 * exact), torch.from_numpy(label)


def extremes() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    logits, label = ordinary(200, 3)
    two, two_label = ordinary(150, 2)
    generator = torch.Generator().manual_seed(0)
    return {
        "ordinary": (logits, label),
        "two classes": (two, two_label),
        "float32": (logits.float(), label),
        "float16": (logits.half(), label.to(torch.int16)),
        "logits of 1e4": (1e4 * logits, label),
        "saturated": (1e4 * torch.nn.functional.one_hot(label, 3).double(), label.roll(1)),
        "tiny logits": (1e-8 * logits, label),
        "far from 0": (1e6 + logits, label),
        "ties": (logits.round().clamp(-1, 1), label),
        "all equal": (torch.zeros(20, 3), label[:20]),
        "two values": (torch.tensor([[1.0, 0.0]] * 30 + [[0.0, 1.0]] * 30), two_label[:60]),
        "all correct": (logits, logits.argmax(dim=1)),
        "all wrong": (logits, logits.argmin(dim=1)),
        "a class absent": (logits[label != 2], label[label != 2]),
        "one class only": (logits[label == 1], label[label == 1]),
        "one example": (logits[:1], label[:1]),
        "one wrong example": (logits[:1], logits[:1].argmin(dim=1)),
        "one example of 1e4": (torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([1])),
        "a constant class": (torch.cat([logits[:, :2], torch.full((200, 1), 3.0)], dim=1), label),
        "more classes than examples": (torch.randn(5, 12, generator=generator), torch.arange(5)),
    }


def judged(classes: int) -> torch.Tensor:
    """Rows of all sizes: one class ahead of the others by each of many gaps, and ties."""
    gaps = torch.tensor([0.0, 1e-6, 0.5, 3.0, 30.0, 1e4, -1e4], dtype=torch.float64)
    return torch.cat([gaps[:, None] * torch.eye(classes, dtype=torch.float64)[name] for name in range(classes)])


@pytest.mark.parametrize("case", extremes())
@pytest.mark.parametrize("name", CALIBRATORS)
def test_probabilities_sum_to_one_and_inputs_are_untouched(name, case):
    logits, label = extremes()[case]
    given, given_label = logits.clone(), label.clone()
    validation = ValidationLogits(logits, label)
    fitted = CALIBRATORS[name].fit(validation)
    unseen = judged(logits.shape[1])
    for rows in (logits, unseen, unseen.float()):
        before = rows.clone()
        mapped = fitted(rows)
        assert mapped.dtype == torch.float64
        assert mapped.shape == rows.shape
        assert not mapped.isnan().any()
        assert mapped.max() <= 1e-15
        assert mapped.exp().sum(dim=1).numpy() == pytest.approx(np.ones(len(rows)), abs=1e-12)
        if name in POSITIVE:
            assert torch.isfinite(mapped).all()
        assert torch.equal(rows, before)
    assert torch.equal(logits, given)
    assert torch.equal(label, given_label)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_the_fit_is_the_same_again_and_uses_no_random_number(name):
    validation = ValidationLogits(*ordinary(300, 4))
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    one, two = CALIBRATORS[name].fit(validation), CALIBRATORS[name].fit(ValidationLogits(*ordinary(300, 4)))
    assert torch.equal(one(validation.logits), two(validation.logits))
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_gradients_and_inference_mode_do_not_matter(name):
    logits, label = ordinary(100, 3)
    expected = CALIBRATORS[name].fit(ValidationLogits(logits, label))(logits)
    followed = logits.clone().requires_grad_(True)
    mapped = CALIBRATORS[name].fit(ValidationLogits(followed, label))(followed)
    assert not mapped.requires_grad
    assert torch.equal(mapped, expected)
    with torch.inference_mode():
        assert torch.equal(CALIBRATORS[name].fit(ValidationLogits(logits.clone(), label))(logits), expected)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_each_row_is_mapped_for_itself(name):
    logits, label = ordinary(120, 3)
    fitted = CALIBRATORS[name].fit(ValidationLogits(logits, label))
    assert torch.allclose(fitted(logits[7:8]), fitted(logits)[7:8], rtol=0, atol=1e-14)
    assert torch.allclose(fitted(logits.flip(0)).flip(0), fitted(logits), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_calibrated_logits_stay_calibrated(name):
    """Labels drawn from the softmax itself: no map may do much harm, given many examples."""
    generator = np.random.default_rng(5)
    logits = torch.from_numpy(generator.normal(scale=1.5, size=(40_000, 3)))
    label = torch.from_numpy((logits.numpy() + generator.gumbel(size=(40_000, 3))).argmax(axis=1))
    fitted = CALIBRATORS[name].fit(ValidationLogits(logits[:20_000], label[:20_000]))

    def brier(probability: torch.Tensor) -> float:
        return float((probability - torch.nn.functional.one_hot(label[20_000:], 3)).square().sum(dim=1).mean())

    exact, mapped = torch.softmax(logits[20_000:], dim=1), fitted(logits[20_000:]).exp()
    if name == "one_bin":
        frequency = torch.bincount(label[:20_000], minlength=3) / 20_000
        assert mapped.numpy() == pytest.approx(np.tile(frequency, (20_000, 1)), abs=1e-6)
    else:
        assert brier(mapped) <= brier(exact) + 0.01


@pytest.mark.parametrize("name", CALIBRATORS)
def test_other_numbers_of_classes_and_bad_logits_are_refused_at_use(name):
    fitted = CALIBRATORS[name].fit(ValidationLogits(*ordinary(50, 3)))
    for classes in (2, 4):
        with pytest.raises(ValueError, match=f"{classes} classes given, 3 expected"):
            fitted(torch.zeros(5, classes))
    for bad in (float("nan"), float("inf"), -float("inf"), 1e101):
        with pytest.raises(ValueError, match="finite"):
            fitted(torch.tensor([[0.0, 0.0, 0.0], [0.0, bad, 0.0]], dtype=torch.float64))
    with pytest.raises(ValueError, match="inf given"):
        fitted(torch.tensor([[0.0, float("inf"), 0.0]]))
    with pytest.raises(ValueError, match="expected"):
        fitted(torch.zeros(3))


@pytest.mark.parametrize(
    ("logits", "label", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0).long(), "no example"),
        (torch.zeros(4, 1), torch.zeros(4).long(), r"is \[0, z\]"),
        (torch.zeros(4), torch.zeros(4).long(), r"\[n, classes\] expected"),
        (torch.zeros(4, 3).long(), torch.zeros(4).long(), "floats"),
        (torch.tensor([[0.0, float("nan")]]), torch.tensor([0]), "nan given"),
        (torch.tensor([[0.0, float("inf")]]), torch.tensor([0]), "inf given"),
        (torch.zeros(4, 3), torch.zeros(5).long(), r"shape \(4,\) expected"),
        (torch.zeros(4, 3), torch.zeros(4, 1).long(), r"shape \(4,\) expected"),
        (torch.zeros(4, 3), torch.zeros(4), "integers"),
        (torch.zeros(4, 3), torch.zeros(4).bool(), "integers"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "0 to 3 given, 0 to 2 expected"),
        (torch.zeros(2, 3), torch.tensor([-1, 2]), "-1 to 2 given"),
    ],
)
def test_a_bad_validation_part_is_refused(logits, label, message):
    with pytest.raises(ValueError, match=message):
        ValidationLogits(logits, label)


@pytest.mark.parametrize("name", CALIBRATORS)
def test_nothing_is_remarked_on_an_ordinary_fit(name):
    assert CALIBRATORS[name].fit(ValidationLogits(*ordinary(500, 3))).remark == ""


@pytest.mark.parametrize("name", ["histogram_equal_mass", "isotonic", "bayesian_binning"])
def test_classes_without_examples_are_remarked_on(name):
    logits, label = ordinary(200, 5)
    some = label < 3
    assert (
        CALIBRATORS[name].fit(ValidationLogits(logits[some], label[some])).remark.startswith("2 of 5 classes have no")
    )


@pytest.mark.parametrize("name", ["temperature", "vector", "matrix"])
def test_repeated_examples_change_no_fit(name):
    """And are beyond what is computed with at once."""
    logits, label = ordinary(300, 3)
    repeated = ValidationLogits(logits.repeat(400, 1), label.repeat(400))
    assert repeated.logits.numel() > BLOCK
    one, many = CALIBRATORS[name].fit(ValidationLogits(logits, label)), CALIBRATORS[name].fit(repeated)
    assert torch.allclose(one(logits).exp(), many(logits).exp(), atol=1e-6)


@pytest.mark.parametrize(("name", "beyond"), [("vector", BLOCK), ("temperature", BLOCK), ("isotonic", ROWS_OF_CLASSES)])
def test_rows_are_mapped_in_their_places_however_many(name, beyond):
    logits, label = ordinary(1000, 3)
    fitted = CALIBRATORS[name].fit(ValidationLogits(logits, label))
    times = beyond // 3000 + 2
    assert torch.allclose(fitted(logits.repeat(times, 1)), fitted(logits).repeat(times, 1), rtol=0, atol=1e-14)


def test_a_fit_is_remembered_as_long_as_its_validation_part():
    calls = []

    @remembered
    def rows(validation: ValidationLogits) -> int:
        calls.append(weakref.ref(validation))
        return len(validation.label)

    first, second = ValidationLogits(*ordinary(20, 3)), ValidationLogits(*ordinary(30, 3))
    assert [rows(first), rows(second), rows(first)] == [20, 30, 20]
    assert len(calls) == 2
    del first
    gc.collect()
    assert calls[0]() is None
