"""Data sets held in memory."""

from paribus.data.cifar import Cifar
from paribus.data.contamination import Contamination
from paribus.data.contract import InMemoryData
from paribus.data.gaussian_classes import GaussianClasses
from paribus.data.gaussian_mixtures import GridOfGaussians, RingOfGaussians, ShiftedGaussian
from paribus.data.idx import Idx
from paribus.data.image_folder import ImageFolder
from paribus.data.label_noise import LabelNoise
from paribus.data.labelled_table import LabelledTable
from paribus.data.linear_gaussian import LinearGaussian
from paribus.data.public import AutoMpg, Boston, Diabetes
from paribus.data.public_classes import BreastCancer, Digits, Mnist5k, Wine
from paribus.data.shapes import Shapes
from paribus.data.synthetic import Line, Sine
from paribus.data.table import Table
from paribus.data.uci import Uci

__all__ = [
    "AutoMpg",
    "Boston",
    "BreastCancer",
    "Cifar",
    "Contamination",
    "Diabetes",
    "Digits",
    "GaussianClasses",
    "GridOfGaussians",
    "Idx",
    "ImageFolder",
    "InMemoryData",
    "LabelNoise",
    "LabelledTable",
    "Line",
    "LinearGaussian",
    "Mnist5k",
    "RingOfGaussians",
    "Shapes",
    "ShiftedGaussian",
    "Sine",
    "Table",
    "Uci",
    "Wine",
]
