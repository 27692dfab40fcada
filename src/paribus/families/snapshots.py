"""What a generator made of the same latents at moments of its training."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

TURNS = (0, 16, 64, 256, 1024, 4096, 16384, 65536)
"""Steps of the generator before which its examples are kept: early ones change the most."""


class Snapshots(nn.Module):
    """Examples of fixed latents at the moments `TURNS`; buffers, so that they stack and stand in checkpoints.

    Args:
        latent: what the examples are made of, `[n, features]`.
        in_shape: of an example.

    Attributes:
        examples: `[moments, n, *in_shape]`, 0 where a moment is yet to come.
    """

    latent: Float[Tensor, "n features"]
    examples: Float[Tensor, "moments n ..."]

    def __init__(self, latent: Float[Tensor, "n features"], in_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("latent", latent)
        self.register_buffer("examples", torch.zeros(len(TURNS), len(latent), *in_shape))

    @torch.no_grad()
    def take(self, turn: int, decode: Callable[[Tensor], Tensor]) -> None:
        """Keep what the generator makes before this step of it, if it is one of the moments."""
        if turn in TURNS:
            self.examples[TURNS.index(turn)].copy_(decode(self.latent))

    def taken(self, turns: int) -> dict[int, Float[Tensor, "n ..."]]:
        """The examples by the steps that the generator had taken, of a training of so many."""
        return {turn: self.examples[place] for place, turn in enumerate(TURNS) if turn < turns}
