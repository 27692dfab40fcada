"""Convolutional networks from an image to a code and back, each stage halving or doubling the image."""

from collections.abc import Mapping
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.images import image_shape
from paribus.networks.mlp import Activation, Mlp, activation_of
from paribus.networks.normalisation import OF_IMAGES, Normalisation, known
from paribus.noise import NoiseSpec
from paribus.supplied import Supplied


class ConvEncoder(Network):
    """Stages of convolution with stride 2, normalisation and activation, then a multilayer perceptron.

    A stage halves the height and the width: rounded down for an even kernel, up for an odd one. Weights start as
    torch's layers draw them. Source: Radford, Metz and Chintala, Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks (2016), section 3: strides in place of pooling.

    Args:
        in_shape: channels, height and width of an image; any that can be halved once a stage.
        out_features: the width of the output.
        channels: of each stage, from the input on.
        kernel: the height and width of each convolution; at least 3, so that every pixel is seen.
        hidden: the width of each hidden layer of the perceptron.
        activation: the function between the layers; GELU is the exact one.
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
        activation: Activation,
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape(in_shape, "ConvEncoder")
        height, width = sizes((height, width), channels, kernel)[-1]
        normalised, activated = OF_IMAGES[known(normalisation)], activation_of(activation)
        self.stages = nn.Sequential()
        for before, after in pairwise([depth, *channels]):
            convolution = nn.Conv2d(before, after, kernel, stride=2, padding=(kernel - 1) // 2)
            self.stages.append(nn.Sequential(convolution, normalised(after), activated()))
        left = channels[-1] * height * width
        self.perceptron = Mlp(left, out_features, hidden, activation, normalisation, dropout)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """That of the perceptron."""
        return self.perceptron.noise_spec()

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The numbers of each image's code."""
        return self.perceptron(self.stages(inputs), noise)


class ConvDecoder(Network):
    """A multilayer perceptron to a small map, then stages of transposed convolution with stride 2 up to the image.

    The mirror image of `ConvEncoder`: its maps have the same sizes, so images of any size are met exactly. Every map
    but the image is normalised and activated. Weights start as torch's layers draw them. An odd kernel covers
    neighbouring pixels unequally often, which leaves a checkerboard: Odena, Dumoulin and Olah, Deconvolution and
    Checkerboard Artifacts (2016).

    Args:
        in_features: the width of the input.
        out_shape: channels, height and width of an image; any that can be halved once a stage.
        channels: of the map that each stage starts from, from the smallest on.
        kernel: the height and width of each convolution; at least 3, so that every pixel is reached.
        hidden: the width of each hidden layer of the perceptron, from the input on.
        activation: the function between the layers; GELU is the exact one.
        normalisation: of each map's channels, and of each hidden layer.
        dropout: the probability of dropping a hidden unit of the perceptron in training.

    Raises:
        ValueError: an argument is out of range, or the images are too small for the stages.
    """

    def __init__(
        self,
        in_features: Supplied[int],
        out_shape: Supplied[tuple[int, ...]],
        channels: list[int],
        kernel: int,
        hidden: list[int],
        activation: Activation,
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape(out_shape, "ConvDecoder")
        *targets, smallest = sizes((height, width), channels, kernel)
        normalised, activated = OF_IMAGES[known(normalisation)], activation_of(activation)
        left = channels[0] * smallest[0] * smallest[1]
        self.perceptron = Mlp(in_features, left, hidden, activation, normalisation, dropout)
        self.map = nn.Sequential(nn.Unflatten(1, (channels[0], *smallest)), normalised(channels[0]), activated())
        self.stages = nn.Sequential()
        for (before, after), target in zip(pairwise([*channels, depth]), reversed(targets), strict=True):
            if len(self.stages):
                self.stages.extend([normalised(before), activated()])
            missing = ((target[0] + kernel) % 2, (target[1] + kernel) % 2)  # the larger of two sizes halved to one
            self.stages.append(
                nn.ConvTranspose2d(before, after, kernel, 2, padding=(kernel - 1) // 2, output_padding=missing)
            )

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """That of the perceptron."""
        return self.perceptron.noise_spec()

    def forward(
        self, inputs: Float[Tensor, "batch in"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The numbers of each code's image, flat."""
        return self.stages(self.map(self.perceptron(inputs, noise))).flatten(1)


def sizes(image: tuple[int, int], channels: list[int], kernel: int) -> list[tuple[int, int]]:
    """The height and width of an image and of the maps that it is halved to, one a stage.

    Raises:
        ValueError: an argument is out of range, or the image is too small for the stages.
    """
    stages = len(channels)
    if not channels or min(channels) < 1:
        raise ValueError(f"channels is {list(channels)}, expected at least one stage, each of at least 1")
    if kernel < 3:
        raise ValueError(f"kernel is {kernel}, expected at least 3")
    if min(image) < 2**stages:
        raise ValueError(
            f"channels is {list(channels)}, which halves or doubles an image {stages} times, and the images are of "
            f"{image[0]} x {image[1]} pixels: expected at least {2**stages} each way"
        )
    found = [image]
    for _ in channels:
        height, width = found[-1]
        found.append(((height + kernel % 2) // 2, (width + kernel % 2) // 2))
    return found
