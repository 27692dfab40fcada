"""LightningModules built of parts: what is trained, one module a family."""

from paribus.families.contract import Family, Phase
from paribus.families.regression import Regression

__all__ = ["Family", "Phase", "Regression"]
