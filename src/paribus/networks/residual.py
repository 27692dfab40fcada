"""Deep convolutional networks with and without skip connections, alike in everything else."""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.dropout import Dropout
from paribus.networks.images import image_shape
from paribus.networks.normalisation import OF_IMAGES, Normalisation, known
from paribus.noise import NoiseSpec
from paribus.supplied import Supplied


class Convolution(nn.Sequential):
    """A convolution that keeps the image's size but for its stride, and its normalisation.

    Weights start normal with variance 2 / (inputs of a unit), which keeps the size of what passes through ReLUs over
    many layers; torch's own, uniform with variance 1 / (3 inputs), divides it by 6 in each. Biases start at 0.
    Source: He et al., Delving deep into rectifiers (2015), equation 10.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, normalisation: str) -> None:
        biased = normalisation == "none"  # a normalisation has a shift of its own
        convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=biased)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        super().__init__(convolution, OF_IMAGES[normalisation](after))


class PlainBlock(nn.Module):
    """relu(branch(x)), where the branch is two convolutions with a ReLU between them.

    Args:
        before: channels of the input.
        after: channels of the output.
        kernel: the height and width of the convolutions.
        stride: of the first one.
        normalisation: after each convolution.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, normalisation: str) -> None:
        super().__init__()
        self.first = Convolution(before, after, kernel, stride, normalisation)
        self.second = Convolution(after, after, kernel, 1, normalisation)

    def branch(self, inputs: Float[Tensor, "batch before height width"]) -> Float[Tensor, "batch after rows columns"]:
        """The two convolutions."""
        return self.second(self.first(inputs).relu())

    def forward(self, inputs: Float[Tensor, "batch before height width"]) -> Float[Tensor, "batch after rows columns"]:
        """The block's features."""
        return self.branch(inputs).relu()


class ResidualBlock(PlainBlock):
    """relu(x + branch(x)), where the branch starts at 0: at initialisation the block is the identity, since x >= 0.

    What ends the branch starts at 0: the normalisation's scale, or the convolution where there is none. Where the
    number of channels or the size changes, x is subsampled and further channels are 0, so that the skip has no
    parameters.
    Source: He et al., Deep residual learning for image recognition (2016), section 3.3, shortcut A; Goyal et al.,
    Accurate, large minibatch SGD (2017), section 5.1, for the start at 0. Arguments as `PlainBlock`.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int, normalisation: str) -> None:
        super().__init__(before, after, kernel, stride, normalisation)
        self.stride, self.added_channels = stride, after - before
        last = [module for module in self.second if any(True for _ in module.parameters())][-1]
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, inputs: Float[Tensor, "batch before height width"]) -> Float[Tensor, "batch after rows columns"]:
        """The input, and what the branch adds to it."""
        kept = inputs[..., :: self.stride, :: self.stride]
        return (pad(kept, (0, 0, 0, 0, 0, self.added_channels)) + self.branch(inputs)).relu()


class DeepCnn(Network):
    """A convolution, stages of blocks, the mean over positions, dropout, and an affine map.

    Layers that have weights: 2 + 2 blocks len(widths). The first block of each stage but the first halves the image.

    Args:
        in_shape: channels, height and width of an image.
        out_features: the width of the output.
        widths: the channels of each stage; no stage has fewer than the one before it.
        blocks: of each stage, two convolutions each.
        kernel: the height and width of each convolution; odd.
        normalisation: after each convolution.
        dropout: the probability of dropping a channel's mean in training.

    Raises:
        ValueError: an argument is out of range.
    """

    block: ClassVar[type[PlainBlock]]

    def __init__(
        self,
        in_shape: Supplied[tuple[int, ...]],
        out_features: Supplied[int],
        widths: list[int],
        blocks: int,
        kernel: int,
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape(in_shape, type(self).__name__)
        if not widths or min(widths) < 1 or sorted(widths) != list(widths):
            raise ValueError(
                f"widths is {list(widths)}, expected at least one of at least 1, none below the one before"
            )
        if blocks < 1:
            raise ValueError(f"blocks is {blocks}, expected at least 1")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}, expected an odd number of at least 1")
        self.stem = Convolution(channels, widths[0], kernel, 1, known(normalisation))
        self.stages = nn.Sequential()
        for before, after in pairwise([widths[0], *widths]):
            stride = 2 if len(self.stages) else 1
            first = self.block(before, after, kernel, stride, normalisation)
            rest = [self.block(after, after, kernel, 1, normalisation) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(first, *rest))
        self.dropout = Dropout(dropout, (widths[-1],), "dropout")
        self.output = nn.Linear(widths[-1], out_features)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for each channel of the last stage, where channels are dropped."""
        return self.dropout.noise_spec()

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each image."""
        features = self.stem(inputs).relu()  # [batch, widths[0], height, width]
        features = self.stages(features)  # [batch, widths[-1], rows, columns], halved in each stage but the first
        features = features.mean((-2, -1))  # [batch, widths[-1]]
        return self.output(self.dropout(features, noise))


class PlainCnn(DeepCnn):
    """A deep convolutional network without skip connections: the ResNet of the same arguments without its skips.

    Its weights are as many and of the same shapes. Arguments as `DeepCnn`.
    Source: He et al., Deep residual learning for image recognition (2016), section 4.2, the plain networks.
    """

    block = PlainBlock


class ResNet(DeepCnn):
    """A residual network whose blocks are the identity at initialisation. Arguments as `DeepCnn`.

    With three stages and n blocks the ResNet-(6n + 2) of its source, but for the start of the branches at 0.
    Source: He et al., Deep residual learning for image recognition (2016), section 4.2.
    """

    block = ResidualBlock
