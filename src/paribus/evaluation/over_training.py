"""Pictures of how a generator learned: what it made of the same latents at moments of its training."""

from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from paribus.data.contract import InMemoryData
from paribus.evaluation.pictures import framed, picture, sheet
from paribus.families.gan import Gan

PIXELS = 96
"""Along each side of a panel."""
ARM, GREY = 2, 110
"""Of the cross at a centre: pixels from its middle to each end, and how bright it is, from 0 to 255."""


def moments(family: Gan) -> dict[int, Float[Tensor, "n ..."]]:
    """Examples of the kept latents by the steps that the generator had taken, the last ones those of now."""
    if not family.kept:
        return {}
    turns = family.phases[-1].turns(family.step)
    return {**family.kept.taken(turns), turns: family.decode(family.kept.latent)}


def image_sheet(family: Gan, data: InMemoryData, columns: int) -> list[dict[str, Any]]:
    """A row for each moment, a latent in each column; none where nothing was kept."""
    kept = moments(family)
    if not kept:
        return []
    images = torch.stack([examples[:columns] for examples in kept.values()])
    caption = f"The same latent in each column; in the rows, after {told(kept)} steps of the generator."
    return [picture("over_training", "Samples over training", caption, data, images)]


def plane_sheet(family: Gan, centres: Float[Tensor, "modes 2"], reach: float) -> list[dict[str, Any]]:
    """Where in the plane the examples lie, a panel for each moment; none where nothing was kept.

    Args:
        centres: of the data's modes.
        reach: from the middle of a panel to its edges.
    """
    kept = moments(family)
    if not kept:
        return []
    panels = torch.stack([scattered(examples, centres, reach) for examples in kept.values()])
    caption = (
        f"The same {len(family.kept.latent) if family.kept else 0} latents after {told(kept)} steps of the generator, "
        f"from {-reach:g} to {reach:g} in both directions, as white points; what lies outside is not drawn. Grey "
        "crosses are at the centres of the data's modes."
    )
    return [framed("over_training", "Samples over training", caption, sheet(panels[None]))]


def told(kept: dict[int, Float[Tensor, "n ..."]]) -> str:
    """The moments in words."""
    *first, last = (f"{turn:,}" for turn in kept)
    return f"{', '.join(first)} and {last}" if first else last


def scattered(
    points: Float[Tensor, "n 2"], centres: Float[Tensor, "modes 2"], reach: float
) -> UInt8[Tensor, "1 side side"]:
    """A panel with dots of 2 x 2 pixels at points, over crosses at centres; upwards is up."""
    side = PIXELS + 2 * ARM
    panel = torch.zeros(side, side, dtype=torch.uint8)  # with a border, where what is at an edge is cut off
    column, row = (place + ARM for place in pixels(centres, reach))
    for along in range(-ARM, ARM + 1):
        panel[row + along, column] = panel[row, column + along] = GREY
    column, row = (place + ARM for place in pixels(points, reach))
    for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
        panel[row + down, column + right] = 255
    return panel[None, ARM:-ARM, ARM:-ARM]


def pixels(points: Float[Tensor, "n 2"], reach: float) -> tuple[Int64[Tensor, " inside"], Int64[Tensor, " inside"]]:
    """The column and the row of each point that lies in a panel."""
    x, y = ((points.cpu().double() * torch.tensor([1.0, -1.0]) + reach) * PIXELS / (2 * reach)).floor().T
    inside = (x >= 0) & (x < PIXELS) & (y >= 0) & (y < PIXELS)
    return x[inside].long(), y[inside].long()
