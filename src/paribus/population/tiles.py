"""Which members are computed together: those of one structure, as many as suit the machine's cache."""

from collections.abc import Hashable, Sequence
from itertools import pairwise

import torch

from paribus.families.contract import Family
from paribus.population.structure import structure

TILE_NUMBERS = 2**18
"""Parameters of a tile on a CPU: with the optimizer's state and the activations they stay in a core's second cache."""
LEAST, LARGEST = 32, 256
"""Members of a tile on a CPU: fewer leave the cost of a call spread over too few, more gain nothing."""


def tiles(families: Sequence[Family], device: torch.device) -> list[list[int]]:
    """The places of the members of each tile; members of one structure keep their order.

    Raises:
        NotStackable: a family can only be trained alone.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, family in enumerate(families):
        groups.setdefault(structure(family), []).append(place)
    return [tile for group in groups.values() for tile in _parts(group, tile_size(families[group[0]], device))]


def tile_size(family: Family, device: torch.device) -> int:
    """How many members of this kind are computed at once, at most."""
    if device.type != "cpu":
        return 1_000_000  # the more, the better an accelerator is used
    numbers = sum(parameter.numel() for parameter in family.parameters())
    return max(LEAST, min(LARGEST, TILE_NUMBERS // max(1, numbers)))


def _parts(group: list[int], size: int) -> list[list[int]]:
    """Parts of nearly equal length, none longer than `size`."""
    count = -(-len(group) // size)
    bounds = [len(group) * part // count for part in range(count + 1)]
    return [group[start:stop] for start, stop in pairwise(bounds)]
