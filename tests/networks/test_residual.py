"""ResNet and the plain network: alike but for the skip, the identity at first, and what depth does to each."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from paribus.networks import PlainCnn, ResNet
from paribus.networks.residual import ResidualBlock

USUAL = {"widths": [4, 8], "blocks": 2, "kernel": 3, "normalisation": "batch", "dropout": 0.0}
each_normalisation = pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])


def images(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@each_normalisation
def test_a_residual_block_is_the_identity_at_initialisation(normalisation):
    block, inputs = ResidualBlock(4, 4, 3, 1, normalisation).double(), images(5, 4, 6, 7).relu()
    assert torch.equal(block(inputs), inputs)


@each_normalisation
def test_a_residual_block_that_changes_the_size_subsamples_at_initialisation(normalisation):
    block, inputs = ResidualBlock(4, 6, 3, 2, normalisation).double(), images(5, 4, 6, 7).relu()
    outputs = block(inputs)
    assert torch.equal(outputs[:, :4], inputs[:, :, ::2, ::2])
    assert torch.equal(outputs[:, 4:], torch.zeros(5, 2, 3, 4, dtype=torch.float64))


@each_normalisation
def test_a_residual_block_adds_to_its_input_what_the_plain_block_computes(normalisation):
    block, inputs = ResidualBlock(4, 4, 3, 1, normalisation).double(), images(5, 4, 6, 7).relu()
    with torch.no_grad():
        for number, parameter in enumerate(block.parameters()):
            parameter.copy_(images(*parameter.shape, seed=number))
    branch = block.second(block.first(inputs).relu())
    assert branch.abs().max() > 0.1
    torch.testing.assert_close(block(inputs), (inputs + branch).relu())


@each_normalisation
@pytest.mark.parametrize("kind", [PlainCnn, ResNet])
def test_every_parameter_moves_once_the_branches_have(kind, normalisation):
    """The branches start at 0, and so does the gradient of what feeds them; one step later all of it is there."""
    network = kind((1, 8, 8), 3, **USUAL | {"normalisation": normalisation}).double()
    inputs, label = images(16, 1, 8, 8), torch.arange(16) % 3
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(network(inputs), label).backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().max() > 1e-12, name


@each_normalisation
def test_only_the_skip_sets_the_networks_apart(normalisation):
    """Weights of the same names and shapes; the layers that have weights are as many as the docstring says."""
    plain, residual = (kind((1, 8, 8), 3, **USUAL | {"normalisation": normalisation}) for kind in (PlainCnn, ResNet))
    shapes = [{name: each.shape for name, each in network.named_parameters()} for network in (plain, residual)]
    assert shapes[0] == shapes[1]
    layers = [each for each in residual.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert len(layers) == 2 + 2 * USUAL["blocks"] * len(USUAL["widths"])


def test_parameters_are_counted():
    """The ResNet-20 of He et al. for 32 x 32 colour images: 0.27 million, table 6; no biases beside the batch norms."""
    network = ResNet((3, 32, 32), 10, widths=[16, 32, 64], blocks=3, kernel=3, normalisation="batch", dropout=0.0)
    stem, stage1 = 3 * 16 * 9, 6 * 16 * 16 * 9
    stage2, stage3 = 16 * 32 * 9 + 5 * 32 * 32 * 9, 32 * 64 * 9 + 5 * 64 * 64 * 9
    norms = 2 * (16 + 6 * 16 + 6 * 32 + 6 * 64)
    expected = stem + stage1 + stage2 + stage3 + norms + 64 * 10 + 10
    assert sum(each.numel() for each in network.parameters()) == expected == 269722


@pytest.mark.parametrize("kind", [PlainCnn, ResNet])
def test_with_circular_padding_no_position_is_special(kind):
    """Shifting an image by what the strides divide shifts its features, so that their mean stays; zeros break that."""
    network = kind((2, 8, 12), 3, **USUAL | {"normalisation": "none"}).double()
    inputs = images(5, 2, 8, 12)
    shifted = inputs.roll((4, -2), (-2, -1))
    with torch.no_grad():
        for parameter in network.stages.parameters():
            parameter.add_(0.1)  # so that the branches of the residual network are not 0
    assert not torch.allclose(network(shifted), network(inputs))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "circular"
    torch.testing.assert_close(network(shifted), network(inputs))
    features = network.stem(inputs)
    torch.testing.assert_close(network.stem(shifted), features.roll((4, -2), (-2, -1)))


def test_the_weights_keep_the_size_of_what_passes_through():
    """He's variance: without normalisation the mean square stays, up to the noise of random weights.

    With n inputs of a unit each layer multiplies it by 1 give or take sqrt(5 / n), so over 20 layers of 256 its
    logarithm has variance 20 * 5 / 256 and mean minus half of that: -.2 give or take .63. torch's own start would
    divide it by 6 in each layer.
    """
    torch.manual_seed(0)
    network = PlainCnn((8, 4, 4), 3, widths=[256], blocks=10, kernel=1, normalisation="none", dropout=0.0).double()
    inputs = network.stem(images(16, 8, 4, 4)).relu()
    ratio = network.stages(inputs).square().mean() / inputs.square().mean()
    assert -0.2 - 3 * 0.63 < ratio.log() < -0.2 + 3 * 0.63


@pytest.mark.parametrize("seed", [0, 1])
def test_a_deep_plain_network_has_the_higher_training_loss(seed):
    """32 layers: He et al. 2016, figure 1, in that data, start, steps and depth are the same."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(64) % 4
    inputs = 2 * torch.randn(4, 1, 8, 8, generator=generator)[label] + torch.randn(64, 1, 8, 8, generator=generator)

    def training_loss(kind):
        torch.manual_seed(seed)
        network = kind((1, 8, 8), 4, widths=[8], blocks=15, kernel=3, normalisation="batch", dropout=0.0)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        losses = []
        for _ in range(25):
            optimizer.zero_grad()
            losses.append(cross_entropy(network(inputs), label))
            losses[-1].backward()
            optimizer.step()
        return torch.stack(losses[-5:]).mean().item()

    assert training_loss(ResNet) < 0.2 * training_loss(PlainCnn)


@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("widths", [], r"widths is \[\], expected at least one"),
        ("widths", [0, 4], r"widths is \[0, 4\], expected at least one of at least 1"),
        ("widths", [8, 4], r"widths is \[8, 4\], expected .* none below the one before"),
        ("blocks", 0, "blocks is 0, expected at least 1"),
        ("kernel", 2, "kernel is 2, expected an odd number"),
        ("normalisation", "group", "normalisation is 'group', expected one of none, batch, layer"),
        ("dropout", -0.5, "dropout is -0.5"),
    ],
)
def test_what_is_out_of_range_is_refused(argument, value, told):
    with pytest.raises(ValueError, match=told):
        ResNet((1, 8, 8), 10, **USUAL | {argument: value})
