"""Networks with plain arguments: `[batch, *in] -> [batch, out]`."""

from paribus.networks.constraints import Constraint, SpectralNorm, WeightClipping
from paribus.networks.contract import Network
from paribus.networks.convolutional import ConvDecoder, ConvEncoder
from paribus.networks.dcgan import DcganDiscriminator, DcganGenerator
from paribus.networks.lenet import LeNet
from paribus.networks.linear import Identity, Linear, Polynomial
from paribus.networks.mlp import Mlp
from paribus.networks.residual import PlainCnn, ResNet

__all__ = [
    "Constraint",
    "ConvDecoder",
    "ConvEncoder",
    "DcganDiscriminator",
    "DcganGenerator",
    "Identity",
    "LeNet",
    "Linear",
    "Mlp",
    "Network",
    "PlainCnn",
    "Polynomial",
    "ResNet",
    "SpectralNorm",
    "WeightClipping",
]
