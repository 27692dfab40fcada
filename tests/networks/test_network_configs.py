"""Every network of the config tree keeps the contract of networks: on vectors, and to and from images of many sizes."""

import inspect
import math
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Adam

from paribus.families import Regression
from paribus.networks import Network
from paribus.noise import NoiseStream
from paribus.objectives import Squared
from paribus.population.structure import structure
from paribus.schedules import Constant
from paribus.supplied import SUPPLIED

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("network", "encoder", "decoder", "discriminator")
BATCH, IN, OUT = 5, 3, 2
IMAGES = [(channels, size, size) for size in (8, 16, 28, 32) for channels in (1, 3)] + [(2, 9, 14), (1, 25, 25)]
SHAPES = {"in_features": [(IN,)], "in_shape": IMAGES, "out_shape": IMAGES}
"""What a network is told about its data: the width of its input, or the shape of the images that it maps from or to."""
CHOICES = [{}, {"normalisation": "batch", "dropout": 0.5}, {"normalisation": "layer", "dropout": 0.1}]


def target_and_arguments(path):
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    return getattr(import_module(module), name), node


def supplied(path):
    parameters = inspect.signature(target_and_arguments(path)[0]).parameters.values()
    return {each.name for each in parameters if SUPPLIED in getattr(each.annotation, "__metadata__", ())}


def kind(path):
    """Whether a network is told the width of its input, the shape, or the shape of its output."""
    return next(name for name in reversed(SHAPES) if name in supplied(path))


def in_shape(path, shape):
    return (IN,) if kind(path) == "out_shape" else shape


def built(path, shape, **choices):
    target, arguments = target_and_arguments(path)
    facts = {"in_features": in_shape(path, shape)[0], "in_shape": shape, "out_features": OUT, "out_shape": shape}
    return target(**{name: facts[name] for name in supplied(path)}, **{**arguments, **choices})


