"""How good a regression is, in metrics of which no arm minimises all: by the mean, the square and the median."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paribus.data.contract import Part
from paribus.data.regression import RegressionData
from paribus.families.regression import Regression
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row

UNIT = "units of the target"
ROWS_AT_ONCE = 16_384
"""So that wide networks on long tables fit into memory."""


class RegressionMetrics:
    """MAE, RMSE, median absolute error and R2 on the clean test part, in the target's units.

    `train_rmse` is the same on the training part, outliers included: how far an optimizer got, not how good the fit is.
    Where the data knows the truth behind it, the errors of recovering it (`slope_error`, ...) are added.
    """

    measures = (
        Metric("mae", "minimise", UNIT, "log"),
        Metric("rmse", "minimise", UNIT, "log"),
        Metric("median_absolute_error", "minimise", UNIT, "log"),
        Metric("r2", "maximise"),
        Metric("train_rmse", "minimise", UNIT, "log"),
        Metric("excess_mse", "minimise"),
        Metric("slope_error", "minimise", scale="log"),
        Metric("intercept_error", "minimise", scale="log"),
        Metric("slope_bias", "neither"),
        Metric("intercept_bias", "neither"),
    )

    within: Mapping[str, Sequence[Level]] = MappingProxyType({})

    def __call__(self, family: Regression, data: RegressionData) -> Iterable[Row]:
        """One row."""
        train = {"train_rmse": regression_metrics(*predicted(family, data, "train"))["rmse"]}
        test = regression_metrics(*predicted(family, data, "test"))
        return [Row(test | train | data.recovery(raw_predictor(family, data)))]

    def drawing(self, family: Regression, data: RegressionData) -> dict[str, Any]:
        """The fit over the data."""
        return data.fit_points(raw_predictor(family, data))


def predicted(family: Regression, data: RegressionData, part: Part) -> tuple[Tensor, Tensor]:
    """Predictions and targets of a part, `[n]` each, in the target's units and float64."""
    rows = data.parts[part]
    prediction = torch.cat([family.predict(x) for x in rows["x"].split(ROWS_AT_ONCE)])
    return data.to_target_units(prediction), data.to_target_units(rows["y"])


def raw_predictor(family: Regression, data: RegressionData) -> Callable[[Tensor], Tensor]:
    """Maps inputs `[n, d]` as the file has them to predictions `[n]` in the target's units."""

    def predict(inputs: Tensor) -> Tensor:
        return data.to_target_units(family.predict(data.to_network_inputs(inputs).to(next(family.parameters()))))

    return predict


def regression_metrics(prediction: Float[Tensor, "n"], target: Float[Tensor, "n"]) -> dict[str, float]:
    """Errors of a prediction, computed in float64.

    `r2` is one minus the squared error relative to that of the target's own mean; NaN for a constant target.
    """
    residual = target.double() - prediction.double()
    largest = torch.cat([residual, target.double()]).abs().max().clamp(1e-300, 1e300)
    unit = torch.exp2(largest.log2().floor())  # in which squares neither overflow nor vanish; dividing by it is exact
    squared = (residual / unit).square().mean()
    variance = (target.double() / unit).var(correction=0)
    return {
        "mae": (residual / unit).abs().mean().item() * unit.item(),
        "rmse": squared.sqrt().item() * unit.item(),
        "median_absolute_error": float(np.median(residual.abs().cpu().numpy())),
        "r2": (1 - squared / variance).item() if variance > 0 else float("nan"),
    }
