"""Dropout whose random numbers are declared and given, so that a run can be resumed, stacked and paired."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from paribus.noise import NoiseSpec


class Dropout(nn.Module):
    """x / (1 - p) where a uniform number is at least p, else 0; x itself where no noise is given, as in evaluation.

    The mean over the noise is x, its variance x^2 p / (1 - p).
    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting (2014), inverted.

    Args:
        probability: p, of dropping a feature; from 0 to below 1.
        shape: of the features of one example that are dropped, each by itself. Where the input has further dimensions
            after these (the height and width of a channel), what lies in them is dropped together.
        name: of its uniform numbers among the network's noise.

    Raises:
        ValueError: probability is out of range.
    """

    def __init__(self, probability: float, shape: tuple[int, ...], name: str) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"dropout is {probability}, expected a probability of at least 0 and below 1")
        self.probability, self.shape, self.name = float(probability), tuple(shape), name

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for each feature; none where nothing is ever dropped."""
        return {self.name: NoiseSpec(self.shape, "uniform")} if self.probability else {}

    def forward(
        self, inputs: Float[Tensor, "batch features *rest"], noise: Mapping[str, Tensor]
    ) -> Float[Tensor, "batch features *rest"]:
        """The features that are left, scaled so that their mean is kept."""
        if self.name not in noise:
            return inputs
        kept = (noise[self.name] >= self.probability).to(inputs.dtype) / (1 - self.probability)
        return inputs * kept.reshape(kept.shape + (1,) * (inputs.ndim - kept.ndim))
