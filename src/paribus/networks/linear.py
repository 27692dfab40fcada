"""Models linear in their parameters: of the inputs, and of their powers."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paribus.errors import UserError
from paribus.networks.contract import NO_NOISE, Network
from paribus.supplied import Supplied


class Linear(Network):
    """An affine map with in * out + out parameters.

    Args:
        in_features: the width of the input.
        out_features: the width of the output.
    """

    def __init__(self, in_features: Supplied[int], out_features: Supplied[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(
        self, inputs: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each example."""
        return self.linear(inputs.flatten(1))


class Identity(Network):
    """The input as it is, without parameters: as a generator, the prior's samples.

    Args:
        in_features, out_features: the width of the input and of the output, which must be the same where it is used.
    """

    def __init__(self, in_features: Supplied[int], out_features: Supplied[int]) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features

    def forward(
        self, inputs: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The input, flat.

        Raises:
            UserError: input and output have different widths.
        """
        if self.in_features != self.out_features:
            raise UserError(
                f"identity has {self.in_features} inputs and is to have {self.out_features} outputs; "
                "as a generator it needs prior.features to be the numbers of an example"
            )
        return inputs.flatten(1)


class Polynomial(Network):
    """A polynomial in each input, without cross terms: an affine map of the powers 1 to degree of every input.

    Powers of one input are nearly collinear and differ in size by orders, so gradient descent converges at a rate set
    by the condition number of their Gram matrix: scale the inputs to within [-1, 1] or standardise them, and expect
    every further degree to cost about an order of magnitude in steps. The closed form does not suffer as much.

    Args:
        in_features: the width of the input.
        out_features: the width of the output.
        degree: the highest power; at least 1.

    Raises:
        ValueError: degree is below 1.
    """

    def __init__(self, in_features: Supplied[int], out_features: Supplied[int], degree: int) -> None:
        super().__init__()
        if degree < 1:
            raise ValueError(f"degree is {degree}, expected at least 1")
        self.degree = degree
        self.linear = nn.Linear(in_features * degree, out_features)

    def features(self, inputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch powers"]:
        """All inputs to the power 1, then all inputs to the power 2, up to the degree."""
        return torch.cat([inputs.flatten(1) ** power for power in range(1, self.degree + 1)], dim=-1)

    def forward(
        self, inputs: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch out"]:
        """The prediction of each example."""
        return self.linear(self.features(inputs))
