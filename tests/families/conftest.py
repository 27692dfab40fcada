"""Small data and families with a code."""

import math

import pytest
import torch

from paribus.data.contract import InMemoryData
from paribus.densities import Bernoulli, Gaussian, GaussianMixture, StandardNormal
from paribus.families import AdversarialAutoencoder, Autoencoder, Vae
from paribus.networks import Linear, Mlp
from paribus.objectives import Elbo, NonSaturating, WassersteinMmd
from paribus.schedules import Constant
from paribus.training import Training

NUMBERS, FEATURES = 6, 2


class Points(InMemoryData):
    """Examples of 2 x 3 numbers, binary or real, with a label that nothing looks at."""

    replication = "fresh"

    def __init__(self, binary=True, batch_size=16, seed=0):
        super().__init__(batch_size, seed)
        self.binary = binary

    def prepare(self):
        generator = torch.Generator().manual_seed(self.seed)
        for part, size in (("train", 50), ("validation", 20), ("test", 10)):
            x = torch.randn(size, 1, generator=generator) + torch.randn(size, NUMBERS, generator=generator)
            x = (x > 0).float() if self.binary else x
            self.parts[part] = {"x": x.reshape(size, 2, 3), "y": torch.zeros(size, dtype=torch.int64)}


@pytest.fixture
def points():
    """Makes data that is set up."""

    def make(**settings):
        data = Points(**settings)
        data.setup()
        return data

    return make


@pytest.fixture
def fit():
    """Trains a family on data below a folder."""

    def fit(family, data, folder, curves, **changes):
        settings = {
            "max_steps": 90, "max_epochs": None, "max_minutes": None, "validate_every": 20, "chunk_steps": 8,
            "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
            "detect_anomaly": False,
            "clip_norm": None, "accelerator": "cpu", "precision": "32-true", "threads": 1, "resume_seconds": math.inf,
            "save_checkpoint": False, "patience": None,
        }  # fmt: skip
        Training(**settings | changes).fit(family, data, folder, curves, [], progress=False)

    return fit


def elbo(**changes):
    return Elbo(**{"beta": 1.0, "free_nats": 0.0, "ramp": 0.0, "cycles": 1, "samples": 1} | changes)


def network(inputs, outputs, dropout=0.0):
    return Mlp(inputs, outputs, hidden=[8], activation="tanh", normalisation="none", dropout=dropout)


def adam(lr=0.01):
    return lambda parameters: torch.optim.Adam(parameters, lr=lr)


@pytest.fixture
def vae():
    """Makes a variational autoencoder, its weights drawn from its seed; what is given takes the place of a part."""

    def make(objective=None, seed=0, dropout=0.0, cls=Vae, linear=False, features=FEATURES, numbers=NUMBERS, **parts):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            shapes = {"encoder": (numbers, 2 * features), "decoder": (features, numbers)}
            of = {name: Linear(*shape) if linear else network(*shape, dropout) for name, shape in shapes.items()}
        given = {"likelihood": Bernoulli(), "prior": StandardNormal(features), "optimizer": adam()} | of
        return cls(**given | parts, objective=objective or elbo(), scheduler=Constant(), seed=seed)

    return make


@pytest.fixture
def autoencoder():
    """Makes an autoencoder that is matched to its prior."""

    def make(objective=None, seed=0, **parts):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            given = {"encoder": network(NUMBERS, FEATURES), "decoder": network(FEATURES, NUMBERS)}
        given |= {"likelihood": Gaussian(1.0, learn_scale=False), "prior": GaussianMixture(FEATURES, 5, 2.0, 0.3)}
        objective = objective or WassersteinMmd(weight=10.0, spread=1.0)
        return Autoencoder(**given | parts, objective=objective, optimizer=adam(), scheduler=Constant(), seed=seed)

    return make


@pytest.fixture
def adversarial():
    """Makes an adversarial autoencoder."""

    def make(seed=0, **parts):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            given = {
                "encoder": network(NUMBERS, FEATURES),
                "decoder": network(FEATURES, NUMBERS),
                "discriminator": network(FEATURES, 1),
            }
        given |= {"likelihood": Gaussian(1.0, learn_scale=True), "prior": GaussianMixture(FEATURES, 5, 2.0, 0.3)}
        given |= {"objective": NonSaturating(), "optimizer": adam(), "scheduler": Constant()}
        return AdversarialAutoencoder(**given | parts, seed=seed)

    return make
