"""The LeNet against its layers written out, its parameters counted by hand, and digits that it learns."""

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

from paribus.networks import LeNet

USUAL = {"channels": [6, 16], "kernel": 5, "hidden": [120, 84], "normalisation": "none", "dropout": 0.0}


def test_parameters_are_counted():
    """LeNet-5 on 28 x 28: two convolutions of 5 x 5, three dense layers; the padding leaves 7 x 7 of 16 channels."""
    network = LeNet(in_shape=(1, 28, 28), out_features=10, **USUAL)
    convolutions = (6 * 1 * 25 + 6) + (16 * 6 * 25 + 16)
    dense = (16 * 7 * 7 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)
    assert sum(each.numel() for each in network.parameters()) == convolutions + dense == 107786


def test_it_is_the_composition_of_its_layers():
    network = LeNet((3, 8, 12), 4, **USUAL | {"hidden": [5]}).double()
    first, first_bias, second, second_bias, dense, dense_bias, last, last_bias = network.parameters()
    inputs = torch.randn(6, 3, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    features = max_pool2d(conv2d(inputs, first, first_bias, padding=2).relu(), 2)
    features = max_pool2d(conv2d(features, second, second_bias, padding=2).relu(), 2).flatten(1)
    expected = (features @ dense.T + dense_bias).relu() @ last.T + last_bias
    torch.testing.assert_close(network(inputs), expected)


@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("channels", [], r"channels is \[\], expected at least one stage"),
        ("channels", [0], r"channels is \[0\], expected at least one stage, each of at least 1"),
        (
            "channels",
            [2, 2, 2, 2],
            r"halves an image 4 times, and the images are of 8 x 12 pixels: expected at least 16",
        ),
        ("kernel", 4, "kernel is 4, expected an odd number"),
        ("kernel", -1, "kernel is -1, expected an odd number"),
        ("hidden", [0], r"hidden is \[0\]"),
        ("normalisation", "instance", "normalisation is 'instance', expected one of none, batch, layer"),
        ("dropout", 1.0, "dropout is 1.0"),
    ],
)
def test_what_is_out_of_range_is_refused(argument, value, told):
    with pytest.raises(ValueError, match=told):
        LeNet((1, 8, 12), 10, **USUAL | {argument: value})
