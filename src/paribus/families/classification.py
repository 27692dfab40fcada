"""Classification: a network that gives each class a logit, under any objective of logits and labels."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.data.contract import InMemoryData
from paribus.families.contract import Family, OptimizerFactory, Phase, Schedule
from paribus.networks.contract import NO_NOISE, Network
from paribus.noise import Noise, NoiseSpec, noise_of, within
from paribus.objectives.loss import ClassificationObjective, Loss
from paribus.supplied import Supplied


class Classification(Family):
    """`logits = network(x)`, fitted by an objective of logits and labels.

    Args:
        network: `[batch, *in] -> [batch, classes]`.
        objective: `(logits [batch, classes], label [batch]) -> Loss`.
        optimizer: makes the optimizer.
        scheduler: the factor on the learning rate.
        seed: the run's seed.
        augmentation: what is done to the inputs of a minibatch in training; None for nothing.
    """

    def __init__(
        self,
        network: Supplied[Network],
        objective: Supplied[ClassificationObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        seed: Supplied[int],
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(scheduler, seed)
        self.network, self.objective, self.augmentation = network, objective, augmentation
        self.phases = (Phase("loss", self.loss, ("network", "objective"), optimizer),)

    def accept(self, data: InMemoryData) -> None:
        """Refuse inputs that the augmentation cannot take."""
        if self.augmentation:
            self.augmentation.check(data.parts["train"]["x"])

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """What the network and the augmentation need."""
        augmented = self.augmentation.noise_spec() if self.augmentation else {}
        return within("network", self.network.noise_spec()) | within("augmentation", augmented)

    def loss(self, batch: Batch, noise: Noise) -> Loss:
        """The objective at the network's logits of the minibatch, augmented where noise is given."""
        x, given = batch["x"], noise_of("augmentation", noise)
        if self.augmentation and given:
            x = self.augmentation(x, given)
        return self.objective(self.predict(x, noise_of("network", noise)), batch["y"])

    def validation_loss(self, batch: Batch) -> Loss:
        """The objective of held-out examples, and beside it the share that is classified wrongly."""
        logits = self.predict(batch["x"])
        loss = self.objective(logits, batch["y"])
        wrong = (logits.argmax(-1) != batch["y"]).to(logits.dtype).mean()
        return Loss(loss.total, {**loss.terms, "error": wrong})

    def predict(
        self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch classes"]:
        """The logits of each example, in the precision of the data."""
        return self.network(x, noise).to(x.dtype)
