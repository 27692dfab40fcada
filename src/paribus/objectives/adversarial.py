"""What a discriminator and what it judges minimise, of logits: real above 0, fake below."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from paribus.objectives.loss import Loss, Objective, batch_mean


class AdversarialObjective(Objective):
    """Of logits of real and of fake examples, in two turns.

    `discriminator(real [batch], fake [batch]) -> Loss` and `generator(real [batch], fake [batch]) -> Loss`.
    """

    def discriminator(self, real: Float[Tensor, "batch"], fake: Float[Tensor, "batch"]) -> Loss:
        """What the discriminator minimises."""
        raise NotImplementedError(f"{type(self).__name__} must implement discriminator")

    def generator(self, real: Float[Tensor, "batch"], fake: Float[Tensor, "batch"]) -> Loss:
        """What the generator of the fake examples minimises."""
        raise NotImplementedError(f"{type(self).__name__} must implement generator")


class NonSaturating(AdversarialObjective):
    """-log D(real) - log(1 - D(fake)), and -log D(fake) for the generator, with D = sigmoid(logit).

    Source: Goodfellow et al., Generative Adversarial Nets (2014), section 3. A discriminator that knows nothing loses
    2 log 2 = 1.386 nats.
    """

    def discriminator(self, real: Float[Tensor, "batch"], fake: Float[Tensor, "batch"]) -> Loss:
        """Its loss, with the terms `discriminator_real`, `discriminator_fake` and `discriminator_accuracy`."""
        on_real, on_fake = batch_mean(softplus(-real)), batch_mean(softplus(fake))
        accuracy = batch_mean(((real > 0).to(real.dtype) + (fake <= 0).to(fake.dtype)) / 2)
        terms = {
            "discriminator_real": on_real,
            "discriminator_fake": on_fake,
            "discriminator_accuracy": accuracy,
        }
        return Loss(on_real + on_fake, terms)

    def generator(self, real: Float[Tensor, "batch"], fake: Float[Tensor, "batch"]) -> Loss:
        """Its loss, with the term `generator_fake`."""
        mean = batch_mean(softplus(-fake))
        return Loss(mean, {"generator_fake": mean})
