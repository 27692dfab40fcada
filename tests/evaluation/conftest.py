"""Small variational autoencoders of given parts, and data of given examples."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from paribus.data.contract import InMemoryData
from paribus.densities import DiagonalGaussian, Gaussian, StandardNormal
from paribus.evaluation.evidence import LinearGaussianModel, covariance_eigenvalues, optimum
from paribus.families import Vae
from paribus.networks import Linear
from paribus.objectives import Elbo
from paribus.schedules import Constant


class Examples(InMemoryData):
    """Parts as they are given."""

    replication = "fresh"

    def __init__(self, **parts: torch.Tensor) -> None:
        super().__init__(batch_size=16, seed=0)
        self.parts = {name: {"x": x} for name, x in parts.items()}


@pytest.fixture
def examples() -> Callable[..., InMemoryData]:
    return lambda train, test: Examples(train=train, validation=test[:0], test=test)


@pytest.fixture
def vae() -> Callable[..., Vae]:
    """A linear Gaussian one where no parts are given; weights are drawn from a seed."""

    def build(numbers=5, features=2, likelihood=None, prior=None, decoder=None, encoder=None, **others) -> Vae:
        torch.manual_seed(0)
        parts = {
            "likelihood": likelihood or Gaussian(scale=0.7, learn_scale=False),
            "prior": prior or StandardNormal(features),
            "encoder": encoder or Linear(numbers, 2 * features),
            "decoder": decoder or Linear(features, numbers),
            "objective": Elbo(beta=1.0, free_nats=0.0, ramp=0.0, cycles=1, samples=1),
            "optimizer": torch.optim.Adam,
            "scheduler": Constant(),
            "seed": 0,
        }
        return Vae(**parts | others).eval()

    return build


@pytest.fixture
def correlated() -> Callable[..., torch.Tensor]:
    """Gaussian examples whose covariance has the eigenvalues 4, 2, 1.2, .5, .4, .3, in double precision."""

    def draw(n=400, seed=1) -> torch.Tensor:
        rng = np.random.default_rng(seed)
        rotation, mean = np.linalg.qr(rng.normal(size=(6, 6)))[0], rng.normal(size=6)
        deviations = np.sqrt([4.0, 2.0, 1.2, 0.5, 0.4, 0.3])
        return torch.from_numpy(rng.normal(size=(n, 6)) * deviations @ rotation.T + mean)

    return draw


@pytest.fixture
def best_vae(vae) -> Callable[..., Vae]:
    """The linear VAE, in double precision, at the maximum of the likelihood: Tipping and Bishop (1999), equation 7."""

    def build(x: torch.Tensor, features: int, variance: float | None = None) -> Vae:
        best = optimum(covariance_eigenvalues(x), features, variance)
        vectors = torch.linalg.eigh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))[1].flip(1)[:, :features]
        kept = covariance_eigenvalues(x)[:features].clamp(min=best.variance)
        weight = vectors * (kept - best.variance).sqrt()
        likelihood = Gaussian(scale=best.variance**0.5, learn_scale=variance is None)
        family = vae(x.shape[1], features, likelihood=likelihood).double()
        state = {
            "decoder.linear.weight": weight,
            "decoder.linear.bias": x.mean(0),
            "encoder.linear.weight": torch.cat([weight.T / kept[:, None], torch.zeros_like(weight.T)]),
            "encoder.linear.bias": torch.cat([-weight.T @ x.mean(0) / kept, (best.variance / kept).log()]),
        }
        state |= (
            {} if variance else {"likelihood.log_scale": torch.tensor(best.variance, dtype=torch.float64).log() / 2}
        )
        family.load_state_dict(state)
        return family

    return build


@pytest.fixture
def true_posterior() -> Callable[..., DiagonalGaussian]:
    """Of a linear Gaussian model whose weight has orthogonal columns: then it is diagonal."""

    def infer(known: LinearGaussianModel, x: torch.Tensor) -> DiagonalGaussian:
        precision = 1 + known.weight.square().sum(0) / known.variance
        mean = (x - known.offset) @ known.weight / known.variance / precision
        return DiagonalGaussian(mean, -precision.log().expand_as(mean))

    return infer
