"""The number, the mean over the batch and the residual, which every objective relies on."""

import copy
import inspect

import pytest
import torch
from torch import nn

from paribus.objectives import Huber, Number, Objective, Squared, batch_mean
from paribus.objectives.residuals import residuals


class Bounded(Objective):
    share = Number(least=0, below=1)
    offset = Number()

    def __init__(self, share: float, offset: float = 0.0) -> None:
        super().__init__()
        self.share = share
        self.offset = offset


def test_the_number_typed_is_the_number_used():
    objective = Bounded(0.1)
    assert objective.share.dtype == torch.float64
    assert objective.share.item() == 0.1
    assert objective.share.shape == ()


def test_a_number_is_a_buffer_but_not_in_a_checkpoint():
    objective = Bounded(0.1)
    assert set(dict(objective.named_buffers())) == {"share", "offset"}
    assert objective.state_dict() == {}


def test_numbers_are_a_modules_own():
    first, second = Bounded(0.1), Bounded(0.2)
    duplicate = copy.deepcopy(first)
    first.share.fill_(0.5)
    assert [module.share.item() for module in (first, second, duplicate)] == [0.5, 0.2, 0.1]


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), float("inf"), 1e-50])
def test_a_number_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=r"share is .*, expected a finite number at least 0 and below 1 within"):
        Bounded(value)


@pytest.mark.parametrize("value", [1e39, -1e39, 1e-39])
def test_a_number_that_float32_would_change_beyond_rounding_is_refused(value):
    with pytest.raises(ValueError, match=r"expected a finite number within float32's range"):
        Bounded(0.0, offset=value)


def test_a_number_is_set_once():
    objective = Bounded(0.1)
    with pytest.raises(TypeError, match="share"):
        objective.share = 0.2
    assert objective.share.item() == 0.1


def test_an_objective_without_arguments_takes_none():
    assert not inspect.signature(Squared).parameters
    with pytest.raises(TypeError):
        Squared(1.0)


def test_a_number_not_yet_set_is_named():
    class Forgetful(Objective):
        weight = Number()

    assert isinstance(Forgetful.weight, Number)
    with pytest.raises(AttributeError, match="weight"):
        _ = Forgetful().weight


def test_functional_call_replaces_a_number():
    prediction, target = torch.tensor([0.0]), torch.tensor([10.0])
    replaced = torch.func.functional_call(Huber(1.0), {"delta": torch.tensor(2.0)}, (prediction, target))
    assert replaced.total == Huber(2.0)(prediction, target).total


def test_batch_mean_keeps_the_dtype_and_does_not_overflow():
    largest = torch.full((7,), 3e38)
    assert torch.isinf(largest.sum())
    mean = batch_mean(largest)
    assert mean.dtype == torch.float32
    assert mean == largest[0]


def test_batch_mean_of_a_large_batch_is_rounded_once():
    term = torch.rand(100_001, generator=torch.Generator().manual_seed(0))
    assert batch_mean(term).item() == pytest.approx(term.double().mean().item(), rel=1e-7)


def test_squared_is_infinite_where_float32_ends_and_its_gradient_finite():
    prediction = torch.full((4,), 2e19, requires_grad=True)
    loss = Squared()(prediction, torch.zeros(4)).total
    loss.backward()
    assert loss == float("inf")
    torch.testing.assert_close(prediction.grad, torch.full((4,), 1e19))


def test_squared_of_a_batch_is_finite_where_its_mean_is():
    assert Squared()(torch.full((16,), 1.8e19), torch.zeros(16)).total.item() == pytest.approx(3.24e38, rel=1e-6)


@pytest.mark.parametrize(
    ("prediction", "target"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 1)), ((0,), (0,)), ((), ())]
)
def test_shapes_that_would_broadcast_are_refused(prediction, target):
    with pytest.raises(ValueError, match=r"expected \[batch\] for both"):
        residuals(torch.zeros(prediction), torch.zeros(target))


def test_the_residual_is_target_minus_prediction_in_the_predictions_dtype():
    found = residuals(torch.tensor([1.0, 2.0]), torch.tensor([4, 4]))
    torch.testing.assert_close(found, torch.tensor([3.0, 2.0]))
    assert residuals(torch.ones(2), torch.ones(2, dtype=torch.float64)).dtype == torch.float32


def test_objectives_are_modules_without_parameters_of_their_own():
    assert isinstance(Squared(), nn.Module)
    assert list(Squared().parameters()) == []
