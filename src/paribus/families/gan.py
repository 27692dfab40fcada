"""Generative adversarial networks: a generator and a discriminator, in turns, under any pair of objectives."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.data.contract import InMemoryData
from paribus.densities import Prior
from paribus.errors import UserError
from paribus.families.average import WeightAverage
from paribus.families.contract import Family, OptimizerFactory, Phase, Schedule
from paribus.families.snapshots import Snapshots
from paribus.networks.constraints import Constraint, follow
from paribus.networks.contract import NO_NOISE, Network
from paribus.networks.normalisation import has_batch_norm
from paribus.noise import Noise, NoiseSpec, draw, noise_of, within
from paribus.objectives.adversarial import AdversarialObjective
from paribus.objectives.loss import Loss
from paribus.objectives.penalties import Penalty
from paribus.streams import stream_seed
from paribus.supplied import Supplied

TURNS = ("discriminator", "generator")


class Gan(Family):
    """x = generator(z), z of the prior; the discriminator scores real and generated examples, each kind by itself.

    A step is one minibatch: a step of the discriminator and, at every `critic_steps`-th, one of the generator. The two
    turns of a step have latents of their own. A generator without parameters is a fixed distribution, and has no turn.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), algorithm 1.

    Args:
        prior: p(z), of which samples are drawn.
        generator: maps a latent to as many numbers as an example has.
        discriminator: gives an example its logit, or score.
        objective: what each of the two minimises.
        optimizer: makes the optimizer of the generator, and of the discriminator if that has none of its own.
        scheduler: the factor on the learning rates.
        in_shape: of an example.
        seed: the run's seed.
        critic_steps: steps of the discriminator for each of the generator, at least 1.
        averaging: decay of the moving average of the generator's weights, which then makes the samples; None for the
            weights as they are. The average takes in the weights that each generator step starts from.
        snapshots: latents whose examples are kept as training goes on, for pictures: see `Snapshots`.
        discriminator_optimizer: makes the discriminator's; two time-scales, Heusel et al. (2017).
        penalty: on the discriminator's gradient.
        constraint: on its weights.
        augmentation: what is done to the real examples in training.

    Raises:
        ValueError: an argument is out of range, or a penalty meets batch normalisation, under which an example has no
            gradient of its own.

    Attributes:
        kept: the snapshots, if there are any.
    """

    def __init__(
        self,
        prior: Supplied[Prior],
        generator: Supplied[Network],
        discriminator: Supplied[Network],
        objective: Supplied[AdversarialObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        in_shape: Supplied[tuple[int, ...]],
        seed: Supplied[int],
        critic_steps: int,
        averaging: float | None,
        snapshots: int,
        discriminator_optimizer: Supplied[OptimizerFactory | None] = None,
        penalty: Supplied[Penalty | None] = None,
        constraint: Supplied[Constraint | None] = None,
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(scheduler, seed)
        if critic_steps < 1:
            raise ValueError(f"critic_steps is {critic_steps}, expected at least 1")
        if penalty and has_batch_norm(discriminator):
            raise ValueError(
                "a penalty on the discriminator's gradient needs discriminator.normalisation other than batch: an "
                "example has no gradient of its own there; expected none or layer"
            )
        self.prior, self.generator, self.objective = prior, generator, objective
        self.discriminator = constraint.apply(discriminator) if constraint else discriminator
        self.penalty, self.augmentation = penalty, augmentation
        self.in_shape = tuple(in_shape)
        self.average = None if averaging is None else WeightAverage(generator, averaging)
        limit = constraint.limit if constraint else None
        critic = discriminator_optimizer or optimizer
        judging = Phase("discriminator", self.discriminator_loss, ("discriminator",), critic, limit=limit)
        generating = Phase("generator", self.generator_loss, ("generator",), optimizer, every=critic_steps)
        self.phases = (judging, generating) if any(True for _ in generator.parameters()) else (judging,)
        self.kept = self.followed(snapshots)

    @classmethod
    def told(cls, part: str, facts: Mapping[str, Any], built: Mapping[str, Any]) -> Mapping[str, Any]:
        """The generator leads from a latent to an example, and the discriminator from an example to a number."""
        if "prior" not in built:
            return facts
        features = built["prior"].features
        roles = {
            "generator": {"in_features": features, "in_shape": (features,)}
            | {"out_features": facts["in_features"], "out_shape": facts["in_shape"]},
            "discriminator": {"out_features": 1, "out_shape": (1,)},
        }
        return {**facts, **roles.get(part, {})}

    def configure_optimizers(self) -> list[Optimizer]:
        """An optimizer for each phase; UserError for one that asks for a loss several times a step."""
        optimizers = super().configure_optimizers()
        if any(isinstance(optimizer, LBFGS) for optimizer in optimizers):
            raise UserError(
                "LBFGS asks for a loss several times a step, and a GAN's losses follow weights as they go (averages, "
                "spectral norms); choose another optimizer, such as adam"
            )
        return optimizers

    def accept(self, data: InMemoryData) -> None:
        """Refuse examples that the generator's last layer cannot reach, or that the augmentation cannot take."""
        if self.augmentation:
            self.augmentation.check(data.parts["train"]["x"])
        if self.generator.extent is None:
            return
        least, most = self.generator.extent
        found = data.parts["train"]["x"].aminmax()
        if found.min < least or found.max > most:
            raise UserError(
                f"the generator makes numbers from {least:g} to {most:g}, and the training part's go from "
                f"{found.min.item():.3g} to {found.max.item():.3g}; of images, data.input_scaling=symmetric maps them "
                "to [-1, 1]"
            )

    def latent_spec(self) -> dict[str, NoiseSpec]:
        """The noise that a latent is made of."""
        return within("prior", self.prior.noise_spec())

    def latent(self, noise: Noise) -> Float[Tensor, "n features"]:
        """What the generator starts from."""
        return self.prior.sample(noise_of("prior", noise))

    def followed(self, latents: int) -> Snapshots | None:
        """Snapshots of so many latents, which the seed alone determines; None where there are none, or nothing learns.

        Raises:
            ValueError: the number is negative.
        """
        if latents < 0:
            raise ValueError(f"snapshots is {latents}, expected at least 0")
        if not latents or len(self.phases) == 1:
            return None
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "noise", "snapshots"))
        like = next(self.parameters())
        return Snapshots(self.latent(draw(self.latent_spec(), latents, generator, like=like)), self.in_shape)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """Latents of each turn, and what the networks, the penalty and the augmentation need."""
        spec = within("penalty", self.penalty.noise_spec()) if self.penalty else {}
        spec |= within("augmentation", self.augmentation.noise_spec()) if self.augmentation else {}
        for turn in TURNS:
            spec |= within(turn, self.latent_spec())
            spec |= within(f"{turn}/network", self.generator.noise_spec())
            spec |= within(f"{turn}/real", self.discriminator.noise_spec())
            spec |= within(f"{turn}/fake", self.discriminator.noise_spec())
        return spec

    def held_out_noise_spec(self) -> dict[str, NoiseSpec]:
        """Latents for as many generated examples as are held out."""
        return within("discriminator", self.latent_spec())

    def discriminator_loss(self, batch: Batch, noise: Noise) -> Loss:
        """The discriminator's objective, and the penalty as the term `penalty`."""
        follow(self.discriminator)
        real = self.observed(batch, noise)
        turn = noise_of("discriminator", noise)
        with torch.no_grad():
            fake = self.generated(turn)
        output = self.judged(fake, noise_of("fake", turn))
        loss = self.objective.discriminator(self.score(real, noise_of("real", turn)), output[:, 0])
        loss = self.completed(loss, output, turn)
        if not self.penalty:
            return loss
        penalty = self.penalty(lambda x: self.score(x, noise_of("fake", turn)), real, fake, noise_of("penalty", noise))
        return Loss(loss.total + penalty, {**loss.terms, "penalty": penalty})

    def generator_loss(self, batch: Batch, noise: Noise) -> Loss:
        """The generator's objective."""
        if self.average and self.training:
            self.average.update(self.generator)
        if self.kept and self.training:
            with as_sampling(self.generator):
                self.kept.take(self.step // self.phases[-1].every, self.decode)
        turn = noise_of("generator", noise)
        output = self.judged(self.generated(turn), noise_of("fake", turn))

        def real() -> Float[Tensor, "batch"]:
            return self.score(self.observed(batch, noise), noise_of("real", turn))

        return self.completed(self.objective.generator(real, output[:, 0]), output, turn)

    def completed(self, loss: Loss, output: Float[Tensor, "batch out"], turn: Noise) -> Loss:
        """A turn's loss, with what the discriminator's whole output on generated examples adds to it: here nothing."""
        return loss

    def validation_loss(self, batch: Batch) -> Loss:
        """The discriminator's objective on held-out examples, without the penalty: is it surer of what it has seen?"""
        turn = noise_of("discriminator", noise_of("noise", batch))
        return self.objective.discriminator(self.score(batch["x"]), self.score(self.generated(turn)))

    def observed(self, batch: Batch, noise: Noise) -> Float[Tensor, "batch ..."]:
        """The real examples of a minibatch, augmented where noise for it is given."""
        given = noise_of("augmentation", noise)
        return self.augmentation(batch["x"], given) if self.augmentation and given else batch["x"]

    def generated(self, turn: Noise) -> Float[Tensor, "batch ..."]:
        """Examples of a turn's latents."""
        latent = self.latent(turn)
        return self.generator(latent, noise_of("network", turn)).to(latent.dtype).reshape(-1, *self.in_shape)

    def score(self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE) -> Float[Tensor, "batch"]:
        """The discriminator's logit or score of each example."""
        return self.judged(x, noise)[:, 0]

    def judged(self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor]) -> Float[Tensor, "batch out"]:
        """All that the discriminator says of each example, in the precision of the data."""
        return self.discriminator(x, noise).to(x.dtype)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n ..."]:
        """Generated examples, by the averaged weights if there are any."""
        return self.decode(self.latent(draw(self.latent_spec(), n, generator, like=next(self.parameters()))))

    def decode(self, latent: Float[Tensor, "n features"]) -> Float[Tensor, "n ..."]:
        """The examples of latents, by the averaged weights if there are any."""
        flat = self.average.call(self.generator, latent) if self.average else self.generator(latent)
        return flat.reshape(-1, *self.in_shape)


@contextmanager
def as_sampling(module: nn.Module) -> Iterator[None]:
    """A module as it is after training: normalised by running statistics, which stay as they are."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
