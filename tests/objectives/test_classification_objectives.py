"""The objectives of classification against scipy, torch's own losses, 60 digits and gradients worked out by hand."""

import mpmath
import numpy as np
import pytest
import torch
from mpmath import mpf
from scipy.special import log_softmax, softmax
from torch.nn import functional
from torch.nn.functional import one_hot

from paribus.objectives import Brier, CrossEntropy, Focal, LabelSmoothing

BATCH, CLASSES = 64, 5
OBJECTIVES = {
    "cross_entropy": CrossEntropy(),
    "label_smoothing": LabelSmoothing(smoothing=0.1),
    "focal": Focal(gamma=2.0),
    "focal_below_one": Focal(gamma=0.5),
    "brier": Brier(),
}
each_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(BATCH, CLASSES, dtype=torch.float64, generator=generator)
    return logits, torch.randint(CLASSES, (BATCH,), generator=generator)


def value_and_gradient(objective, logits, label):
    logits = logits.clone().requires_grad_()
    total = objective(logits, label).total
    return total.detach(), torch.autograd.grad(total, logits)[0]


def test_cross_entropy_is_scipys_and_torchs(batch):
    logits, label = batch
    total, gradient = value_and_gradient(CrossEntropy(), logits, label)
    expected = -log_softmax(logits.numpy(), axis=1)[np.arange(BATCH), label.numpy()].mean()
    assert total.item() == pytest.approx(expected, rel=1e-14)
    torch.testing.assert_close(total, functional.cross_entropy(logits, label))
    torch.testing.assert_close(gradient, (logits.softmax(-1) - one_hot(label, CLASSES)) / BATCH)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_is_the_cross_entropy_of_smoothed_labels(batch, smoothing):
    logits, label = batch
    loss = LabelSmoothing(smoothing)(logits, label)
    total, gradient = value_and_gradient(LabelSmoothing(smoothing), logits, label)
    smoothed = (1 - smoothing) * np.eye(CLASSES)[label.numpy()] + smoothing / CLASSES
    expected = -(smoothed * log_softmax(logits.numpy(), axis=1)).sum(1).mean()
    assert total.item() == pytest.approx(expected, rel=1e-14)
    torch.testing.assert_close(total, functional.cross_entropy(logits, label, label_smoothing=smoothing))
    torch.testing.assert_close(gradient, (logits.softmax(-1) - torch.from_numpy(smoothed)) / BATCH)
    torch.testing.assert_close(loss.terms["label"], (1 - smoothing) * functional.cross_entropy(logits, label))
    torch.testing.assert_close(loss.terms["label"] + loss.terms["uniform"], total)


def test_the_optimum_of_label_smoothing_is_as_confident_as_its_labels():
    """For one example whose label is q the minimum is softmax(logits) = q: the confidence that the docstring states."""
    logits = torch.zeros(1, CLASSES, dtype=torch.float64)
    for _ in range(4000):
        logits -= value_and_gradient(LabelSmoothing(0.1), logits, torch.tensor([2]))[1]
    assert logits.softmax(-1).max().item() == pytest.approx(1 - 0.1 + 0.1 / CLASSES, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_is_its_definition_and_its_gradient_that_worked_out_by_hand(batch, gamma):
    logits, label = batch
    total, gradient = value_and_gradient(Focal(gamma), logits, label)
    p = softmax(logits.numpy(), axis=1)
    own = p[np.arange(BATCH), label.numpy()]
    assert total.item() == pytest.approx((-((1 - own) ** gamma) * np.log(own)).mean(), rel=1e-12)
    factor = (1 - own) ** (gamma - 1) * (1 - own - gamma * own * np.log(own))
    expected = (p - np.eye(CLASSES)[label.numpy()]) * factor[:, None] / BATCH
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-9, atol=1e-15)


def test_focal_at_gamma_zero_is_the_cross_entropy(batch):
    one, other = value_and_gradient(Focal(0.0), *batch), value_and_gradient(CrossEntropy(), *batch)
    torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("margin", [-1e4, -30.0, -1.0, 0.0, 1.0, 12.0, 30.0, 100.0])
