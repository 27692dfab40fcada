"""LightningModules built of parts: what is trained, one module a family."""

from paribus.families.classification import Classification
from paribus.families.contract import Family, Phase
from paribus.families.regression import Regression

__all__ = ["Classification", "Family", "Phase", "Regression"]
