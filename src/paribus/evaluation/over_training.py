"""Pictures of how a generator learned: what it made of the same latents at moments of its training."""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from paribus.data.contract import InMemoryData
from paribus.evaluation.pictures import framed, picture, sheet
from paribus.families.gan import Gan

PIXELS = 96
"""Along each side of a panel."""


def moments(family: Gan) -> dict[int, Float[Tensor, "n ..."]]:
    """Examples of the kept latents by the steps that the generator had taken, the last ones those of now."""
    if not family.kept:
        return {}
    turns = -(-family.step // family.critic_steps)
    return {**family.kept.taken(turns), turns: family.decode(family.kept.latent)}


def image_sheet(family: Gan, data: InMemoryData, columns: int) -> list[dict[str, Any]]:
    """A row for each moment, a latent in each column; none where nothing was kept."""
    kept = moments(family)
    if not kept:
        return []
    images = torch.stack([examples[:columns] for examples in kept.values()])
    caption = f"The same latent in each column; in the rows, after {told(kept)} steps of the generator."
    return [picture("over_training", "Samples over training", caption, data, images)]


def plane_sheet(family: Gan, reach: float) -> list[dict[str, Any]]:
    """Where in the plane the examples lie, a panel for each moment; none where nothing was kept.

    Args:
        reach: from the middle of a panel to its edges.
    """
    kept = moments(family)
    if not kept:
        return []
    panels = torch.stack([scattered(examples, reach) for examples in kept.values()])
    caption = (
        f"The same {len(family.kept.latent) if family.kept else 0} latents after {told(kept)} steps of the generator, "
        f"from {-reach:g} to {reach:g} in both directions."
    )
    return [framed("over_training", "Samples over training", caption, sheet(panels[None]))]


def told(kept: dict[int, Float[Tensor, "n ..."]]) -> str:
    """The moments in words."""
    *first, last = (f"{turn:,}" for turn in kept)
    return f"{', '.join(first)} and {last}" if first else last


def scattered(points: Float[Tensor, "n 2"], reach: float) -> UInt8[Tensor, "1 side side"]:
    """A panel with dots of 2 x 2 pixels where points are; upwards is up, and what lies outside is not drawn."""
    x, y = ((points.cpu().double() * points.new_tensor([1.0, -1.0]).cpu() + reach) * PIXELS / (2 * reach)).floor().T
    inside = (x >= 0) & (x < PIXELS) & (y >= 0) & (y < PIXELS)
    panel = torch.zeros(1, PIXELS + 1, PIXELS + 1, dtype=torch.uint8)
    column, row = x[inside].long(), y[inside].long()
    for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        panel[0, row + down, column + right] = 255
    return panel[:, :PIXELS, :PIXELS]
