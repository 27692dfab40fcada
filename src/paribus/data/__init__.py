"""Data sets held in memory."""

from paribus.data.contamination import Contamination
from paribus.data.contract import InMemoryData
from paribus.data.public import Diabetes
from paribus.data.synthetic import Line, Sine

__all__ = ["Contamination", "Diabetes", "InMemoryData", "Line", "Sine"]
