"""The convolutional network in the manner of LeNet-5."""

from collections.abc import Mapping
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.images import image_shape
from paribus.networks.mlp import Mlp
from paribus.networks.normalisation import OF_IMAGES, Normalisation, known
from paribus.noise import NoiseSpec
from paribus.supplied import Supplied


class LeNet(Network):
    """Stages of convolution, normalisation, ReLU and max-pooling, then a multilayer perceptron with ReLU.

    Unlike its model it pads, so that a stage halves the image exactly and small images fit, and has ReLU and
    max-pooling in place of a scaled tanh and trained averages. Weights start as torch's layers draw them.
    Source: LeCun et al., Gradient-based learning applied to document recognition (1998), section II.B.

    Args:
        in_shape: channels, height and width of an image; 4 x 4 pixels at least for two stages.
        out_features: the width of the output.
        channels: of each stage, from the input on.
        kernel: the height and width of each convolution; odd.
        hidden: the width of each hidden layer of the perceptron.
        normalisation: of each stage's channels, and of each hidden layer.
        dropout: the probability of dropping a hidden unit of the perceptron in training.

    Raises:
        ValueError: an argument is out of range, or the images are too small for the stages.
    """

    def __init__(
        self,
        in_shape: Supplied[tuple[int, ...]],
        out_features: Supplied[int],
        channels: list[int],
        kernel: int,
        hidden: list[int],
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape(in_shape, "LeNet")
        normalised = OF_IMAGES[known(normalisation)]
        if not channels or min(channels) < 1:
            raise ValueError(f"channels is {list(channels)}, expected at least one stage, each of at least 1")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}, expected an odd number of at least 1")
        if min(height, width) < 2 ** len(channels):
            raise ValueError(
                f"channels is {list(channels)}, which halves an image {len(channels)} times, and the images are of "
                f"{height} x {width} pixels: expected at least {2 ** len(channels)} each way"
            )
        self.stages = nn.Sequential()
        for before, after in pairwise([depth, *channels]):
            convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2)
            self.stages.append(nn.Sequential(convolution, normalised(after), nn.ReLU(), nn.MaxPool2d(2)))
        left = channels[-1] * (height >> len(channels)) * (width >> len(channels))
        self.perceptron = Mlp(left, out_features, hidden, "relu", normalisation, dropout)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """That of the perceptron."""
        return self.perceptron.noise_spec()

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each image."""
        features = self.stages(inputs)  # [batch, channels[-1], height / 4, width / 4] after two stages
        return self.perceptron(features, noise)
