"""DCGAN's networks: shapes, initial weights, where they normalise, and what they refuse."""

import math

import pytest
import torch
from torch import nn

from paribus.densities import StandardNormal
from paribus.families import Gan
from paribus.networks import DcganDiscriminator, DcganGenerator
from paribus.objectives import R1, GradientPenalty, NonSaturating
from paribus.schedules import Constant

CHANNELS = [8, 6]
CONVOLUTIONS = nn.Conv2d | nn.ConvTranspose2d


def generator(shape, channels=CHANNELS, kernel=4, features=5):
    torch.manual_seed(0)
    return DcganGenerator(features, shape, channels, kernel)


def discriminator(shape, channels=CHANNELS, kernel=4, normalisation="batch"):
    torch.manual_seed(0)
    return DcganDiscriminator(shape, 3, channels, kernel, normalisation)


def gan(penalty, normalisation):
    shape = (1, 8, 8)
    return Gan(
        StandardNormal(5), generator(shape), discriminator(shape, normalisation=normalisation), NonSaturating(),
        optimizer=torch.optim.SGD, scheduler=Constant(), in_shape=shape, seed=0, critic_steps=1, averaging=None,
        snapshots=0, penalty=penalty,
    )  # fmt: skip


def parameters(network):
    return sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 25, 25), (2, 25, 28)])
def test_images_of_any_size_are_made_and_judged(shape, kernel):
    made = generator(shape, kernel=kernel)(torch.randn(4, 5))
    assert made.shape == (4, math.prod(shape))
    assert discriminator(shape, kernel=kernel)(made.reshape(4, *shape)).shape == (4, 3)


def test_parameters_are_counted():
    """28 x 28 is 14 x 14 and 7 x 7; a normalisation has 2 numbers a channel."""
    affine, upwards = 5 * 8 * 49 + 8 * 49, 8 * 6 * 16 + 6 + 6 * 16 + 1
    assert parameters(generator((1, 28, 28))) == affine + upwards + 2 * (8 + 6)
    downwards, output = 8 * 16 + 8 + 8 * 6 * 16 + 6, 6 * 49 * 3 + 3
    assert parameters(discriminator((1, 28, 28))) == downwards + output + 2 * 6


@pytest.mark.parametrize("build", [generator, discriminator])
def test_initial_weights_are_drawn_as_in_the_paper(build):
    """The mean and the variance of n draws from N(0, .02^2) are spread by .02 / sqrt n and .02^2 sqrt(2 / n): 5 such
    deviations are one in a million.
    """
    network = build((1, 16, 16), channels=[64, 48])
    layers = [each for each in network.modules() if isinstance(each, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(layers) == 3
    assert norms
    for layer, centre in [(each, 0.0) for each in layers] + [(each, 1.0) for each in norms]:
        weight = layer.weight.detach().double() - centre
        n = weight.numel()
        assert abs(weight.mean().item()) < 5 * 0.02 / math.sqrt(n)
        assert abs(weight.square().mean().item() / 0.02**2 - 1) < 5 * math.sqrt(2 / n)
        assert not layer.bias.any()


def test_images_end_in_tanh():
    """So they are within [-1, 1], and what tanh is of is affine in the last stage's weights."""
    network = generator((1, 8, 8))
    latent = 100 * torch.randn(64, 5, generator=torch.Generator().manual_seed(1))
    before = network(latent)
    assert before.abs().max() < 1
    with torch.no_grad():
        last = [each for each in network.modules() if isinstance(each, nn.ConvTranspose2d)][-1]
        last.weight.mul_(3)
    after = network(latent)
    assert torch.allclose(after.double().atanh(), 3 * before.double().atanh(), rtol=1e-3, atol=1e-5)
    with torch.no_grad():
        last.weight.mul_(1e4)
    assert network(latent).abs().max() == 1


def normalised(network):
    """Of each convolution, in order, whether its outcome is normalised."""
    layers = list(network.stages)
    pairs = zip(layers, [*layers[1:], None], strict=True)
    return [isinstance(after, nn.BatchNorm2d) for each, after in pairs if isinstance(each, CONVOLUTIONS)]


def test_only_the_middle_is_normalised():
    assert normalised(discriminator((1, 16, 16), channels=[4, 6, 8])) == [False, True, True]
    assert normalised(generator((1, 16, 16), channels=[8, 6, 4])) == [True, True, False]
    stages = list(generator((1, 16, 16)).stages)
    first = [[isinstance(each, kind) for each in stages].index(True) for kind in (nn.BatchNorm2d, nn.ConvTranspose2d)]
    assert first[0] < first[1]  # the map that all starts from is too


def test_a_discriminators_first_stage_keeps_an_images_size():
    """What is normalised over a minibatch says nothing of a size that all its images share; the first stage does."""
    images = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    one_stage = discriminator((1, 8, 8), channels=[7])
    assert torch.allclose(2 * one_stage(images), one_stage(2 * images), atol=1e-6)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in one_stage.modules())


@pytest.mark.parametrize("build", [generator, discriminator])
@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((64,), {}, r"needs images, \[channels, height, width\], .* shape \[64\]"),
        ((1, 3, 8), {}, r"images are of 3 x 8 pixels: expected at least 4 each way"),
        ((1, 8, 8), {"channels": []}, r"channels is \[\], expected at least one stage"),
        ((1, 8, 8), {"channels": [4, 0]}, r"channels is \[4, 0\], expected .* each of at least 1"),
        ((1, 8, 8), {"kernel": 2}, "kernel is 2, expected at least 3"),
    ],
)
def test_what_cannot_be_built_is_refused(build, shape, changes, message):
    with pytest.raises(ValueError, match=message):
        build(shape, **changes)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="normalisation is 'spectral', expected one of none, batch, layer"):
        discriminator((1, 8, 8), normalisation="spectral")


@pytest.mark.parametrize("penalty", [GradientPenalty(weight=10.0, one_sided=False), R1(weight=1.0)])
def test_a_penalty_goes_with_normalisation_of_each_example_alone(penalty):
    with pytest.raises(ValueError, match=r"discriminator.normalisation other than batch: .* expected none or layer"):
        gan(penalty, "batch")
    for normalisation in ("none", "layer"):
        network = gan(penalty, normalisation).discriminator
        pair = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        alone = torch.cat([network(pair[:1]), network(pair[1:])])
        assert torch.allclose(network(pair), alone, atol=1e-6)
