"""Linear and polynomial networks against numpy's polynomials and a matrix product."""

import numpy as np
import pytest
import torch

from paribus.networks import Linear, Polynomial

INPUTS = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(6, 2)


def test_linear_is_an_affine_map():
    network = Linear(in_features=2, out_features=3).double()
    assert sum(parameter.numel() for parameter in network.parameters()) == 2 * 3 + 3
    weight, bias = network.linear.weight.detach().numpy(), network.linear.bias.detach().numpy()
    np.testing.assert_allclose(network(INPUTS).detach().numpy(), INPUTS.numpy() @ weight.T + bias, rtol=1e-13)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_polynomial_has_the_powers_of_numpy(degree):
    network = Polynomial(in_features=1, out_features=1, degree=degree).double()
    assert sum(parameter.numel() for parameter in network.parameters()) == degree + 1
    inputs = INPUTS.reshape(-1, 1)
    powers = np.polynomial.polynomial.polyvander(inputs.numpy()[:, 0], degree)
    np.testing.assert_allclose(network.features(inputs).numpy(), powers[:, 1:], rtol=1e-13)
    coefficients = np.concatenate([network.linear.bias.detach(), network.linear.weight.detach()[0]])
    expected = np.polynomial.polynomial.polyval(inputs.numpy()[:, 0], coefficients)
    np.testing.assert_allclose(network(inputs).detach().numpy()[:, 0], expected, rtol=1e-12, atol=1e-13)


def test_polynomial_of_several_inputs_has_no_cross_terms():
    network = Polynomial(in_features=2, out_features=3, degree=2).double()
    first, second = INPUTS[:, 0], INPUTS[:, 1]
    expected = torch.stack([first, second, first**2, second**2], dim=1)
    torch.testing.assert_close(network.features(INPUTS), expected)
    assert network(INPUTS).shape == (6, 3)
    assert sum(parameter.numel() for parameter in network.parameters()) == 2 * 2 * 3 + 3


@pytest.mark.parametrize("degree", [0, -1])
def test_polynomial_refuses_a_degree_below_one(degree):
    with pytest.raises(ValueError, match=f"degree is {degree}, expected at least 1"):
        Polynomial(1, 1, degree=degree)
