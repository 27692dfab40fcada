"""The multilayer perceptron against its composition, activations and normalisations written by hand."""

import math

import pytest
import torch

from paribus.errors import UserError
from paribus.networks import Mlp

PLAIN = {"normalisation": "none", "dropout": 0.0}
BY_HAND = {
    "relu": lambda x: x * (x > 0),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "gelu": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + (-x).exp()),
}


@pytest.mark.parametrize("activation", BY_HAND)
def test_mlp_is_the_composition_written_by_hand(activation):
    network = Mlp(in_features=3, out_features=2, hidden=[5, 4], activation=activation, **PLAIN).double()
    first, first_bias, second, second_bias, last, last_bias = network.parameters()
    inputs = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    f = BY_HAND[activation]
    expected = f(f(inputs @ first.T + first_bias) @ second.T + second_bias) @ last.T + last_bias
    torch.testing.assert_close(network(inputs), expected)


@pytest.mark.parametrize(("hidden", "parameters"), [([], 3 * 2 + 2), ([5], 20 + 12), ([5, 4], 20 + 24 + 10)])
def test_parameters_are_counted(hidden, parameters):
    network = Mlp(in_features=3, out_features=2, hidden=hidden, activation="relu", **PLAIN)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_no_hidden_layer_leaves_an_affine_map():
    network = Mlp(in_features=3, out_features=2, hidden=[], activation="relu", **PLAIN)
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(inputs) + network(-inputs), 2 * network(torch.zeros(4, 3)))


@pytest.mark.parametrize("hidden", [[0], [4, -1]])
def test_a_width_below_one_is_refused(hidden):
    with pytest.raises(ValueError, match=r"hidden is \[.*\], expected widths of at least 1"):
        Mlp(3, 2, hidden=hidden, activation="relu", **PLAIN)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation is 'elu', expected one of relu, tanh, gelu, silu"):
        Mlp(3, 2, hidden=[4], activation="elu", **PLAIN)


def by_hand(inputs, normalise, parameters):
    weight, bias, scale, shift, last, last_bias = parameters
    return (normalise(inputs @ weight.T + bias) * scale + shift).relu() @ last.T + last_bias


@pytest.mark.parametrize(("normalisation", "over"), [("batch", 0), ("layer", 1)])
def test_normalisation_is_that_of_the_hidden_units_before_the_activation(normalisation, over):
    """Over the minibatch or over the units, with the biased variance and epsilon 1e-5."""
    network = Mlp(3, 2, hidden=[6], activation="relu", normalisation=normalisation, dropout=0.0).double()
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double()
    inputs = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def normalise(units):
        centred = units - units.mean(over, keepdim=True)
        return centred / (centred.square().mean(over, keepdim=True) + 1e-5).sqrt()

    torch.testing.assert_close(network(inputs), by_hand(inputs, normalise, network.parameters()))


def test_batch_normalisation_uses_running_statistics_after_training():
    """After one minibatch they have moved a tenth of the way from mean 0 and variance 1 to its own, unbiased."""
    network = Mlp(3, 2, hidden=[6], activation="relu", normalisation="batch", dropout=0.0).double()
    inputs = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network(inputs)
    weight, bias = list(network.parameters())[:2]
    units = (inputs @ weight.T + bias).detach()
    mean, variance = 0.1 * units.mean(0), 0.9 + 0.1 * units.var(0)
    expected = by_hand(inputs, lambda units: (units - mean) / (variance + 1e-5).sqrt(), network.parameters())
    torch.testing.assert_close(network.eval()(inputs), expected)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="normalisation is 'group', expected one of none, batch, layer"):
        Mlp(3, 2, hidden=[4], activation="relu", normalisation="group", dropout=0.0)


def test_a_minibatch_of_one_cannot_be_normalised_over_itself():
    network = Mlp(in_features=3, out_features=2, hidden=[4], activation="relu", normalisation="batch", dropout=0.0)
    with pytest.raises(UserError, match=r"data\.batch_size"):
        network(torch.ones(1, 3))
    assert network.eval()(torch.ones(1, 3)).shape == (1, 2)
