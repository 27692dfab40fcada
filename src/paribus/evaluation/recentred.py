"""Post-hoc correction of a regression's offset: several rows of one training, paired exactly."""

from collections.abc import Callable, Iterable
from typing import Literal

from torch import Tensor

from paribus.data.regression import RegressionData
from paribus.errors import UserError
from paribus.evaluation.regression import RegressionMetrics, predicted, raw_predictor, regression_metrics
from paribus.families.regression import Regression
from paribus.study.records import Row

Correction = Literal["none", "mean", "median"]

CENTRES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda residual: residual.new_zeros(()),
    "mean": lambda residual: residual.mean(),
    "median": lambda residual: residual.quantile(0.5),
}


class Recentred(RegressionMetrics):
    """The metrics of predictions moved by the centre of the residuals on the clean validation part.

    One-sided outliers among the training targets push a squared-loss fit up as a whole; a small clean validation part
    tells by how much. Each correction is a level of the within-run factor `correction`: nothing is trained again.

    Args:
        corrections: what to add to each prediction: nothing, or the mean or the median validation residual.
    """

    def __init__(self, corrections: list[Correction]) -> None:
        unknown = [name for name in corrections if name not in CENTRES]
        if unknown or not corrections or len(set(corrections)) != len(corrections):
            raise ValueError(f"corrections is {corrections}, expected different ones of {', '.join(CENTRES)}")
        self.corrections = corrections
        self.within = {"correction": tuple(corrections)}

    def accept(self, data: RegressionData) -> None:
        """Refuse data without a validation part to read the offset from.

        Raises:
            UserError: there is none.
        """
        if not data.sizes()["validation"]:
            raise UserError("evaluation=recentred needs a validation part; set data.validation_fraction above 0")

    def __call__(self, family: Regression, data: RegressionData) -> Iterable[Row]:
        """A row for each correction."""
        expected, observed = predicted(family, data, "validation")
        residual = observed - expected
        (prediction, target), raw = predicted(family, data, "test"), raw_predictor(family, data)
        for name in self.corrections:
            shift = CENTRES[name](residual)
            metrics = regression_metrics(prediction + shift, target)
            recovery = data.recovery(lambda inputs, shift=shift: raw(inputs) + shift)  # type: ignore[misc]
            yield Row(metrics | recovery, levels={"correction": name})
