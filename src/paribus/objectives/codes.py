"""What an autoencoder with one code an example minimises: distortion, and how far codes are from a prior."""

from jaxtyping import Float
from torch import Tensor

from paribus.densities.discrepancy import inverse_multiquadratic_kernel, squared_mmd
from paribus.errors import UserError
from paribus.number import Number
from paribus.objectives.loss import Loss, Objective, batch_mean


class CodeObjective(Objective):
    """Of the distortion of each example, its code, and as many samples of the prior:
    `forward(distortion [batch], code [batch, features], prior_code [batch, features]) -> Loss`.
    """


class Reconstruction(CodeObjective):
    """The mean distortion alone: the plain autoencoder."""

    def forward(
        self,
        distortion: Float[Tensor, "batch"],
        code: Float[Tensor, "batch features"],
        prior_code: Float[Tensor, "batch features"],
    ) -> Loss:
        """The loss of a batch, with the term `distortion`."""
        mean = batch_mean(distortion)
        return Loss(mean, {"distortion": mean})


class WassersteinMmd(CodeObjective):
    """distortion + weight * MMD^2(codes, samples of the prior): the Wasserstein autoencoder of kernels.

    The kernel is inverse multiquadratic, sum of C / (C + d^2) with C = 2 features spread^2 * m for m in (.1, .2, .5,
    1, 2, 5, 10); MMD^2 is the unbiased U-statistic of the minibatch, which may be negative.
    Source: Tolstikhin, Bousquet, Gelly and Schoelkopf, Wasserstein Auto-Encoders (2018), algorithm 2.

    Args:
        weight: of MMD^2, in nats.
        spread: the standard deviation of the prior in each feature, 1 for a standard normal one.

    Raises:
        ValueError: an argument is out of range.
    """

    MULTIPLES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    weight = Number(least=0)
    spread = Number(above=0)

    def __init__(self, weight: float, spread: float) -> None:
        super().__init__()
        self.weight, self.spread = weight, spread

    def forward(
        self,
        distortion: Float[Tensor, "batch"],
        code: Float[Tensor, "batch features"],
        prior_code: Float[Tensor, "batch features"],
    ) -> Loss:
        """The loss of a batch, with the terms `distortion` and `squared_mmd` (unweighted).

        Raises:
            UserError: there is a single example, of which no distance to another can be taken.
        """
        if len(code) < 2:
            raise UserError(
                "objective=wasserstein_mmd needs at least 2 examples in each minibatch, and there is one with just 1; "
                "choose a data.batch_size of at least 2 that does not leave 1 over at the end of an epoch"
            )
        base = 2 * code.shape[1] * self.spread.to(code.dtype).square()
        scales = [base * multiple for multiple in self.MULTIPLES]
        discrepancy = squared_mmd(code, prior_code, lambda squares: inverse_multiquadratic_kernel(squares, scales))
        mean = batch_mean(distortion)
        total = mean + self.weight.to(mean.dtype) * discrepancy
        return Loss(total, {"distortion": mean, "squared_mmd": discrepancy})
