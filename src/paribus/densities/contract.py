"""What every likelihood and every prior is. Densities are in nats, sums over the numbers of an example."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from paribus.densities.gaussian import DiagonalGaussian
from paribus.noise import NoiseSpec


class Likelihood(nn.Module):
    """p(x | z): a density of an example's numbers, independent of one another given the decoder's output.

    Examples and outputs are flat, `[..., numbers]`; the output has one number for each number of the example.
    """

    def log_prob(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """log p(x | output), a normalised density: the sum over the numbers of an example, in nats."""
        raise NotImplementedError(f"{type(self).__name__} must implement log_prob")

    def distortion(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """What training minimises of the reconstruction: -log p(x | output), unless the class says otherwise."""
        return -self.log_prob(x, output)

    def constant(self, numbers: int) -> float:
        """What -log p(x | output) of an example of so many numbers has beyond the distortion, in nats."""
        return 0.0

    def mean(self, output: Float[Tensor, "*batch numbers"]) -> Float[Tensor, "*batch numbers"]:
        """The expected example, which pictures show."""
        return output

    def example(
        self, output: Float[Tensor, "*batch numbers"], uniform: Float[Tensor, "*batch numbers"]
    ) -> Float[Tensor, "*batch numbers"]:
        """An example of the kind that the data has, made of uniform noise.

        The mean, unless the class says otherwise: a draw would differ from examples by white noise before all.
        """
        return self.mean(output)

    def check(self, x: Tensor, where: str) -> None:
        """Refuse examples outside the support.

        Args:
            x: examples `[n, ...]`.
            where: what they are, for the message: "the training part".

        Raises:
            UserError: an example has no density.
        """


class Prior(nn.Module):
    """p(z), of which samples can be drawn.

    Attributes:
        features: numbers of a code.
    """

    features: int

    def noise_spec(self) -> dict[str, NoiseSpec]:
        """The random numbers that a sample is made of, by name."""
        raise NotImplementedError(f"{type(self).__name__} must implement noise_spec")

    def sample(self, noise: Mapping[str, Tensor]) -> Float[Tensor, "batch features"]:
        """Samples, as a function of noise `[batch, *shape]`."""
        raise NotImplementedError(f"{type(self).__name__} must implement sample")


class EvaluablePrior(Prior):
    """A prior whose density can be computed, which the ELBO needs."""

    def log_prob(self, code: Float[Tensor, "*samples features"]) -> Float[Tensor, "*samples"]:
        """log p(z), in nats."""
        raise NotImplementedError(f"{type(self).__name__} must implement log_prob")

    def rate(
        self, posterior: DiagonalGaussian, code: Float[Tensor, "samples batch features"]
    ) -> Float[Tensor, "batch groups"]:
        """KL(q(z | x) || p(z)) of each example, in nats, as groups of features that add up to it.

        One group, of all features, and a Monte-Carlo estimate: the mean of log q(z | x) - log p(z) over the samples.
        A prior that factorises overrides this with the exact divergence of each feature.
        """
        return (posterior.log_prob(code) - self.log_prob(code)).mean(dim=0)[:, None]
