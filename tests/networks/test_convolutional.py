"""The strided encoder and its mirror image, the decoder, against their sums written out and against one another."""

import math
from itertools import product

import pytest
import torch
from torch.nn.functional import pad

from paribus.networks import ConvDecoder, ConvEncoder

USUAL = {"kernel": 4, "activation": "relu", "normalisation": "none", "dropout": 0.0}
ENCODER = USUAL | {"channels": [5, 7], "hidden": [6]}
DECODER = USUAL | {"channels": [7, 5], "hidden": [6]}
each_kernel = pytest.mark.parametrize("kernel", [3, 4, 5, 6])


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def windows(images, kernel):
    """Of a convolution with stride 2, what each of its outputs sees: `[batch, channels * kernel^2, out, out]`."""
    padding = (kernel - 1) // 2
    padded = pad(images, (padding, padding, padding, padding))
    high, wide = (range(0, size - kernel + 1, 2) for size in padded.shape[2:])
    seen = [[padded[:, :, i : i + kernel, j : j + kernel].flatten(1) for j in wide] for i in high]
    return torch.stack([torch.stack(row, dim=-1) for row in seen], dim=-2)


def convolved(images, weight, bias):
    return torch.einsum("bsij,os->boij", windows(images, weight.shape[-1]), weight.flatten(1)) + bias[:, None, None]


def spread(maps, weight, bias, size):
    """A transposed convolution, term by term: output pixel 2i - padding + t gets what pixel i has times weight t."""
    kernel = weight.shape[-1]
    padding = (kernel - 1) // 2
    output = bias[None, :, None, None].repeat(len(maps), 1, *size)
    for i, j, s, t in product(range(maps.shape[2]), range(maps.shape[3]), range(kernel), range(kernel)):
        row, column = 2 * i - padding + s, 2 * j - padding + t
        if 0 <= row < size[0] and 0 <= column < size[1]:
            output[:, :, row, column] += maps[:, :, i, j] @ weight[:, :, s, t]
    return output


def test_the_encoders_parameters_are_counted():
    """28 x 28 is halved to 14 x 14 and 7 x 7."""
    network = ConvEncoder((1, 28, 28), 16, **ENCODER | {"channels": [32, 64], "hidden": [128]})
    convolutions = (32 * 1 * 16 + 32) + (64 * 32 * 16 + 64)
    dense = (64 * 7 * 7 * 128 + 128) + (128 * 16 + 16)
    assert sum(each.numel() for each in network.parameters()) == convolutions + dense


def test_the_decoders_parameters_are_counted():
    network = ConvDecoder(8, (1, 28, 28), **DECODER | {"channels": [64, 32], "hidden": [128]})
    dense = (8 * 128 + 128) + (128 * 64 * 7 * 7 + 64 * 7 * 7)
    convolutions = (64 * 32 * 16 + 32) + (32 * 1 * 16 + 1)
    assert sum(each.numel() for each in network.parameters()) == dense + convolutions


@each_kernel
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_the_encoder_is_the_composition_written_by_hand(kernel, size):
    network = ConvEncoder((3, *size), 4, **ENCODER | {"kernel": kernel}).double()
    first, first_bias, second, second_bias, dense, dense_bias, last, last_bias = network.parameters()
    images = random(6, 3, *size)
    features = convolved(convolved(images, first, first_bias).relu(), second, second_bias).relu().flatten(1)
    expected = (features @ dense.T + dense_bias).relu() @ last.T + last_bias
    torch.testing.assert_close(network(images), expected)


