"""p(x | z): Bernoulli, Gaussian with a shared scale, and the mean-reduced squared error of popular code."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from paribus.densities.contract import Likelihood
from paribus.densities.gaussian import LOG_TWO_PI
from paribus.errors import UserError
from paribus.number import Number

LEAST_SCALE, LARGEST_SCALE = 1e-6, 1e6
BINARISE = (
    ", or binarise the images: data.input_scaling=binary (once), or data.input_scaling=dynamic augmentation=binarise "
    "(anew at each step)"
)


class Bernoulli(Likelihood):
    """Numbers that are 0 or 1, each 1 with probability sigmoid(output): the binary cross entropy, summed.

    Grey values have no density under it: cross entropy between them and a probability is finite, and no likelihood.

        log p(x | z) = sum_i x_i log s_i + (1 - x_i) log(1 - s_i),   s = sigmoid(output)

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013), appendix C.1.
    """

    def log_prob(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """sum of log sigmoid(output) where x is 1, of log sigmoid(-output) where it is 0."""
        entropy = binary_cross_entropy_with_logits(output, x.expand_as(output), reduction="none")
        return -entropy.sum(dim=-1)

    def mean(self, output: Float[Tensor, "*batch numbers"]) -> Float[Tensor, "*batch numbers"]:
        """The probability of a 1."""
        return output.sigmoid()

    def example(
        self, output: Float[Tensor, "*batch numbers"], uniform: Float[Tensor, "*batch numbers"]
    ) -> Float[Tensor, "*batch numbers"]:
        """A draw: the probabilities themselves are grey, and examples are not."""
        return (uniform < output.sigmoid()).to(output.dtype)

    def check(self, x: Tensor, where: str) -> None:
        """Refuse numbers other than 0 and 1."""
        other = x[(x != 0) & (x != 1)]
        if len(other):
            raise UserError(
                f"likelihood=bernoulli is of numbers that are 0 or 1, and {where} has {other[0].item():.4g}; choose "
                f"likelihood=gaussian{BINARISE if x.ndim > 2 else ''}"
            )


class Gaussian(Likelihood):
    """Real numbers, each with mean output and one standard deviation that all share: fixed, or learned.

        log p(x | z) = -sum_i ((x_i - output_i)^2 / (2 scale^2) + log scale + log(2 pi) / 2)

    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013), appendix C.2, with one scale for all numbers.

    Args:
        scale: the standard deviation, in units of the scaled inputs, or where a learned one starts.
        learn_scale: learn it, as a parameter that the optimizer of the networks trains; held within 1e-6 and 1e6.

    Raises:
        ValueError: scale is out of range.
    """

    scale = Number(least=LEAST_SCALE, below=LARGEST_SCALE)

    def __init__(self, scale: float, learn_scale: bool) -> None:
        super().__init__()
        self.scale, self.learn_scale = scale, learn_scale
        if learn_scale:
            self.log_scale = nn.Parameter(self.scale.log().to(torch.get_default_dtype()))
            del self.scale  # one source of the scale: the number only says where the parameter starts

    def log_variance(self, like: Tensor) -> Float[Tensor, ""]:
        """The logarithm of the variance in use, in a tensor's dtype."""
        if self.learn_scale:
            return 2 * self.log_scale.clamp(math.log(LEAST_SCALE), math.log(LARGEST_SCALE)).to(like.dtype)
        return 2 * self.scale.log().to(like.dtype)

    def log_prob(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """sum of log N(x; output, scale^2)."""
        log_variance = self.log_variance(output)
        squares = mse_loss(output, x.expand_as(output), reduction="none").sum(dim=-1)
        return -(squares * (-log_variance).exp() + x.shape[-1] * (LOG_TWO_PI + log_variance)) / 2


class MeanSquaredError(Likelihood):
    """What popular code calls the reconstruction loss: the squared error, averaged over the numbers of an example.

    It is 1 / numbers times the sum, so it is -log N(x; output, numbers / 2) less a constant: a Gaussian with a variance
    that grows with the resolution. Beside a KL that is summed, it weighs the KL numbers / 2 times as much as a Gaussian
    of variance 1 does: a hidden beta. `log_prob` is that Gaussian's, normalised; `distortion` what is minimised.
    """

    def log_prob(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """sum of log N(x; output, numbers / 2)."""
        return -self.distortion(x, output) - self.constant(x.shape[-1])

    def constant(self, numbers: int) -> float:
        """numbers / 2 log(pi numbers): what normalises that Gaussian."""
        return numbers * math.log(math.pi * numbers) / 2

    def distortion(
        self, x: Float[Tensor, "batch numbers"], output: Float[Tensor, "*samples batch numbers"]
    ) -> Float[Tensor, "*samples batch"]:
        """The mean over the numbers of (x - output)^2."""
        return mse_loss(output, x.expand_as(output), reduction="none").mean(dim=-1)
