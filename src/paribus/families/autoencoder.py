"""Autoencoders whose code is a function of the example: plain, and matched to a prior by a distance of samples."""

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.densities import Likelihood, Prior
from paribus.families.contract import OptimizerFactory, Phase, Schedule
from paribus.families.latent import LatentFamily
from paribus.networks.contract import Network
from paribus.noise import Noise, NoiseSpec, noise_of, within
from paribus.objectives.codes import CodeObjective
from paribus.objectives.loss import Loss
from paribus.supplied import Supplied


class Autoencoder(LatentFamily):
    """`code = encoder(x)`, fitted by an objective of the distortion, the codes and samples of the prior.

    With the objective `reconstruction` it is the plain autoencoder, whose prior is only what codes are held against;
    with `wasserstein_mmd` the Wasserstein autoencoder.

    Source: Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks (2006).

    Args:
        likelihood: p(x | z), the distortion's.
        prior: p(z), of which samples are drawn.
        encoder: gives the code.
        decoder: maps a code to the likelihood's output.
        objective: what is minimised.
        optimizer: makes the optimizer.
        scheduler: the factor on the learning rate.
        seed: the run's seed.
        augmentation: what is done to the inputs of a minibatch in training; None for nothing.
    """

    def __init__(
        self,
        likelihood: Supplied[Likelihood],
        prior: Supplied[Prior],
        encoder: Supplied[Network],
        decoder: Supplied[Network],
        objective: Supplied[CodeObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        seed: Supplied[int],
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, prior, augmentation, scheduler, seed)
        self.objective = objective
        self.phases = (Phase("loss", self.loss, ("encoder", "decoder", "likelihood", "objective"), optimizer),)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """A sample of the prior too."""
        return super().noise_spec() | self.held_out_noise_spec()

    def held_out_noise_spec(self) -> dict[str, NoiseSpec]:
        """A sample of the prior."""
        return within("prior", self.prior.noise_spec())

    def loss(self, batch: Batch, noise: Noise) -> Loss:
        """The objective at the minibatch's distortion, its codes, and as many samples of the prior."""
        x = self.observed(batch, noise)
        code = self.code(x, noise)
        distortion = self.likelihood.distortion(x.flatten(1), self.decode(code, noise))
        return self.objective(distortion, code, self.prior.sample(noise_of("prior", noise)))
