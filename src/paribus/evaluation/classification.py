"""How good a classifier's probabilities are: right, sure when it is right, and no surer than it should be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from paribus.calibrators import Calibrator, Recalibration, ValidationLogits
from paribus.data.classification import ClassificationData
from paribus.data.contract import Part, rows_at_once
from paribus.errors import UserError
from paribus.evaluation.probabilities import MEASURES, diagrams, scores
from paribus.families.classification import Classification
from paribus.metrics import log_probabilities, nll
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

AS_IT_IS = "none"
"""The name of no calibration."""
MOST_BINS = 1000
Fitted = tuple[ValidationLogits, dict[str, Recalibration]]


class ClassificationMetrics:
    """Accuracy, NLL, Brier score, calibration errors and ranking on the clean test part, and how far training got.

    `train_nll` and `train_accuracy` are of the training part, its label noise included. Where the data knows the truth
    behind it, the distances from it (`kl_from_bayes`, ...) are added.

    Source: Brier, Verification of forecasts expressed in terms of probability (1950); calibration error: Naeini, Cooper
    and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning (2015).

    Args:
        bins: of the calibration errors and the reliability diagram.
    """

    measures: tuple[Metric, ...] = (
        *MEASURES,
        Metric("train_nll", "minimise", "nats"),
        Metric("train_accuracy", "maximise"),
        Metric("kl_from_bayes", "minimise", "nats", "log"),
        Metric("overconfidence", "neither"),
        Metric("accuracy_regret", "minimise"),
        Metric("bayes_accuracy", "neither"),
        Metric("bayes_nll", "neither", "nats"),
    )
    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __init__(self, bins: int) -> None:
        if not 1 <= bins <= MOST_BINS:
            raise ValueError(f"bins is {bins}, expected a whole number from 1 to {MOST_BINS}")
        self.bins = bins

    def __call__(self, family: Classification, data: ClassificationData) -> Iterable[Row]:
        """One row."""
        logits, label = part_logits(family, data, "test")
        measured = scores(log_probabilities(logits), label, self.bins)
        truth = data.recovery(raw_predictor(family, data, log_probabilities))
        return [Row(measured | truth | trained(family, data))]

    def drawing(self, family: Classification, data: ClassificationData) -> dict[str, Any]:
        """The reliability diagram."""
        logits, label = part_logits(family, data, "test")
        return diagrams({AS_IT_IS: log_probabilities(logits)}, label, self.bins)


class Calibrated(ClassificationMetrics):
    """The same after each calibrator, fitted on the validation part: levels of the factor `calibrator`.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (2017), and that of each
    calibrator.

    Args:
        bins: see `ClassificationMetrics`.
        calibrators: post-hoc methods by name.
    """

    measures = (*ClassificationMetrics.measures, Metric("validation_nll", "minimise", "nats"))

    def __init__(self, bins: int, calibrators: dict[str, Calibrator]) -> None:
        super().__init__(bins)
        if not calibrators:
            raise ValueError("calibrators is empty, expected at least one by name")
        self.calibrators = calibrators
        self.within = {"calibrator": tuple(calibrators)}
        self._fits: WeakKeyDictionary[Classification, Fitted] = WeakKeyDictionary()

    def accept(self, data: ClassificationData) -> None:
        """Refuse data without a validation part to fit calibrators on.

        Raises:
            UserError: there is none.
        """
        if not data.sizes()["validation"]:
            raise UserError("calibrators are fitted on a validation part, and there is none; make it larger than 0")

    def __call__(self, family: Classification, data: ClassificationData) -> Iterable[Row]:
        """A row for each calibrator."""
        validation, fitted = self._fitted(family, data)
        (logits, label), train = part_logits(family, data, "test"), trained(family, data)
        for name, recalibrate in fitted.items():
            measured = scores(recalibrate(logits), label, self.bins)
            on_validation = nll(recalibrate(validation.logits), validation.label).item()
            truth = data.recovery(raw_predictor(family, data, recalibrate))
            yield Row(measured | {"validation_nll": on_validation} | truth | train, levels={"calibrator": name})

    def drawing(self, family: Classification, data: ClassificationData) -> dict[str, Any]:
        """A reliability diagram for each calibrator."""
        (logits, label), (_, fitted) = part_logits(family, data, "test"), self._fitted(family, data)
        return diagrams({name: recalibrate(logits) for name, recalibrate in fitted.items()}, label, self.bins)

    def _fitted(self, family: Classification, data: ClassificationData) -> Fitted:
        """The validation part, and each calibrator fitted on it: once, for the rows and the drawing alike."""
        if family not in self._fits:
            validation = validation_logits(family, data)
            self._fits[family] = (validation, {name: each.fit(validation) for name, each in self.calibrators.items()})
        return self._fits[family]


def part_logits(family: Classification, data: ClassificationData, part: Part) -> tuple[Tensor, Tensor]:
    """Logits `[n, classes]`, in float64, and labels `[n]` of a part, on the CPU."""
    rows = data.parts[part]
    logits = torch.cat([family.predict(x) for x in rows["x"].split(rows_at_once(rows["x"]))])
    return logits.double().cpu(), rows["y"].cpu()


def validation_logits(family: Classification, data: ClassificationData) -> ValidationLogits:
    """What calibrators are fitted on."""
    return ValidationLogits(*part_logits(family, data, "validation"))


def trained(family: Classification, data: ClassificationData) -> dict[str, float]:
    """NLL and accuracy of the training part as it was trained on."""
    logits, label = part_logits(family, data, "train")
    chosen = log_probabilities(logits).gather(1, label[:, None])
    return {
        "train_nll": -chosen.mean().item(),
        "train_accuracy": (logits.argmax(1) == label).double().mean().item(),
    }


def raw_predictor(
    family: Classification, data: ClassificationData, to_log_probabilities: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """Maps inputs `[n, *shape]` as the source has them to log-probabilities `[n, classes]`."""

    def predict(inputs: Tensor) -> Tensor:
        logits = family.predict(data.to_network_inputs(inputs).to(next(family.parameters())))
        return to_log_probabilities(logits.double().cpu())

    return predict
