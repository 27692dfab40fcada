import math

import pytest
import torch

from paribus.networks import Mlp

BY_HAND = {
    "relu": lambda x: x * (x > 0),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "gelu": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + (-x).exp()),
}


@pytest.mark.parametrize("activation", BY_HAND)
def test_mlp_is_the_composition_written_by_hand(activation):
    network = Mlp(in_features=3, out_features=2, hidden=[5, 4], activation=activation).double()
    first, first_bias, second, second_bias, last, last_bias = network.parameters()
    inputs = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    f = BY_HAND[activation]
    expected = f(f(inputs @ first.T + first_bias) @ second.T + second_bias) @ last.T + last_bias
    torch.testing.assert_close(network(inputs), expected)


@pytest.mark.parametrize(("hidden", "parameters"), [([], 3 * 2 + 2), ([5], 20 + 12), ([5, 4], 20 + 24 + 10)])
def test_parameters_are_counted(hidden, parameters):
    network = Mlp(in_features=3, out_features=2, hidden=hidden, activation="relu")
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_no_hidden_layer_leaves_an_affine_map():
    network = Mlp(in_features=3, out_features=2, hidden=[], activation="relu")
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(inputs) + network(-inputs), 2 * network(torch.zeros(4, 3)))


@pytest.mark.parametrize("hidden", [[0], [4, -1]])
def test_a_width_below_one_is_refused(hidden):
    with pytest.raises(ValueError, match=r"hidden is \[.*\], expected widths of at least 1"):
        Mlp(3, 2, hidden=hidden, activation="relu")


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation is 'elu', expected one of relu, tanh, gelu, silu"):
        Mlp(3, 2, hidden=[4], activation="elu")
