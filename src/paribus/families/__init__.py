"""LightningModules built of parts: what is trained, one module a family."""

from paribus.families.aae import AdversarialAutoencoder
from paribus.families.autoencoder import Autoencoder
from paribus.families.classification import Classification
from paribus.families.contract import Family, Phase
from paribus.families.gan import Gan
from paribus.families.infogan import InfoGan
from paribus.families.latent import LatentFamily
from paribus.families.regression import Regression
from paribus.families.vae import Vae

__all__ = [
    "AdversarialAutoencoder",
    "Autoencoder",
    "Classification",
    "Family",
    "Gan",
    "InfoGan",
    "LatentFamily",
    "Phase",
    "Regression",
    "Vae",
]
