"""The multilayer perceptron."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.dropout import Dropout
from paribus.networks.normalisation import OF_VECTORS, Normalisation, known
from paribus.noise import NoiseSpec
from paribus.supplied import Supplied

Activation = Literal["relu", "tanh", "gelu", "silu"]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def activation_of(name: str) -> Callable[[], nn.Module]:
    """What makes an activation.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation is {name!r}, expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class Mlp(Network):
    """Hidden layers, each an affine map, a normalisation, an activation and dropout, then an affine map to the output.

    Weights start as torch's layers draw them: uniform within 1 / sqrt(inputs of the layer).

    Args:
        in_features: the width of the input.
        out_features: the width of the output.
        hidden: the width of each hidden layer, from the input on; an empty list leaves one affine map.
        activation: the function between the layers; GELU is the exact one.
        normalisation: of each hidden layer before its activation.
        dropout: the probability of dropping a hidden unit in training.

    Raises:
        ValueError: a width is below 1, dropout is out of range, or a name is unknown.
    """

    def __init__(
        self,
        in_features: Supplied[int],
        out_features: Supplied[int],
        hidden: list[int],
        activation: Activation,
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        if min(hidden, default=1) < 1:
            raise ValueError(f"hidden is {list(hidden)}, expected widths of at least 1")
        normalised, activated = OF_VECTORS[known(normalisation)], activation_of(activation)
        widths = list(pairwise([in_features, *hidden]))
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(width, after), normalised(after), activated()) for width, after in widths
        )
        self.dropouts = nn.ModuleList(Dropout(dropout, (width,), f"dropout_{i}") for i, width in enumerate(hidden, 1))
        self.output = nn.Linear([in_features, *hidden][-1], out_features)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for each hidden unit, where units are dropped: `dropout_1` for the first layer's."""
        dropouts = [module for module in self.modules() if isinstance(module, Dropout)]
        return {name: each for dropout in dropouts for name, each in dropout.noise_spec().items()}

    def forward(
        self, inputs: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each example."""
        features = inputs.flatten(1)
        for layer, dropout in zip(self.hidden, self.dropouts, strict=True):
            features = dropout(layer(features), noise)
        return self.output(features)
