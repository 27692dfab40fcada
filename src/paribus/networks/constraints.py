"""What keeps a discriminator's slope bounded by its weights: spectral normalisation, and clipping."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, normalize

from paribus.networks.contract import Network
from paribus.networks.normalisation import has_batch_norm


class Constraint:
    """Base of all constraints.

    Attributes:
        limit: the largest size of a weight after a step; None for none.
    """

    limit: float | None = None

    def apply(self, network: Network) -> Network:
        """The network under the constraint; the one that is given may be changed."""
        return network


class WeightClipping(Constraint):
    """Weights and biases are clipped to within `limit` after each step.

    Source: Arjovsky, Chintala and Bottou, Wasserstein GAN (2017), algorithm 1.

    Args:
        limit: above 0; 0.01 in the paper.

    Raises:
        ValueError: limit is out of range.
    """

    def __init__(self, limit: float) -> None:
        if not 0 < limit < float("inf"):
            raise ValueError(f"limit is {limit}, expected a finite number above 0")
        self.limit = limit


class SpectralNorm(Constraint):
    """Each affine and convolutional layer's weight, as a matrix, is divided by its largest singular value.

    That value is followed by power iteration, a step of it before each step of the network: see `follow`.
    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1.

    Args:
        warmup: iterations before training, so that the first steps are normalised too.

    Raises:
        ValueError: warmup is below 1, or, of `apply`, the network has weights of which it knows no norm, or batch
            normalisation, which scales features anew.
    """

    def __init__(self, warmup: int) -> None:
        if warmup < 1:
            raise ValueError(f"warmup is {warmup}, expected at least 1")
        self.warmup = warmup

    def apply(self, network: Network) -> Network:
        """The network with normalised layers in the place of its own; weights are as they were drawn."""
        if has_batch_norm(network):
            raise ValueError(
                "spectral normalisation bounds no slope where batch normalisation scales features anew; expected "
                "discriminator.normalisation none or layer"
            )
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, SpectralLinear(child, self.warmup))
                elif type(child) is nn.Conv2d and child.padding_mode == "zeros":
                    setattr(parent, name, SpectralConv(child, self.warmup))
        for path, module in network.named_modules():
            matrices = [each for each in module.parameters(recurse=False) if each.ndim > 1]
            if matrices and not isinstance(module, Normalised):
                raise ValueError(
                    f"{path or 'the network'} is {type(module).__name__}, of which spectral normalisation knows no "
                    "norm; expected weights in Linear and in Conv2d that pads with zeros"
                )
        return network


class Normalised(nn.Module):
    """A layer whose weight is divided by an estimate of its largest singular value.

    Attributes:
        left: the estimate of the left singular vector, a buffer that is changed in place, so that the layer goes
            through `functional_call` and `vmap`.
    """

    left: Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d, warmup: int) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        rows = self.weight.shape[0]
        generator = torch.Generator(device="cpu").manual_seed(0)
        start = torch.randn(rows, generator=generator, device="cpu").to(self.weight)
        self.register_buffer("left", normalize(start, dim=0))
        for _ in range(warmup):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """A step of power iteration."""
        matrix = self.weight.flatten(1)
        self.left.copy_(normalize(matrix @ normalize(matrix.mT @ self.left, dim=0), dim=0))

    def normalised(self) -> Tensor:
        """The weight divided by left' weight right, in which the singular vectors count as constants."""
        matrix = self.weight.flatten(1)
        right = normalize(matrix.detach().mT @ self.left, dim=0)
        return self.weight / (self.left @ matrix @ right)


def follow(network: nn.Module) -> None:
    """Let the spectral norms of a network that is in training follow its weights: a step of power iteration each.

    Not in `forward`, so that all scores of a step are by the same function, also under `torch.func.grad`, which lets
    nothing be changed in place.
    """
    for module in network.modules():
        if isinstance(module, Normalised) and module.training:
            module.iterate()


class SpectralLinear(Normalised):
    """An affine map of spectral norm 1."""

    def forward(self, inputs: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """The map."""
        return linear(inputs, self.normalised(), self.bias)


class SpectralConv(Normalised):
    """A convolution whose kernel, as a matrix of outputs and inputs, has spectral norm 1."""

    def __init__(self, layer: nn.Conv2d, warmup: int) -> None:
        super().__init__(layer, warmup)
        self.stride, self.padding = layer.stride, layer.padding
        self.dilation, self.groups = layer.dilation, layer.groups

    def forward(
        self, inputs: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        """The convolution."""
        return conv2d(inputs, self.normalised(), self.bias, self.stride, self.padding, self.dilation, self.groups)
