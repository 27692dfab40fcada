"""Arguments that the framework supplies, so that no YAML file repeats what another part already knows."""

from typing import Annotated, TypeVar

T = TypeVar("T")

SUPPLIED = "supplied by paribus.build"

Supplied = Annotated[T, SUPPLIED]
"""Marks a constructor's argument that `build` fills by name: `seed`, `in_features`, a built part."""
