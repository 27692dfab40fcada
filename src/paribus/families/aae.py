"""The adversarial autoencoder: a discriminator makes the codes of all examples together look like the prior."""

from jaxtyping import Float
from torch import Tensor

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.densities import Likelihood, Prior
from paribus.families.contract import OptimizerFactory, Phase, Schedule
from paribus.families.latent import LatentFamily
from paribus.networks.contract import Network
from paribus.noise import Noise, NoiseSpec, noise_of, within
from paribus.objectives.adversarial import AdversarialObjective
from paribus.objectives.loss import Loss, batch_mean
from paribus.supplied import Supplied


class AdversarialAutoencoder(LatentFamily):
    """Three phases a step, each with an optimizer of its own: reconstruct; tell the prior from codes; fool the teller.

    The prior's samples are the real examples and codes the fake ones, so the phases see `discriminator(prior)` and
    `discriminator(code)`. Source: Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial Autoencoders (2015).

    Args:
        likelihood: p(x | z), the distortion's.
        prior: p(z), of which samples are drawn.
        encoder: gives the code.
        decoder: maps a code to the likelihood's output.
        discriminator: gives a code its logit: above 0 for what it takes for a sample of the prior.
        objective: what discriminator and encoder minimise of those logits.
        optimizer: makes the optimizer of each phase.
        scheduler: the factor on the learning rates.
        seed: the run's seed.
        augmentation: what is done to the inputs of a minibatch in training; None for nothing.
    """

    def __init__(
        self,
        likelihood: Supplied[Likelihood],
        prior: Supplied[Prior],
        encoder: Supplied[Network],
        decoder: Supplied[Network],
        discriminator: Supplied[Network],
        objective: Supplied[AdversarialObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        seed: Supplied[int],
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, prior, augmentation, scheduler, seed)
        self.discriminator, self.objective = discriminator, objective
        self.phases = (
            Phase("reconstruction", self.reconstruction_loss, ("encoder", "decoder", "likelihood"), optimizer),
            Phase("discriminator", self.discriminator_loss, ("discriminator",), optimizer),
            Phase("generator", self.generator_loss, ("encoder",), optimizer),
        )

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A sample of the prior, and what the discriminator needs."""
        discriminator = within("discriminator", self.discriminator.noise_spec())
        return super().noise_spec() | within("prior", self.prior.noise_spec()) | discriminator

    def reconstruction_loss(self, batch: Batch, noise: Noise) -> Loss:
        """The mean distortion."""
        x = self.observed(batch, noise)
        output = self.decode(self.code(x, noise), noise)
        mean = batch_mean(self.likelihood.distortion(x.flatten(1), output))
        return Loss(mean, {"distortion": mean})

    def discriminator_loss(self, batch: Batch, noise: Noise) -> Loss:
        """The discriminator's objective; no gradient reaches the encoder."""
        return self.objective.discriminator(
            self._of_prior(noise), self._logits(self._codes(batch, noise).detach(), noise)
        )

    def generator_loss(self, batch: Batch, noise: Noise) -> Loss:
        """The encoder's."""
        return self.objective.generator(lambda: self._of_prior(noise), self._logits(self._codes(batch, noise), noise))

    def _codes(self, batch: Batch, noise: Noise) -> Float[Tensor, "batch features"]:
        return self.code(self.observed(batch, noise), noise)

    def _of_prior(self, noise: Noise) -> Float[Tensor, "batch"]:
        return self._logits(self.prior.sample(noise_of("prior", noise)), noise)

    def _logits(self, code: Float[Tensor, "batch features"], noise: Noise) -> Float[Tensor, "batch"]:
        return self.discriminator(code, noise_of("discriminator", noise)).to(code.dtype).squeeze(-1)
