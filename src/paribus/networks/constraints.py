"""What keeps a discriminator's slope bounded by its weights: spectral normalisation, and clipping."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, normalize

from paribus.networks.contract import Network


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

    A step of power iteration in each forward of training follows that value.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), algorithm 1.

    Args:
        warmup: iterations before training, so that the first steps are normalised too.

    Raises:
        ValueError: warmup is below 1.
    """

    def __init__(self, warmup: int) -> None:
        if warmup < 1:
            raise ValueError(f"warmup is {warmup}, expected at least 1")
        self.warmup = warmup

    def apply(self, network: Network) -> Network:
        """The network with normalised layers in the place of its own; weights are as they were drawn."""
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, SpectralLinear(child, self.warmup))
                elif type(child) is nn.Conv2d:
                    setattr(parent, name, SpectralConv(child, self.warmup))
        return network


class _Normalised(nn.Module):
    """A layer whose weight is divided by its largest singular value.

    `left` is a buffer that is changed in place, so that the layer goes through `functional_call` and `vmap`.
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
            self._iterate()

    @torch.no_grad()
    def _iterate(self) -> None:
        matrix = self.weight.flatten(1)
        right = normalize(matrix.mT @ self.left, dim=0)
        self.left.copy_(normalize(matrix @ right, dim=0))

    def normalised(self) -> Tensor:
        """The weight divided by the estimate of its largest singular value."""
        if self.training:
            self._iterate()
        matrix, left = self.weight.flatten(1), self.left.clone()  # the next forward changes the buffer
        right = normalize(matrix.detach().mT @ left, dim=0)
        return self.weight / (left @ matrix @ right)


class SpectralLinear(_Normalised):
    """An affine map of spectral norm 1."""

    def forward(self, inputs: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """The map."""
        return linear(inputs, self.normalised(), self.bias)


class SpectralConv(_Normalised):
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
