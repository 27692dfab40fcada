"""Every optimizer of the config tree: its arguments are torch's, and it minimises."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

FILES = sorted((Path(__file__).parents[2] / "conf" / "optimizer").glob("*.yaml"))
FIRST_STEP = {  # of weight 2 with gradient 4 at learning rate 0.1, from each method's published update
    "sgd": -0.4,
    "momentum": -0.4,
    "nesterov": -0.1 * (4 + 0.9 * 4),
    "adagrad": -0.1,
    "rmsprop": -0.1 * 4 / (4 * (1 - 0.99) ** 0.5),
    "adam": -0.1,
    "dcgan": -0.1,
    "wgan_gp": -0.1,
    "adamw": -0.1 - 0.1 * 0.01 * 2,
    "lbfgs": -2.0,  # a line search on a parabola ends at its minimum
}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


def target_and_arguments(path):
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    assert node.pop("_partial_") is True
    return getattr(import_module(module), name), node


def step(optimizer, weight):
    def closure():
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)


def test_each_file_says_what_it_is_and_sets_only_arguments_of_its_target(path):
    target, arguments = target_and_arguments(path)
    assert path.read_text().startswith("# ")
    assert set(arguments) < set(inspect.signature(target).parameters)
    assert "lr" in arguments


def test_first_step_is_the_published_one(path):
    target, arguments = target_and_arguments(path)
    weight = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    step(target([weight], **{**arguments, "lr": 1.0 if path.stem == "lbfgs" else 0.1}), weight)
    assert weight.item() - 2.0 == pytest.approx(FIRST_STEP[path.stem], rel=1e-6)


def test_the_chosen_learning_rate_descends(path):
    target, arguments = target_and_arguments(path)
    weight = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    optimizer = target([weight], **arguments)
    for _ in range(20):
        step(optimizer, weight)
    assert abs(weight.item()) < 2.0
