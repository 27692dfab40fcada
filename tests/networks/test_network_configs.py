"""Every network of the config tree that maps vectors to vectors keeps the contract of networks."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch.func import functional_call, stack_module_state, vmap

from paribus.supplied import SUPPLIED


def target_and_arguments(path):
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name), node


def supplied(path):
    parameters = inspect.signature(target_and_arguments(path)[0]).parameters.values()
    return {each.name for each in parameters if SUPPLIED in getattr(each.annotation, "__metadata__", ())}


CONF = Path(__file__).parents[2] / "conf" / "network"
FILES = [path for path in sorted(CONF.glob("*.yaml")) if supplied(path) == {"in_features", "out_features"}]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


def built(path):
    target, arguments = target_and_arguments(path)
    return target(in_features=3, out_features=2, **arguments)


def test_the_networks_for_vectors_are_found():
    assert {"linear", "polynomial", "mlp"} <= {path.stem for path in FILES}


def test_the_file_names_every_argument_that_is_not_supplied(path):
    target, arguments = target_and_arguments(path)
    assert set(arguments) | {"in_features", "out_features"} == set(inspect.signature(target).parameters)
    assert path.read_text().startswith("# ")


def test_each_example_has_its_own_prediction(path):
    network, inputs = built(path), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    outputs = network(inputs)
    assert outputs.shape == (5, 2)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(torch.cat([network(inputs[i : i + 1]) for i in range(5)]), outputs)


def test_a_stack_of_networks_is_a_loop_over_them(path):
    members, inputs = [built(path) for _ in range(3)], torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    state = stack_module_state(members)
    stacked = vmap(lambda state, inputs: functional_call(members[0], state, (inputs,)))(state, inputs)
    looped = torch.stack([member(each) for member, each in zip(members, inputs, strict=True)])
    torch.testing.assert_close(stacked, looped)
    assert not torch.equal(looped[0], looped[1])
