"""The variational autoencoder: a posterior for each example, under any bound on the evidence."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.densities import DiagonalGaussian, EvaluablePrior, Likelihood
from paribus.families.contract import OptimizerFactory, Phase, Schedule
from paribus.families.latent import LatentFamily
from paribus.networks.contract import NO_NOISE, Network
from paribus.noise import Noise, NoiseSpec, draw, noise_of, within
from paribus.objectives.loss import Loss
from paribus.objectives.variational import Inference, VariationalObjective
from paribus.supplied import Supplied


class Vae(LatentFamily):
    """q(z | x) = N(mean, diag(variance)) of the encoder, p(x | z) of the decoder, fitted by a bound on log p(x).

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013).

    Args:
        likelihood: p(x | z); a parameter of its own (a learned scale) is trained too.
        prior: p(z); its density must be computable.
        encoder: gives the means of a code's features, then the logarithms of their variances.
        decoder: maps a code to the likelihood's output.
        objective: what is minimised of what is inferred.
        optimizer: makes the optimizer.
        scheduler: the factor on the learning rate.
        seed: the run's seed.
        augmentation: what is done to the inputs of a minibatch in training; None for nothing.
    """

    numbers_a_feature = 2
    prior: EvaluablePrior

    def __init__(
        self,
        likelihood: Supplied[Likelihood],
        prior: Supplied[EvaluablePrior],
        encoder: Supplied[Network],
        decoder: Supplied[Network],
        objective: Supplied[VariationalObjective],
        optimizer: Supplied[OptimizerFactory],
        scheduler: Supplied[Schedule],
        seed: Supplied[int],
        augmentation: Supplied[Augmentation | None] = None,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, prior, augmentation, scheduler, seed)
        self.objective = objective
        self.phases = (Phase("loss", self.loss, ("encoder", "decoder", "likelihood", "objective"), optimizer),)

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The samples of the posterior too, `[samples, features]` an example; the decoder's for each of them."""
        own = {
            name: NoiseSpec((self.objective.samples, *each.shape), each.distribution)
            for name, each in within("decoder", self.decoder.noise_spec()).items()
        }
        return super().noise_spec() | own | self.held_out_noise_spec()

    def held_out_noise_spec(self) -> dict[str, NoiseSpec]:
        """The samples of the posterior: a bound is not one without them."""
        return {"code": NoiseSpec((self.objective.samples, self.prior.features))}

    def loss(self, batch: Batch, noise: Noise) -> Loss:
        """The objective at what is inferred of the minibatch."""
        x = self.observed(batch, noise)
        posterior = self.posterior(x, noise)
        code = posterior.sample(noise["code"])
        of_codes = {
            f"decoder/{name}": each.transpose(0, 1).flatten(0, 1) for name, each in noise_of("decoder", noise).items()
        }
        distortion = self.likelihood.distortion(x.flatten(1), self.decode(code, of_codes))
        constant, progress = self.likelihood.constant(x[0].numel()), self.step / self.total_steps
        return self.objective(Inference(posterior, code, distortion, self.prior, progress, constant))

    def posterior(self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE) -> DiagonalGaussian:
        """q(z | x) of each example."""
        return DiagonalGaussian(*self.encoder(x, noise_of("encoder", noise)).to(x.dtype).chunk(2, dim=1))

    def code(
        self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch features"]:
        """The mean of q(z | x)."""
        return self.posterior(x, noise).mean

    def draw_code(self, x: Float[Tensor, "batch ..."], generator: torch.Generator) -> Float[Tensor, "batch features"]:
        """A sample of each q(z | x)."""
        noise = draw({"code": NoiseSpec((1, self.prior.features))}, len(x), generator, like=x)
        return self.posterior(x).sample(noise["code"])[0]

    def log_weights(
        self, x: Float[Tensor, "batch ..."], noise: Float[Tensor, "batch samples features"]
    ) -> Float[Tensor, "samples batch"]:
        """log p(x, z) - log q(z | x) of samples z of the posterior, in nats and by normalised densities."""
        posterior = self.posterior(x)
        code = posterior.sample(noise)
        log_joint = self.likelihood.log_prob(x.flatten(1), self.decode(code)) + self.prior.log_prob(code)
        return log_joint - posterior.log_prob(code)
