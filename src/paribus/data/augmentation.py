"""What is done to the inputs of a minibatch in training: a pure function of the minibatch and declared noise."""

from jaxtyping import Float
from torch import Tensor, nn

from paribus.noise import Noise, NoiseSpec


class Augmentation(nn.Module):
    """Base of all augmentations."""

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The random numbers that each example needs, by name."""
        raise NotImplementedError(f"{type(self).__name__} must implement noise_spec")

    def forward(self, x: Float[Tensor, "batch ..."], noise: Noise) -> Float[Tensor, "batch ..."]:
        """The minibatch, changed."""
        raise NotImplementedError(f"{type(self).__name__} must implement forward")
