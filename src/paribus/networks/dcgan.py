"""The generator and the discriminator of DCGAN, for images of any size that can be halved."""

from collections.abc import Mapping
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.convolutional import sizes
from paribus.networks.images import image_shape
from paribus.networks.normalisation import OF_IMAGES, Normalisation, known
from paribus.supplied import Supplied

DEVIATION, SLOPE = 0.02, 0.2
"""Of the initial weights, and of LeakyReLU below 0: section 4 of the paper."""


class DcganGenerator(Network):
    """An affine map to a small map, then transposed convolutions of stride 2 up to an image in (-1, 1).

    Every map but the image is normalised over the minibatch and goes through ReLU; the image ends in tanh, so data is
    to be scaled to [-1, 1] (`data.input_scaling=symmetric`). Source: Radford, Metz and Chintala, Unsupervised
    Representation Learning with Deep Convolutional Generative Adversarial Networks (2016), sections 3 and 4.

    Args:
        in_features: the width of the latent.
        out_shape: channels, height and width of an image; any that can be halved once a stage.
        channels: of the map that each stage starts from, from the smallest on.
        kernel: the height and width of each convolution; at least 3.

    Raises:
        ValueError: an argument is out of range, or the images are too small for the stages.
    """

    extent = (-1.0, 1.0)

    def __init__(
        self, in_features: Supplied[int], out_shape: Supplied[tuple[int, ...]], channels: list[int], kernel: int
    ) -> None:
        super().__init__()
        depth, height, width = image_shape(out_shape, "DcganGenerator")
        *targets, smallest = sizes((height, width), channels, kernel)
        self.project = nn.Linear(in_features, channels[0] * smallest[0] * smallest[1])
        self.stages = nn.Sequential(nn.Unflatten(1, (channels[0], *smallest)))
        for (before, after), target in zip(pairwise([*channels, depth]), reversed(targets), strict=True):
            missing = ((target[0] + kernel) % 2, (target[1] + kernel) % 2)
            self.stages.extend([OF_IMAGES["batch"](before), nn.ReLU()])
            self.stages.append(
                nn.ConvTranspose2d(before, after, kernel, 2, padding=(kernel - 1) // 2, output_padding=missing)
            )
        self.stages.append(nn.Tanh())
        self.apply(draw_weights)

    def forward(
        self, inputs: Float[Tensor, "batch in"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The numbers of each latent's image, flat."""
        return self.stages(self.project(inputs)).flatten(1)


class DcganDiscriminator(Network):
    """Convolutions of stride 2 with LeakyReLU, normalised but for the first, then an affine map.

    Args:
        in_shape: channels, height and width of an image; any that can be halved once a stage.
        out_features: the width of the output.
        channels: of each stage, from the input on.
        kernel: the height and width of each convolution; at least 3.
        normalisation: of every stage but the first; `batch` in the paper, which a gradient penalty does not go with.

    Raises:
        ValueError: an argument is out of range, or the images are too small for the stages.
    """

    def __init__(
        self,
        in_shape: Supplied[tuple[int, ...]],
        out_features: Supplied[int],
        channels: list[int],
        kernel: int,
        normalisation: Normalisation,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape(in_shape, "DcganDiscriminator")
        height, width = sizes((height, width), channels, kernel)[-1]
        normalised = OF_IMAGES[known(normalisation)]
        self.stages = nn.Sequential()
        for number, (before, after) in enumerate(pairwise([depth, *channels])):
            self.stages.append(nn.Conv2d(before, after, kernel, stride=2, padding=(kernel - 1) // 2))
            self.stages.extend([normalised(after) if number else nn.Identity(), nn.LeakyReLU(SLOPE)])
        self.output = nn.Linear(channels[-1] * height * width, out_features)
        self.apply(draw_weights)

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The numbers of each image."""
        return self.output(self.stages(inputs).flatten(1))


def draw_weights(module: nn.Module) -> None:
    """Draw a layer's weights from N(0, 0.02), a normalisation's factors from N(1, 0.02); offsets are 0."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
