"""Which members are computed together: those of one structure, as many as suit the machine."""

from collections.abc import Hashable, Sequence
from itertools import pairwise

from paribus.families.contract import Family
from paribus.population.structure import structure

TILE = 64
"""Members of a tile where nothing was measured."""


def tiles(families: Sequence[Family], size: int) -> list[list[int]]:
    """The places of the members of each tile, of nearly equal lengths up to `size`; members keep their order.

    Raises:
        NotStackable: a family can only be trained alone.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, family in enumerate(families):
        groups.setdefault(structure(family), []).append(place)
    return [tile for group in groups.values() for tile in _parts(group, size)]


def _parts(group: list[int], size: int) -> list[list[int]]:
    count = -(-len(group) // size)
    bounds = [len(group) * part // count for part in range(count + 1)]
    return [group[start:stop] for start, stop in pairwise(bounds)]
