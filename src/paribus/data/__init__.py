"""Data sets held in memory."""

from paribus.data.contamination import Contamination
from paribus.data.contract import InMemoryData
from paribus.data.gaussian_classes import GaussianClasses
from paribus.data.label_noise import LabelNoise
from paribus.data.labelled_table import LabelledTable
from paribus.data.public import AutoMpg, Boston, Diabetes
from paribus.data.public_classes import BreastCancer, Digits, Mnist5k, Wine
from paribus.data.synthetic import Line, Sine
from paribus.data.table import Table
from paribus.data.uci import Uci

__all__ = [
    "AutoMpg",
    "Boston",
    "BreastCancer",
    "Contamination",
    "Diabetes",
    "Digits",
    "GaussianClasses",
    "InMemoryData",
    "LabelNoise",
    "LabelledTable",
    "Line",
    "Mnist5k",
    "Sine",
    "Table",
    "Uci",
    "Wine",
]
