"""Many runs as one program."""

from paribus.population.members import Member, Population
from paribus.population.optimizers import NotStackable

__all__ = ["Member", "NotStackable", "Population"]
