"""Classes drawn from Gaussians, so that what a network believes can be held against what it should."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.classification import ClassificationData, RawClasses, RawTableClasses
from paribus.data.contract import Split
from paribus.data.label_noise import LabelNoise
from paribus.data.scaling import ScalingKind
from paribus.data.splitting import consecutive
from paribus.streams import stream_seed
from paribus.supplied import Supplied


class GaussianClasses(ClassificationData):
    """`x ~ N(mean of the class, I)`, all classes equally probable: the posterior of the classes is known.

    Another seed draws all examples anew, from the same means. Units are arbitrary.

    Args:
        n_train, n_validation, n_test: examples a part; `n_validation` may be 0.
        classes: how many classes, at least 2.
        dimensions: how many inputs, at least 2.
        separation: the distance of each mean from the origin, in standard deviations of a class. Directions are uniform
            on the sphere, so two means are about 1.4 times as far from one another.
        problem_seed: fixes the directions, whatever the run's seed: replicates are draws from one problem.
        batch_size, label_noise, input_scaling, seed: see `ClassificationData`.

    Attributes:
        means: `[classes, dimensions]`.
    """

    replication = "fresh"

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        classes: int,
        dimensions: int,
        separation: float,
        problem_seed: int,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: ScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, label_noise, input_scaling, seed)
        least = {"n_train": 2, "n_validation": 0, "n_test": 1, "classes": 2, "dimensions": 2, "problem_seed": 0}
        given = (n_train, n_validation, n_test, classes, dimensions, problem_seed)
        for (name, lowest), value in zip(least.items(), given, strict=True):
            if value < lowest:
                raise ValueError(f"{name} is {value}, expected at least {lowest}")
        if not (math.isfinite(separation) and separation >= 0):
            raise ValueError(f"separation is {separation}, expected a finite distance of at least 0")
        self.n_train, self.n_validation, self.n_test = n_train, n_validation, n_test
        directions = np.random.default_rng(stream_seed(problem_seed, "problem")).standard_normal((classes, dimensions))
        self.means = separation * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def load(self) -> RawTableClasses:
        """Draw all rows from the stream `split`."""
        rng = np.random.default_rng(stream_seed(self.seed, "split"))
        rows = self.n_train + self.n_validation + self.n_test
        classes, dimensions = self.means.shape
        label = rng.integers(classes, size=rows)
        inputs = self.means[label] + rng.standard_normal((rows, dimensions))
        names = tuple(f"x{column}" for column in range(dimensions))
        return RawTableClasses(inputs, label, tuple(map(str, range(classes))), names)

    def split(self, raw: RawClasses) -> Split:
        """The rows in the order in which they were drawn."""
        return consecutive(self.n_train, self.n_validation, self.n_test)

    def log_posterior(self, inputs: NDArray[np.float64]) -> Float[Tensor, "rows classes"]:
        """log p(class | x) of raw inputs `[rows, dimensions]`, in nats and float64, of labels without noise."""
        scores = inputs @ self.means.T - (self.means**2).sum(axis=1) / 2  # what all classes share is left out
        return torch.from_numpy(scores).log_softmax(dim=1)

    def recovery(self, predict: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """How far predicted probabilities q are from the posterior p, on the inputs of the test part.

        Args:
            predict: raw inputs `[n, dimensions]`, float64, to log-probabilities `[n, classes]`.

        Returns:
            `kl_from_bayes`, the mean of KL(p || q) in nats; `overconfidence`, the mean of the highest q less p of that
            class; `accuracy_regret`, the mean of the highest p less p of the class with the highest q: these need no
            labels. `bayes_accuracy` and `bayes_nll` (nats) are p's on the labels of the test part, the best that can be
            expected of a prediction on the same labels.
        """
        rows = self.rows["test"]
        log_p = self.log_posterior(self.raw.inputs[rows])
        log_q = predict(torch.from_numpy(self.raw.inputs[rows])).double().cpu()
        p, label = log_p.exp(), torch.from_numpy(self.raw.label[rows])[:, None]
        confidence, decided = log_q.max(dim=1, keepdim=True)
        decided_p = p.gather(1, decided)
        divergence = torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=1)  # p log p = 0 where p underflows
        return {
            "kl_from_bayes": divergence.mean().item(),
            "overconfidence": (confidence.exp() - decided_p).mean().item(),
            "accuracy_regret": (p.amax(dim=1, keepdim=True) - decided_p).mean().item(),
            "bayes_accuracy": (log_p.argmax(dim=1, keepdim=True) == label).double().mean().item(),
            "bayes_nll": -log_p.gather(1, label).mean().item(),
        }