def test_focal_of_two_classes_keeps_its_digits_where_p_is_nearly_one(gamma, margin):
    """d/dm of -(1 - p)^gamma log p with p = 1 / (1 + e^-m), in 60 digits."""
    with mpmath.workdps(60):
        p = 1 / (1 + mpmath.exp(-mpf(margin)))
        rest = 1 / (1 + mpmath.exp(mpf(margin)))
        slope = -(rest**gamma) * (rest - gamma * p * mpmath.log(p))
        expected = float(-(rest**gamma) * mpmath.log(p)), float(slope)
    total, gradient = value_and_gradient(
        Focal(gamma), torch.tensor([[margin, 0.0]], dtype=torch.float64), torch.tensor([0])
    )
    assert total.item() == pytest.approx(expected[0], rel=1e-12, abs=0)
    assert gradient[0, 0].item() == pytest.approx(expected[1], rel=1e-12, abs=0)


def test_brier_is_its_definition_and_its_gradient_that_worked_out_by_hand(batch):
    logits, label = batch
    total, gradient = value_and_gradient(Brier(), logits, label)
    p, onehot = softmax(logits.numpy(), axis=1), np.eye(CLASSES)[label.numpy()]
    assert total.item() == pytest.approx(((p - onehot) ** 2).sum(1).mean(), rel=1e-14)
    distance = p - onehot
    expected = 2 * p * (distance - (p * distance).sum(1, keepdims=True)) / BATCH
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-10, atol=1e-17)


@each_objective
def test_the_gradient_is_that_of_finite_differences(objective, batch):
    logits, label = batch[0][:8].clone().requires_grad_(), batch[1][:8]
    assert torch.autograd.gradcheck(lambda logits: objective(logits, label).total, (logits,))


@each_objective
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_sure_and_right_sure_and_wrong_and_undecided_are_finite(objective, dtype, size):
    rows = torch.eye(4, dtype=dtype) * size
    logits = torch.cat([rows, -rows, rows * 2 - size, torch.full((4, 4), size, dtype=dtype)])
    for shift in range(4):
        label = torch.arange(16).add(shift) % 4
        total, gradient = value_and_gradient(objective, logits, label)
        assert total.isfinite()
        assert gradient.isfinite().all()
        assert gradient.abs().max() <= 3  # each is a bounded multiple of p - onehot


def test_values_at_the_extremes():
    """Sure and wrong by 1e4: the cross entropy is 1e4, the Brier score 2; sure and right: both 0."""
    logits, right, wrong = torch.tensor([[1e4, 0.0, 0.0]]), torch.tensor([0]), torch.tensor([1])
    assert CrossEntropy()(logits, wrong).total.item() == Focal(2.0)(logits, wrong).total.item() == 1e4
    assert Brier()(logits, wrong).total.item() == 2
    for objective in (CrossEntropy(), Focal(2.0), Focal(0.5), Brier()):
        assert objective(logits, right).total.item() == 0
    expected = 0.1 * 2 / 3 * 1e4  # the two other classes hold smoothing / 3 each
    assert LabelSmoothing(0.1)(logits, right).total.item() == pytest.approx(expected)


@each_objective
def test_what_does_not_fit_is_refused(objective):
    logits = torch.zeros(3, 4)
    for wrong in (torch.zeros(2, dtype=torch.int64), torch.zeros(3, 1, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"expected \[batch, classes\] and \[batch\]"):
            objective(logits, wrong)
    for shape in ((3,), (3, 1), (3, 4, 1), (0, 4)):
        with pytest.raises(ValueError, match=r"at least one example and two classes"):
            objective(torch.zeros(shape), torch.zeros(shape[:1], dtype=torch.int64))
    for dtype in (torch.float32, torch.bool):
        with pytest.raises(ValueError, match=f"labels are of {dtype}, expected integers"):
            objective(logits, torch.zeros(3, dtype=dtype))
    with pytest.raises(RuntimeError, match="out of bounds"):
        objective(logits, torch.tensor([0, 1, 4]))
    assert objective(logits, torch.zeros(3, dtype=torch.int32)).total.isfinite()