@each_kernel
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_the_decoder_is_the_composition_written_by_hand(kernel, size):
    network = ConvDecoder(4, (3, *size), **DECODER | {"kernel": kernel}).double()
    dense, dense_bias, wide, wide_bias, first, first_bias, second, second_bias = network.parameters()
    codes = random(6, 4)
    half = [math.ceil(each / 2) if kernel % 2 else each // 2 for each in size]
    quarter = [math.ceil(each / 2) if kernel % 2 else each // 2 for each in half]
    maps = ((codes @ dense.T + dense_bias).relu() @ wide.T + wide_bias).relu().reshape(6, 7, *quarter)
    expected = spread(spread(maps, first, first_bias, half).relu(), second, second_bias, size)
    torch.testing.assert_close(network(codes), expected.flatten(1))


@each_kernel
def test_a_decoders_stage_is_the_transpose_of_an_encoders(kernel):
    """<convolution of x, y> = <x, transposed convolution of y> where both have the same weights and no bias."""
    encoder = ConvEncoder((3, 11, 14), 2, **ENCODER | {"kernel": kernel, "channels": [5]}).double()
    decoder = ConvDecoder(2, (3, 11, 14), **DECODER | {"kernel": kernel, "channels": [5]}).double()
    down, up = encoder.stages[0][0], decoder.stages[0]
    up.weight.data = down.weight.data
    down.bias.data.zero_()
    up.bias.data.zero_()
    image = random(1, 3, 11, 14)
    small = down(image)
    other = random(*small.shape)
    torch.testing.assert_close((small * other).sum(), (image * up(other)).sum())


@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (8, 8), (9, 14), (25, 25), (28, 28), (32, 31)])
def test_images_of_any_size_are_met_exactly_and_every_pixel_counts(kernel, size):
    arguments = {"kernel": kernel, "activation": "tanh", "hidden": []}
    encoder = ConvEncoder((2, *size), 3, **ENCODER | arguments).double()
    image = random(1, 2, *size).requires_grad_()
    encoder(image).sum().backward()
    assert (image.grad != 0).all()
    decoder = ConvDecoder(3, (2, *size), **DECODER | arguments).double()
    code = random(1, 3)
    assert decoder(code).shape == (1, 2 * size[0] * size[1])
    assert (decoder(code) != decoder(code + 1)).all()
    assert torch.equal(decoder(code).reshape(2, *size)[1], decoder(code)[0, size[0] * size[1] :].reshape(size))


def test_an_even_kernel_leaves_no_checkerboard():
    """Where the map is constant, away from the edges, so is what a stage makes of it; an odd kernel leaves a grid."""
    spreads = {}
    for kernel in (3, 4, 6):
        decoder = ConvDecoder(2, (1, 32, 32), **DECODER | {"kernel": kernel, "channels": [3]}).double()
        stage = decoder.stages[0]
        stage.weight.data.fill_(0.1)
        inner = stage(torch.ones(1, 3, 16, 16, dtype=torch.float64))[0, 0, 8:-8, 8:-8].detach()
        spreads[kernel] = float(inner.max() - inner.min())
    assert spreads[4] < 1e-12
    assert spreads[6] < 1e-12
    assert spreads[3] == pytest.approx(0.1 * 3 * (4 - 1))  # a pixel is covered by 1, 2 or 4 terms of each channel


@pytest.mark.parametrize("build", [lambda given: ConvEncoder((1, 8, 12), 10, **ENCODER | given),
                                   lambda given: ConvDecoder(10, (1, 8, 12), **DECODER | given)])  # fmt: skip
@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("channels", [], r"channels is \[\], expected at least one stage"),
        ("channels", [0], r"channels is \[0\], expected at least one stage, each of at least 1"),
        ("channels", [2, 2, 2, 2], r"4 times, and the images are of 8 x 12 pixels: expected at least 16"),
        ("kernel", 2, "kernel is 2, expected at least 3"),
        ("hidden", [0], r"hidden is \[0\]"),
        ("activation", "elu", "activation is 'elu', expected one of relu, tanh, gelu, silu"),
        ("normalisation", "instance", "normalisation is 'instance', expected one of none, batch, layer"),
        ("dropout", 1.0, "dropout is 1.0"),
    ],
)
def test_what_is_out_of_range_is_refused(build, argument, value, told):
    with pytest.raises(ValueError, match=told):
        build({argument: value})


@pytest.mark.parametrize("normalisation", ["batch", "layer"])
def test_every_map_but_the_last_is_normalised(normalisation):
    """So the decoder's stages do not see the scale of the affine map before them, save through epsilon."""
    network = ConvDecoder(4, (3, 8, 8), **DECODER | {"normalisation": normalisation, "hidden": []}).double()
    codes = random(6, 4)
    once = network(codes)
    for parameter in network.perceptron.parameters():
        parameter.data *= 1000
    torch.testing.assert_close(network(codes), once, rtol=0, atol=1e-2)
    assert once.std() > 0.1
