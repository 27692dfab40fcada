"""Data drawn from a linear Gaussian model, whose evidence is known: what a bound on it can be held against."""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.contract import InMemoryData, Part, tensor_hash
from paribus.data.precision import check_float32
from paribus.data.splitting import consecutive
from paribus.streams import stream_seed
from paribus.supplied import Supplied


class LinearGaussian(InMemoryData):
    """`x = W z + mean + noise * e` with z ~ N(0, I) and e ~ N(0, I): x is Gaussian with covariance `W W' + noise^2 I`.

    The columns of W are orthogonal, so the eigenvalues of the covariance are known: the variance of each signal plus
    noise^2, and noise^2 as often as is left. Probabilistic principal components are this model, fitted by maximum
    likelihood: Tipping and Bishop, Journal of the Royal Statistical Society B, 1999. Inputs are not scaled, and there
    are no labels. Another seed draws all examples anew, from the same law.

    Args:
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        dimensions: numbers of an example.
        signal: variances along orthogonal directions, at least 0; as many as z has numbers, at most `dimensions`.
        noise: standard deviation of the noise in every direction, above 0.
        problem_seed: fixes the directions and the mean, whatever the run's seed.
        batch_size, seed: see `InMemoryData`.

    Attributes:
        weight: W, `[dimensions, len(signal)]`.
        mean: `[dimensions]`, drawn from N(0, I).
        eigenvalues: of the covariance, `[dimensions]`, the largest first.
    """

    replication = "fresh"

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        dimensions: int,
        signal: list[float],
        noise: float,
        problem_seed: int,
        batch_size: int,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, seed)
        least = {"n_train": 2, "n_validation": 0, "n_test": 1, "dimensions": 1, "problem_seed": 0}
        given = (n_train, n_validation, n_test, dimensions, problem_seed)
        for (name, lowest), value in zip(least.items(), given, strict=True):
            if value < lowest:
                raise ValueError(f"{name} is {value}, expected at least {lowest}")
        if not 1 <= len(signal) <= dimensions or not all(0 <= variance < math.inf for variance in signal):
            raise ValueError(
                f"signal is {list(signal)}, expected 1 to {dimensions} variances, each finite and at least 0"
            )
        if not 0 < noise < math.inf:
            raise ValueError(f"noise is {noise}, expected a finite standard deviation above 0")
        self.counts = (n_train, n_validation, n_test)
        self.noise = float(noise)
        self.signal = np.array(signal, dtype=np.float64)
        rng = np.random.default_rng(stream_seed(problem_seed, "problem"))
        self.directions, _ = np.linalg.qr(rng.standard_normal((dimensions, len(signal))))
        self.weight = self.directions * np.sqrt(self.signal)
        self.mean = rng.standard_normal(dimensions)
        silent = np.zeros(dimensions - len(signal))
        self.eigenvalues: NDArray[np.float64] = np.sort(np.append(self.signal, silent))[::-1] + self.noise**2

    def prepare(self) -> None:
        """Draw all rows from the stream `split`, and cut them in the order in which they were drawn."""
        rng = np.random.default_rng(stream_seed(self.seed, "split"))
        n, (dimensions, features) = sum(self.counts), self.weight.shape
        latent, scatter = rng.standard_normal((n, features)), rng.standard_normal((n, dimensions))
        rows = latent @ self.weight.T + self.mean + self.noise * scatter
        for part, chosen in consecutive(*self.counts).items():
            x = rows[chosen]
            check_float32({f"x{column}": x[:, column] for column in range(dimensions)}, part, "no scaling")
            self.parts[part] = {"x": torch.from_numpy(x).float()}
        self._pairing = {
            "data": tensor_hash(torch.from_numpy(rows)),
            "split": tensor_hash(*(part["x"] for part in self.parts.values())),
        }

    def pairing(self) -> dict[str, str]:
        """Hashes of all rows (`data`) and of the parts (`split`); nothing is corrupted."""
        return self._pairing

    def log_density(self, x: Float[Tensor, "n dimensions"]) -> Float[Tensor, "n"]:
        """log p(x), exact, in nats and float64."""
        variances = torch.from_numpy(self.signal).to(x.device) + self.noise**2
        directions = torch.from_numpy(self.directions).to(x.device)
        centred = x.double() - torch.from_numpy(self.mean).to(x.device)
        along = centred @ directions
        across = centred - along @ directions.T  # what is left has the noise's variance in every direction
        squares = (along.square() / variances).sum(dim=1) + across.square().sum(dim=1) / self.noise**2
        return -squares / 2 - self._log_volume

    def mean_log_density(self, part: Part) -> float:
        """The mean of log p(x) over the examples of a part, in nats: no model's evidence is expected above it."""
        return self.log_density(self.parts[part]["x"]).mean().item()

    @property
    def expected_log_density(self) -> float:
        """The expectation of log p(x), in nats: the entropy, negated."""
        return -self._log_volume - len(self.eigenvalues) / 2

    @property
    def _log_volume(self) -> float:
        """Half the logarithm of the determinant of 2 pi times the covariance."""
        return float(np.log(2 * math.pi * self.eigenvalues).sum() / 2)
