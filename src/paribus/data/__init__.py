"""Data sets held in memory."""

from paribus.data.contamination import Contamination
from paribus.data.contract import InMemoryData
from paribus.data.public import AutoMpg, Boston, Diabetes
from paribus.data.synthetic import Line, Sine
from paribus.data.table import Table
from paribus.data.uci import Uci

__all__ = ["AutoMpg", "Boston", "Contamination", "Diabetes", "InMemoryData", "Line", "Sine", "Table", "Uci"]
