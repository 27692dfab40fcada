"""Regression: a network that predicts one number, under any pointwise loss or likelihood."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from paribus.data.chunks import Batch
from paribus.families.contract import Family, OptimizerFactory, Phase, Schedule
from paribus.networks.contract import NO_NOISE, Network
from paribus.noise import Noise, NoiseSpec, noise_of, within
from paribus.objectives.loss import Loss, RegressionObjective
from paribus.supplied import Supplied


class Regression(Family):
    """`y = network(x)`, fitted by an objective of prediction and target.

    Args:
        network: `[batch, features] -> [batch, 1]`.
        objective: `(prediction [batch], target [batch]) -> Loss`; its own parameters (a learned scale) are trained too.
        optimizer: makes the optimizer.
        scheduler: the factor on the learning rate.
        input_noise: standard deviation of Gaussian noise added to the inputs in training; for the squared loss and a
            linear network this is ridge regression with penalty `input_noise ** 2` (Bishop 1995, "Training with noise
            is equivalent to Tikhonov regularization").
        in_features: columns of the inputs.
        seed: the run's seed.
    """

    def __init__(
        self,
        network: Supplied[Network],
        objective: Supplied[RegressionObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        in_features: Supplied[int],
        seed: Supplied[int],
        input_noise: float,
    ) -> None:
        super().__init__(scheduler, seed)
        if not 0 <= input_noise < float("inf"):
            raise ValueError(f"input_noise is {input_noise}, expected a standard deviation of at least 0")
        self.network, self.objective = network, objective
        self.in_features, self.input_noise = in_features, input_noise
        self.phases = (Phase("loss", self.loss, ("network", "objective"), optimizer),)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """What the network needs, and one normal number an input where the inputs are to be perturbed."""
        perturbation = {"x": NoiseSpec((self.in_features,))} if self.input_noise else {}
        return within("network", self.network.noise_spec()) | perturbation

    def loss(self, batch: Batch, noise: Noise) -> Loss:
        """The objective at the network's prediction of the minibatch, its inputs perturbed where noise is given."""
        x = batch["x"] + self.input_noise * noise["x"] if "x" in noise else batch["x"]
        return self.objective(self.predict(x, noise_of("network", noise)), batch["y"])

    def predict(
        self, x: Float[Tensor, "batch features"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch"]:
        """The network's prediction, in the units of the scaled target."""
        return self.network(x, noise).squeeze(-1).to(x.dtype)
