"""What the latent-variable families share: an encoder to codes, a decoder back, a likelihood and a prior."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.augmentation import Augmentation
from paribus.data.chunks import Batch
from paribus.data.contract import InMemoryData, rows_at_once
from paribus.densities import Likelihood, Prior
from paribus.families.contract import Family, Schedule
from paribus.networks.contract import NO_NOISE, Network
from paribus.noise import Noise, NoiseSpec, draw, noise_of, within


class LatentFamily(Family):
    """x -> encoder -> code -> decoder -> likelihood of x.

    Under autocast the networks compute in bfloat16, and what is made of their outputs, in the precision of the data.

    Args:
        encoder: `[batch, *in] -> [batch, numbers_a_feature * features]`.
        decoder: `[batch, features] -> [batch, ...]`, as many numbers as an example has.
        likelihood: p(x | output of the decoder).
        prior: p(z), whose `features` are those of the code.
        augmentation: what is done to the inputs of a minibatch in training; None for nothing.
        schedule: the factor on the learning rate.
        seed: the run's seed.

    Attributes:
        numbers_a_feature: that the encoder gives for each feature of the code.
    """

    numbers_a_feature: ClassVar[int] = 1

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood,
        prior: Prior,
        augmentation: Augmentation | None,
        schedule: Schedule,
        seed: int,
    ) -> None:
        super().__init__(schedule, seed)
        self.encoder, self.decoder, self.likelihood, self.prior = encoder, decoder, likelihood, prior
        self.augmentation = augmentation

    @classmethod
    def told(cls, part: str, facts: Mapping[str, Any], built: Mapping[str, Any]) -> Mapping[str, Any]:
        """The encoder ends in the numbers of a code, and the decoder leads from a code to an example."""
        if "prior" not in built:
            return facts
        features = built["prior"].features
        roles = {
            "encoder": {"out_features": cls.numbers_a_feature * features},
            "decoder": {"in_features": features, "in_shape": (features,)}
            | {"out_features": facts["in_features"], "out_shape": facts["in_shape"]},
            "discriminator": {"in_features": features, "in_shape": (features,), "out_features": 1},
        }
        return {**facts, **roles.get(part, {})}

    def accept(self, data: InMemoryData) -> None:
        """Refuse data outside the support of the likelihood, as it is trained on and as it is held out."""
        for part, rows in data.parts.items():
            generator = torch.Generator().manual_seed(0)
            for x in rows["x"].split(rows_at_once(rows["x"])):
                if part == "train" and self.augmentation:
                    self.augmentation.check(x)
                    x = self.augmentation(x, draw(self.augmentation.noise_spec(), len(x), generator, like=x))
                self.likelihood.check(x, f"the {part} part")

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """What the networks and the augmentation need."""
        augmented = self.augmentation.noise_spec() if self.augmentation else {}
        networks = within("encoder", self.encoder.noise_spec()) | within("decoder", self.decoder.noise_spec())
        return networks | within("augmentation", augmented)

    def observed(self, batch: Batch, noise: Noise) -> Float[Tensor, "batch ..."]:
        """The examples of a minibatch, augmented where noise for it is given."""
        given = noise_of("augmentation", noise)
        return self.augmentation(batch["x"], given) if self.augmentation and given else batch["x"]

    def as_trained(self, x: Float[Tensor, "n ..."], generator: torch.Generator) -> Float[Tensor, "n ..."]:
        """Examples as a step of training sees them: augmented, where there is an augmentation."""
        if not self.augmentation:
            return x
        spec, blocks = within("augmentation", self.augmentation.noise_spec()), x.split(rows_at_once(x))
        return torch.cat([self.observed({"x": each}, draw(spec, len(each), generator, like=x)) for each in blocks])

    def code(
        self, x: Float[Tensor, "batch ..."], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "batch features"]:
        """The code of each example: where the encoder is a distribution, its mean."""
        return self.encoder(x, noise_of("encoder", noise)).to(x.dtype)

    def draw_code(self, x: Float[Tensor, "batch ..."], generator: torch.Generator) -> Float[Tensor, "batch features"]:
        """A code of each example: a draw where the encoder is a distribution, so that all are of the aggregate one."""
        return self.code(x)

    def decode(
        self, code: Float[Tensor, "*samples features"], noise: Mapping[str, Tensor] = NO_NOISE
    ) -> Float[Tensor, "*samples numbers"]:
        """The decoder's output for each code, flat; noise is given for the codes in their order, flattened."""
        output = self.decoder(code.flatten(0, -2), noise_of("decoder", noise)).to(code.dtype)
        return output.reshape(*code.shape[:-1], -1)

    def reconstruct(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The expected example at each example's code."""
        return self.likelihood.mean(self.decode(self.code(x))).reshape(x.shape)

    def sample_prior(self, n: int, generator: torch.Generator) -> Float[Tensor, "n features"]:
        """Codes drawn from the prior."""
        return self.prior.sample(draw(self.prior.noise_spec(), n, generator, like=next(self.parameters())))

    def draw_example(self, n: int, generator: torch.Generator) -> Float[Tensor, "n numbers"]:
        """Examples of the kind that the data has, at codes drawn from the prior, flat."""
        output = self.decode(self.sample_prior(n, generator))
        return self.likelihood.example(output, torch.rand(output.shape, generator=generator).to(output))

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n numbers"]:
        """Expected examples at codes drawn from the prior, flat."""
        return self.likelihood.mean(self.decode(self.sample_prior(n, generator)))
