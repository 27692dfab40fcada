"""The multilayer perceptron."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from paribus.networks.contract import NO_NOISE, Network
from paribus.supplied import Supplied

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}


class Mlp(Network):
    """Affine maps with an activation between each two; none after the last.

    Args:
        in_features: the width of the input.
        out_features: the width of the output.
        hidden: the width of each hidden layer, from the input on; an empty list leaves one affine map.
        activation: the function between the layers; GELU is the exact one.

    Raises:
        ValueError: a width is below 1, or the activation is unknown.
    """

    def __init__(
        self,
        in_features: Supplied[int],
        out_features: Supplied[int],
        hidden: list[int],
        activation: Literal["relu", "tanh", "gelu", "silu"],
    ) -> None:
        super().__init__()
        if min(hidden, default=1) < 1:
            raise ValueError(f"hidden is {list(hidden)}, expected widths of at least 1")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        layers: list[nn.Module] = []
        for width, next_width in pairwise([in_features, *hidden]):
            layers += [nn.Linear(width, next_width), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear([in_features, *hidden][-1], out_features))

    def forward(
        self, inputs: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each example."""
        return self.layers(inputs.flatten(1))
