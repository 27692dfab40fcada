"""What is done to the inputs of a minibatch in training: a pure function of the minibatch and declared noise."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from paribus.errors import UserError
from paribus.noise import Noise, NoiseSpec
from paribus.supplied import Supplied


class Augmentation(nn.Module):
    """Base of all augmentations."""

    def check(self, x: Float[Tensor, "examples ..."]) -> None:
        """Refuse, with a UserError, training examples that it is not made for; families ask before they train."""

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The random numbers that each example needs, by name."""
        raise NotImplementedError(f"{type(self).__name__} must implement noise_spec")

    def forward(self, x: Float[Tensor, "batch ..."], noise: Noise) -> Float[Tensor, "batch ..."]:
        """The minibatch, changed."""
        raise NotImplementedError(f"{type(self).__name__} must implement forward")


class ShiftRotate(Augmentation):
    """Each image turned about its centre and then shifted, both at random, interpolated bilinearly.

    What comes in from outside has the value of the nearest pixel of the border: inputs are standardised, so no fixed
    value is the background's.

    Args:
        max_shift: the largest shift to the right and down, and the other way, in pixels; uniform, fractions included.
        max_degrees: the largest angle, either way; uniform.

    Raises:
        ValueError: max_shift is no number of at least 0, or max_degrees not between 0 and 180.
    """

    def __init__(self, max_shift: float, max_degrees: float) -> None:
        super().__init__()
        if not 0 <= max_shift < math.inf:
            raise ValueError(f"max_shift is {max_shift}, expected a number of pixels of at least 0")
        if not 0 <= max_degrees <= 180:
            raise ValueError(f"max_degrees is {max_degrees}, expected an angle from 0 to 180")
        self.max_shift, self.max_degrees = float(max_shift), float(max_degrees)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """Two uniform numbers for the shift, to the right and down, and one for the angle, counter-clockwise."""
        return {"shift": NoiseSpec((2,), "uniform"), "angle": NoiseSpec((), "uniform")}

    def forward(
        self, x: Float[Tensor, "batch channels height width"], noise: Noise
    ) -> Float[Tensor, "batch channels height width"]:
        """The images, moved: a number of 0.5 moves nothing, 0 and 1 as far as may be.

        Raises:
            ValueError: the inputs are no images.
        """
        if x.ndim != 4:
            raise ValueError(f"shifts and rotations need images, and an example has shape {list(x.shape[1:])}")
        shift = self.max_shift * (2 * noise["shift"].to(x.dtype) - 1)
        angle = math.radians(self.max_degrees) * (2 * noise["angle"].to(x.dtype) - 1)
        return grid_sample(x, self._sources(x, shift, angle), padding_mode="border", align_corners=False)

    @staticmethod
    def _sources(
        x: Float[Tensor, "batch channels height width"], shift: Float[Tensor, "batch 2"], angle: Float[Tensor, "batch"]
    ) -> Float[Tensor, "batch height width 2"]:
        """Where each pixel of the result is taken from, in units of half the image from its centre.

        The way back of the movement: the shift undone, then the turn. It is a turn of pixels, not of these units, so
        that an image that is no square is not sheared.
        """
        height, width = x.shape[-2:]
        columns = torch.arange(width, dtype=x.dtype, device=x.device) - (width - 1) / 2
        rows = torch.arange(height, dtype=x.dtype, device=x.device) - (height - 1) / 2
        right = columns - shift[:, 0, None, None]  # [batch, 1, width]
        down = rows[:, None] - shift[:, 1, None, None]  # [batch, height, 1]
        cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
        across = (cos * right - sin * down) * (2 / width)
        along = (sin * right + cos * down) * (2 / height)
        return torch.stack([across, along], dim=-1)


class Binarise(Augmentation):
    """Each number, a probability, drawn to be 0 or 1 anew at each step: dynamic binarisation.

    Args:
        in_shape: of one example.
    """

    def __init__(self, in_shape: Supplied[tuple[int, ...]]) -> None:
        super().__init__()
        self.in_shape = in_shape

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A uniform number for each of an example's."""
        return {"pixel": NoiseSpec(self.in_shape, "uniform")}

    def forward(self, x: Float[Tensor, "batch ..."], noise: Noise) -> Float[Tensor, "batch ..."]:
        """1 where the uniform number is below the probability, and else 0: 1 is always 1, and 0 always 0."""
        return (noise["pixel"] < x).to(x.dtype)

    def check(self, x: Float[Tensor, "examples ..."]) -> None:
        """Refuse numbers outside [0, 1]."""
        other = x[~((x >= 0) & (x <= 1))]
        if len(other):
            raise UserError(
                f"augmentation=binarise draws from probabilities in [0, 1], and the training part has "
                f"{other[0].item():.4g}; of images, keep them with data.input_scaling=dynamic (or none)"
            )
