"""Networks with plain arguments: [batch, in_features] -> [batch, out_features]."""

from paribus.networks.contract import Network
from paribus.networks.linear import Linear, Polynomial
from paribus.networks.mlp import Mlp

__all__ = ["Linear", "Mlp", "Network", "Polynomial"]
