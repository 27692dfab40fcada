"""Dropout's mean and variance against the closed form, given the noise; and where it is the identity."""

import math

import pytest
import torch

from paribus.networks import Mlp
from paribus.networks.dropout import Dropout
from paribus.noise import NoiseSpec

MANY = 200_000


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_mean_and_variance_are_those_of_a_scaled_bernoulli(probability):
    """Mean x and variance x^2 p / (1 - p), each within five standard errors of its estimate over many draws."""
    inputs = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    uniform = torch.rand(MANY, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    outputs = Dropout(probability, (3,), "dropped")(inputs.expand(MANY, 3), {"dropped": uniform})
    variance = inputs.square() * probability / (1 - probability)
    assert ((outputs.mean(0) - inputs).abs() < 5 * (variance / MANY).sqrt()).all()
    kept = 1 - probability
    fourth = inputs**4 * (kept * (1 / kept - 1) ** 4 + probability)  # the fourth central moment
    error = ((fourth - variance.square()) / MANY).sqrt()
    through_the_mean = 26 * variance / MANY  # the square of its error, and n - 1 in place of n
    assert ((outputs.var(0) - variance).abs() < 5 * error + through_the_mean).all()


def test_a_number_below_the_probability_drops_its_feature_and_no_other():
    uniform = torch.tensor([[0.0, 0.2499, 0.25, 0.9999]])
    outputs = Dropout(0.25, (4,), "dropped")(torch.ones(1, 4), {"dropped": uniform, "another": uniform.flip(1)})
    assert outputs.tolist() == [[0, 0, pytest.approx(4 / 3), pytest.approx(4 / 3)]]


def test_a_channel_is_dropped_as_a_whole():
    images = torch.rand(2, 3, 4, 5) + 1
    outputs = Dropout(0.5, (3,), "dropped")(images, {"dropped": torch.tensor([[0.1, 0.6, 0.7], [0.9, 0.4, 0.3]])})
    kept = torch.tensor([[0.0, 2.0, 2.0], [2.0, 0.0, 0.0]])
    assert torch.equal(outputs, images * kept[:, :, None, None])


def test_without_noise_it_is_the_identity():
    inputs = torch.randn(3, 4)
    assert Dropout(0.5, (4,), "dropped").train()(inputs, {}) is inputs


def test_probability_zero_needs_no_noise():
    assert Dropout(0.0, (4,), "dropped").noise_spec() == {}
    assert Dropout(0.5, (4,), "dropped").noise_spec() == {"dropped": NoiseSpec((4,), "uniform")}


@pytest.mark.parametrize("probability", [-0.1, 1.0, math.nan])
def test_a_probability_out_of_range_is_refused(probability):
    with pytest.raises(ValueError, match=f"dropout is {probability}, expected a probability"):
        Dropout(probability, (4,), "dropped")


def test_an_mlp_drops_hidden_units_as_by_hand():
    """Each layer's own numbers, after the activation and before the next layer."""
    network = Mlp(in_features=3, out_features=2, hidden=[5, 4], activation="relu", normalisation="none", dropout=0.5)
    assert network.noise_spec() == {"dropout_1": NoiseSpec((5,), "uniform"), "dropout_2": NoiseSpec((4,), "uniform")}
    network = network.double()
    first, first_bias, second, second_bias, last, last_bias = network.parameters()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(7, 3, dtype=torch.float64, generator=generator)
    noise = {name: torch.rand(7, *each.shape, generator=generator) for name, each in network.noise_spec().items()}
    kept = [2.0 * (noise[f"dropout_{layer}"] >= 0.5) for layer in (1, 2)]
    hidden = (inputs @ first.T + first_bias).relu() * kept[0]
    expected = ((hidden @ second.T + second_bias).relu() * kept[1]) @ last.T + last_bias
    torch.testing.assert_close(network(inputs, noise), expected)
