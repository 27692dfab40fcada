"""What a discriminator and a generator minimise, of logits or scores: real examples are to have the higher ones.

Each pair of losses is as its paper has it; what they share is that a term is averaged over the batch once, and that the
generator's loss may ask for the real examples' logits too, which only the relativistic one does.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

from paribus.objectives.loss import Loss, Objective, batch_mean

Logits = Float[Tensor, "batch"]


class AdversarialObjective(Objective):
    """Of the logits of real and of fake examples, in two turns.

    `discriminator(real [batch], fake [batch]) -> Loss` and `generator(real () -> [batch], fake [batch]) -> Loss`, where
    `real` is to be called for the logits of real examples: computing them is a third of a small network's work, so
    those who do not need them do not pay. Where a number tells real from fake, the discriminator's terms include
    `discriminator_accuracy`, the share of scores on the right side of it, which is told and not minimised.

    Attributes:
        logits: whether the discriminator's score comes to the log-odds of being real, so that its value in the game of
            Goodfellow et al. means something.
    """

    logits: bool = False

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """What the discriminator minimises."""
        raise NotImplementedError(f"{type(self).__name__} must implement discriminator")

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """What the generator of the fake examples minimises."""
        raise NotImplementedError(f"{type(self).__name__} must implement generator")


def soft_plus(logits: Logits) -> Logits:
    """log(1 + exp(logit)), to the last digit: beyond torch's own threshold of 20 it would be off by up to 2e-9."""
    return softplus(logits, threshold=40.0)


def accuracy(real: Logits, fake: Logits) -> Float[Tensor, ""]:
    """The share of examples that the sign of the logit tells rightly, real and fake ones weighing alike."""
    return (batch_mean((real > 0).to(real.dtype)) + batch_mean((fake <= 0).to(fake.dtype))) / 2


def _judged(on_real: Logits, on_fake: Logits, real: Logits, fake: Logits) -> Loss:
    """The sum of the mean losses on real and on fake examples, with both as terms."""
    means = {"discriminator_real": batch_mean(on_real), "discriminator_fake": batch_mean(on_fake)}
    total = means["discriminator_real"] + means["discriminator_fake"]
    return Loss(total, {**means, "discriminator_accuracy": accuracy(real, fake)})


def _generated(on_fake: Logits) -> Loss:
    mean = batch_mean(on_fake)
    return Loss(mean, {"generator_fake": mean})


class Minimax(AdversarialObjective):
    """-log D(real) - log(1 - D(fake)), which the generator maximises; D = sigmoid(logit).

    At the optimal discriminator the sum is 2 log 2 - 2 JSD. The generator's gradient in a logit a is sigmoid(a): it
    saturates where the discriminator is sure of a fake.
    Source: Goodfellow et al., Generative Adversarial Nets (2014), equation 1.
    """

    logits = True

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """Its cross entropy: `discriminator_real`, `discriminator_fake` and `discriminator_accuracy`."""
        return _judged(soft_plus(-real), soft_plus(fake), real, fake)

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """log(1 - D(fake)), at most 0: `generator_fake`."""
        return _generated(-soft_plus(fake))


class NonSaturating(Minimax):
    """The same discriminator, and -log D(fake) for the generator.

    The gradient in a logit a is sigmoid(a) - 1: largest where the discriminator is sure of a fake. A discriminator that
    knows nothing loses 2 log 2 = 1.386 nats. Source: Goodfellow et al. (2014), section 3.
    """

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """-log D(fake): `generator_fake`."""
        return _generated(soft_plus(-fake))


class LeastSquares(AdversarialObjective):
    """(score - 1)^2 / 2 on real and score^2 / 2 on fake examples; (score - 1)^2 / 2 on fake ones for the generator.

    Scores are told by 1/2, so `discriminator_accuracy` counts the sides of that.
    Source: Mao et al., Least Squares Generative Adversarial Networks (2017), equation 9 (a = 0, b = c = 1).
    """

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """`discriminator_real`, `discriminator_fake` and `discriminator_accuracy`."""
        return _judged((real - 1).square() / 2, fake.square() / 2, real - 0.5, fake - 0.5)

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """`generator_fake`."""
        return _generated((fake - 1).square() / 2)


class Wasserstein(AdversarialObjective):
    """mean score of fake less mean score of real examples; minus the mean score of fake ones for the generator.

    Minus the critic's loss estimates the Wasserstein distance where a constraint or a penalty keeps it 1-Lipschitz, and
    means nothing without. No number tells real from fake: scores have no origin.
    Source: Arjovsky, Chintala and Bottou, Wasserstein GAN (2017), equation 2.
    """

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """`discriminator_real` and `discriminator_fake`."""
        means = {"discriminator_real": batch_mean(-real), "discriminator_fake": batch_mean(fake)}
        return Loss(means["discriminator_real"] + means["discriminator_fake"], means)

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """`generator_fake`."""
        return _generated(-fake)


class Hinge(AdversarialObjective):
    """max(0, 1 - score) on real and max(0, 1 + score) on fake examples; minus the score for the generator.

    Source: Lim and Ye, Geometric GAN (2017), section 3.
    """

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """`discriminator_real`, `discriminator_fake` and `discriminator_accuracy`."""
        return _judged(relu(1 - real), relu(1 + fake), real, fake)

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """`generator_fake`."""
        return _generated(-fake)


class RelativisticAverage(AdversarialObjective):
    """Cross entropy of how much more real an example looks than the other kind on average; turned for the generator.

    Source: Jolicoeur-Martineau, The relativistic discriminator (2018), section 4.2, RaSGAN.
    """

    def discriminator(self, real: Logits, fake: Logits) -> Loss:
        """`discriminator_real`, `discriminator_fake` and `discriminator_accuracy`."""
        more_real, more_fake = real - batch_mean(fake), fake - batch_mean(real)
        return _judged(soft_plus(-more_real), soft_plus(more_fake), more_real, more_fake)

    def generator(self, real: Callable[[], Logits], fake: Logits) -> Loss:
        """The same with the kinds exchanged: `generator_real` and `generator_fake`."""
        logits = real()
        on_real = batch_mean(soft_plus(logits - batch_mean(fake)))
        on_fake = batch_mean(soft_plus(batch_mean(logits) - fake))
        return Loss(on_real + on_fake, {"generator_real": on_real, "generator_fake": on_fake})
