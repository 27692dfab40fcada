"""What may share a program, and what is named where it may not."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from paribus.families import Regression
from paribus.networks import Mlp
from paribus.objectives import Huber, RegressionObjective, Squared
from paribus.population import NotStackable
from paribus.population.structure import structure, what_sets_apart
from paribus.schedules import Constant, Cosine


class Plain(RegressionObjective):
    """Holds something, which is neither a tensor of the module nor a module."""

    def __init__(self, held):
        super().__init__()
        self.held = held

    def forward(self, prediction, target):
        return Squared()(prediction, target)


def family(seed=0, objective=None, lr=0.1, kind=Adam, hidden=4, scheduler=None, input_noise=0.0):
    return Regression(
        network=Mlp(1, 1, hidden=[hidden], activation="tanh", normalisation="none", dropout=0.0),
        objective=objective or Squared(), optimizer=lambda parameters: kind(parameters, lr=lr),
        scheduler=scheduler or Constant(), in_features=1, seed=seed, input_noise=input_noise,
    )  # fmt: skip


def test_values_are_no_structure():
    """Seeds, weights, objectives' numbers, optimizers' numbers, schedules and the step reached."""
    first = family(0, Huber(1.0), 0.1)
    second = family(1, Huber(2.0), 0.2, scheduler=Cosine(final=0.0))
    second.begin(100, 7, 0.5)
    second.step = 9
    assert structure(first) == structure(second)
    assert hash(structure(first)) == hash(structure(second))
    assert structure(first).difference(structure(second)) == ""


@pytest.mark.parametrize(("other", "named"), [
    (lambda: family(objective=Plain(1)), "the class of objective"),
    (lambda: family(hidden=5), "network.hidden.0.0.out_features"),
    (lambda: family(kind=SGD), "the phase loss"),
    (lambda: family(input_noise=0.1), "input_noise"),
    (lambda: family().eval(), "the mode of the family"),
    (lambda: family().double(), "the shape of network.hidden.0.0.weight"),
])  # fmt: skip
def test_what_differs_is_named(other, named):
    assert structure(family()).difference(structure(other())) == named
    assert structure(family()) != structure(other())


def closure(number):
    return lambda x: x * number


@pytest.mark.parametrize(("first", "second", "same"), [
    (1, 1, True),
    (1, 1.0, False),
    (True, 1, False),
    (float("nan"), float("nan"), True),
    ([1, (2, {"a": 3})], [1, (2, {"a": 3})], True),
    ([1, (2, {"a": 3})], [1, (2, {"a": 4})], False),
    ({1, 2}, {2, 1}, True),
    (None, 0, False),
    (torch.tanh, torch.tanh, True),
    (torch.tanh, torch.relu, False),
    (nn.Tanh, nn.Tanh, True),
    (closure(2), closure(2), True),
    (closure(2), closure(3), False),
    (partial(closure, 2), partial(closure, 2), True),
    (partial(closure, 2), partial(closure, 3), False),
    (torch.float32, torch.float64, False),
])  # fmt: skip
def test_plain_attributes_are_compared_by_value(first, second, same):
    a, b = (structure(family(objective=Plain(each))) for each in (first, second))
    assert (a == b) is same
    assert a.difference(b) == ("" if same else "objective.held")


@pytest.mark.parametrize(("held", "what"), [
    (torch.ones(3), "a tensor that is no buffer"),
    ([torch.ones(3)], "a tensor that is no buffer"),
    (torch.Generator(), "of type Generator"),
    (closure(torch.ones(3)), "a tensor that is no buffer"),
    ([nn.Linear(1, 1)], "of type Linear"),
    (object(), "of type object"),
])  # fmt: skip
def test_what_cannot_be_compared_is_refused_by_name(held, what):
    """Even one that both hold: nobody can tell whether a loss changes it."""
    with pytest.raises(NotStackable, match=rf"^objective\.held is {what}, which cannot be compared between runs$"):
        structure(family(objective=Plain(held)))


def test_what_sets_one_apart_is_named_against_the_most_similar_other():
    mine, others = family(objective=Plain(0.1)), [family(hidden=9), family(objective=Plain(0.2), seed=1)]
    assert what_sets_apart(mine, others) == "there is one of its kind: objective.held is its own"
    assert what_sets_apart(mine, [family(), others[0]]) == (
        "there is one of its kind: the class of objective is its own"
    )
    assert what_sets_apart(mine, [family(objective=Plain(object()))]) == "there is one of its kind"
    assert others[1].hparams == {}  # which Lightning asks of what it trains, and is an attribute from then on
    assert what_sets_apart(mine, others[1:]) == "there is one of its kind: objective.held is its own"
    assert what_sets_apart(mine, []) == "there is one of its kind"
    assert what_sets_apart(family(objective=Plain(object())), [mine]) == "there is one of its kind"
