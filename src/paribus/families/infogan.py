"""InfoGAN: a part of the latent that the discriminator's trunk must be able to read back from what was generated."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.augmentation import Augmentation
from paribus.densities import Prior
from paribus.densities.codes import LatentCode
from paribus.families.contract import OptimizerFactory, Schedule
from paribus.families.gan import Gan
from paribus.networks.constraints import Constraint
from paribus.networks.contract import Network
from paribus.noise import Noise, NoiseSpec, noise_of, within
from paribus.number import Number
from paribus.objectives.adversarial import AdversarialObjective
from paribus.objectives.loss import Loss, batch_mean
from paribus.objectives.penalties import Penalty
from paribus.supplied import Supplied


class InfoGan(Gan):
    """A GAN whose generator is given (z, c), and whose discriminator says, beside its logit, what c was.

    Both minimise their objective less `information` times L_I = E[log q(c | x)] + H(c), a lower bound on I(c; x) in
    nats. q shares the discriminator's trunk and is trained in its turn; the generator is in its own.
    Source: Chen et al., InfoGAN (2016), equations 5 and 6.

    Args:
        code: what c is. A constraint or a penalty on the discriminator reaches q too, which shares its layers.
        information: weight of L_I; 1 in the paper for categories.
        prior, generator, discriminator, objective, optimizer, scheduler, in_shape, seed, critic_steps, averaging,
        snapshots, discriminator_optimizer, penalty, constraint, augmentation: see `Gan`.

    Raises:
        ValueError: an argument is out of range.
    """

    information = Number(least=0)

    def __init__(
        self,
        prior: Supplied[Prior],
        code: Supplied[LatentCode],
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
        information: float,
        discriminator_optimizer: Supplied[OptimizerFactory | None] = None,
        penalty: Supplied[Penalty | None] = None,
        constraint: Supplied[Constraint | None] = None,
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(
            prior,
            generator,
            discriminator,
            objective,
            optimizer,
            scheduler,
            in_shape,
            seed,
            critic_steps,
            averaging,
            0,
            discriminator_optimizer,
            penalty,
            constraint,
            augmentation,
        )
        self.code, self.information = code, information
        self.kept = self.followed(snapshots)

    @classmethod
    def told(cls, part: str, facts: Mapping[str, Any], built: Mapping[str, Any]) -> Mapping[str, Any]:
        """The generator starts from latent and code; the discriminator ends in a logit and what it says of the code."""
        told = super().told(part, facts, built)
        if "code" not in built:
            return told
        features, out_features = built["prior"].features + built["code"].features, 1 + built["code"].parameters_of_q
        roles = {
            "generator": {"in_features": features, "in_shape": (features,)},
            "discriminator": {"out_features": out_features, "out_shape": (out_features,)},
        }
        return {**told, **roles.get(part, {})}

    def latent_spec(self) -> dict[str, NoiseSpec]:
        """Codes too."""
        return super().latent_spec() | within("code", self.code.noise_spec())

    def latent(self, noise: Noise) -> Float[Tensor, "n features"]:
        """A latent of the prior and a code, side by side."""
        return torch.cat([super().latent(noise), self.code.sample(noise_of("code", noise))], dim=1)

    def completed(self, loss: Loss, output: Float[Tensor, "batch out"], turn: Noise) -> Loss:
        """The loss less the weighted information, with the term `information` in nats."""
        code = self.code.sample(noise_of("code", turn))
        bound = batch_mean(self.code.log_q(output[:, 1:], code)) + self.code.entropy
        return Loss(loss.total - self.information.to(bound.dtype) * bound, {**loss.terms, "information": bound})
