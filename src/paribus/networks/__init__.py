"""Networks with plain arguments: [batch, in_features] -> [batch, out_features]."""

from paribus.networks.linear import Linear, Polynomial
from paribus.networks.mlp import Mlp

__all__ = ["Linear", "Mlp", "Polynomial"]