def inputs_of(shape, *leading):
    return torch.randn(*leading, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def noise_for(network, seed=0):
    """What a run gives the network at its first step."""
    return NoiseStream(network.noise_spec(), BATCH, seed).at(0, like=torch.empty(BATCH, dtype=torch.float64))


def name_of(value):
    """Of a parameter of a test."""
    if isinstance(value, Path):
        return f"{value.parent.name}_{value.stem}"
    return value.get("normalisation", "as_listed") if isinstance(value, dict) else "x".join(map(str, value))


FILES = [path for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
CASES = [(path, choices) for path in FILES for choices in CHOICES if set(choices) <= set(target_and_arguments(path)[1])]
each_file = pytest.mark.parametrize("path", FILES, ids=name_of)
each_shape = pytest.mark.parametrize(
    ("path", "shape"), [(path, shape) for path in FILES for shape in SHAPES[kind(path)]], ids=name_of
)
each_case = pytest.mark.parametrize(("path", "choices"), CASES, ids=name_of)


def test_the_networks_are_found():
    for told, names in {
        ("in_features", "out_features"): {"network_linear", "network_polynomial", "network_mlp", "decoder_mlp"},
        ("in_shape", "out_features"): {"network_lenet", "network_plain_cnn", "encoder_convolutional"},
        ("in_features", "out_shape"): {"decoder_convolutional"},
    }.items():
        assert names <= {name_of(path) for path in FILES if supplied(path) == set(told)}
    assert {name_of(path) for path, choices in CASES if choices} >= {
        *("network_mlp", "network_lenet", "network_plain_cnn", "network_resnet"),
        *("encoder_mlp", "encoder_convolutional", "decoder_mlp", "decoder_convolutional", "discriminator_mlp"),
    }


@each_file
def test_the_file_names_every_argument_that_is_not_supplied(path):
    target, arguments = target_and_arguments(path)
    parameters = inspect.signature(target).parameters
    assert set(arguments) | supplied(path) == set(parameters)
    assert all(each.default is each.empty for each in parameters.values())
    assert issubclass(target, Network)
    assert path.read_text().startswith("# ")


@each_shape
def test_each_example_has_its_own_prediction(path, shape):
    network, inputs = built(path, shape).double().eval(), inputs_of(in_shape(path, shape), BATCH)
    outputs = network(inputs)
    assert outputs.shape == (BATCH, math.prod(shape) if kind(path) == "out_shape" else OUT)
    assert outputs.dtype == torch.float64
    torch.testing.assert_close(torch.cat([network(inputs[i : i + 1]) for i in range(BATCH)]), outputs)
    assert torch.isclose(outputs[0], outputs[1]).double().mean() < 0.01


@each_case
def test_normalisation_and_dropout_leave_each_example_its_own_prediction_after_training(path, choices):
    shape = SHAPES[kind(path)][0]
    network, inputs = built(path, shape, **choices).double(), inputs_of(in_shape(path, shape), BATCH)
    network(inputs, noise_for(network))
    network.eval()
    torch.testing.assert_close(torch.cat([network(inputs[i : i + 1]) for i in range(BATCH)]), network(inputs))


@each_case
def test_all_randomness_is_declared(path, choices):
    """Without noise nothing is random, nothing reads the global stream, and every number that is declared is used."""
    shape = SHAPES[kind(path)][0]
    network, inputs = built(path, shape, **choices).double(), inputs_of(in_shape(path, shape), 64)
    spec = network.noise_spec()
    assert bool(spec) == ("dropout" in choices)
    draws = {name: torch.rand(64, *each.shape, dtype=torch.float64) for name, each in spec.items()}
    global_stream = torch.random.get_rng_state()
    assert torch.equal(network(inputs), network(inputs))
    once = network(inputs, draws)
    assert torch.equal(network(inputs, draws), once)
    assert torch.equal(torch.random.get_rng_state(), global_stream)
    for name, drawn in draws.items():
        assert not torch.equal(network(inputs, draws | {name: drawn.flip(0)}), once)


@each_case
def test_a_stack_of_networks_is_a_loop_over_them(path, choices):
    """In training, with noise: the same predictions, gradients, and buffers afterwards, such as running statistics."""
    shape = SHAPES[kind(path)][0]
    members = [built(path, shape, **choices).double() for _ in range(3)]
    inputs = inputs_of(in_shape(path, shape), 3, BATCH)
    noises = [noise_for(member, seed) for seed, member in enumerate(members)]
    parameters, buffers = stack_module_state(members)
    noise = {name: torch.stack([each[name] for each in noises]) for name in noises[0]}

    def predict(parameters, buffers, inputs, noise):
        return functional_call(members[0], (parameters, buffers), (inputs, noise))

    stacked = vmap(predict)(parameters, buffers, inputs, noise)
    gradients = torch.autograd.grad(stacked.square().sum(), list(parameters.values()))
    for index, member in enumerate(members):
        alone = member(inputs[index], noises[index])
        torch.testing.assert_close(stacked[index], alone)
        expected = torch.autograd.grad(alone.square().sum(), list(member.parameters()))
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one[index], other)
        for name, buffer in member.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)
    assert not torch.equal(stacked[0], stacked[1])
    assert bool(buffers) == ((target_and_arguments(path)[1] | choices).get("normalisation") == "batch")


@each_case
def test_a_population_can_compare_the_networks_of_its_members(path, choices):
    def family(seed):
        network = built(path, SHAPES[kind(path)][0], **choices)
        return Regression(network, Squared(), lambda each: Adam(each, lr=0.1), Constant(), 3, seed, 0.0)

    assert structure(family(0)) == structure(family(1))


@pytest.mark.parametrize("path", [path for path in FILES if kind(path) != "in_features"], ids=name_of)
@pytest.mark.parametrize("shape", [(30,), (28, 28)])
def test_a_network_for_images_refuses_a_table(path, shape):
    name = target_and_arguments(path)[0].__name__
    with pytest.raises(
        ValueError, match=rf"^{name} needs images, \[channels, height, width\].* has shape \[{shape[0]}"
    ):
        built(path, shape)
