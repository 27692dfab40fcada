"""Regression from a table: split, contaminate the training targets, scale, and keep as float32."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.chunks import Batch
from paribus.data.contamination import Contamination
from paribus.data.contract import InMemoryData, Part, RawPart, Split, tensor_hash
from paribus.data.precision import check_float32
from paribus.data.scaling import Scaling, ScalingKind

DRAWN_POINTS = 200
GRID_POINTS = 100


@dataclass(frozen=True)
class RawTable:
    """A data set as it was found: raw units, nothing split or scaled.

    Attributes:
        inputs: `[n, d]`.
        target: `[n]`.
        input_names: names of the d columns.
        target_name: name of the target.
    """

    inputs: NDArray[np.float64]
    target: NDArray[np.float64]
    input_names: tuple[str, ...]
    target_name: str

    def source_hash(self) -> str:
        """A fingerprint of the raw values."""
        return tensor_hash(torch.from_numpy(self.inputs), torch.from_numpy(self.target))


class RegressionData(InMemoryData):
    """A table with one numeric target, taken through one pipeline by every data set for regression.

    `load` -> `split` (stream `split`) -> contamination of the training targets (stream `corruption`) -> scaling fitted
    on the training part as contaminated, since a learner sees nothing else -> float32 parts `x: [n, d]`, `y: [n]`.

    Args:
        batch_size: examples a minibatch.
        contamination: the outliers among the training targets.
        input_scaling: `none`, `standard` (mean and standard deviation) or `robust` (median and IQR / 1.349).
        target_scaling: likewise, for the target.
        seed: the run's seed.

    Attributes:
        table: the raw data, after `setup`.
        rows: which rows of it make up each part, after `setup`.
        outlier: which training rows were contaminated, `[n_train]` of bool, after `setup`.
    """

    table: RawTable
    rows: Split
    outlier: Tensor

    def __init__(
        self,
        batch_size: int,
        contamination: Contamination,
        input_scaling: ScalingKind,
        target_scaling: ScalingKind,
        seed: int,
    ) -> None:
        super().__init__(batch_size, seed)
        for name, kind in (("input_scaling", input_scaling), ("target_scaling", target_scaling)):
            if kind not in get_args(ScalingKind):
                raise ValueError(f"{name} is {kind!r}, expected one of {', '.join(get_args(ScalingKind))}")
        self.contamination = contamination
        self.input_scaling, self.target_scaling = input_scaling, target_scaling

    def load(self) -> RawTable:
        """The raw table."""
        raise NotImplementedError(f"{type(self).__name__} must implement load")

    def split(self, table: RawTable) -> Split:
        """The rows of each part; everything random comes from the stream `split`."""
        raise NotImplementedError(f"{type(self).__name__} must implement split")

    def prepare(self) -> None:
        """Fill `parts`."""
        self.table = table = self.load()
        self.rows = split = self.split(table)
        inputs: dict[Part, NDArray[np.float64]] = {part: table.inputs[rows] for part, rows in split.items()}
        target: dict[Part, NDArray[np.float64]] = {part: table.target[rows] for part, rows in split.items()}
        clean = [torch.from_numpy(array) for part in split for array in (inputs[part], target[part])]
        target["train"], outlier = self.contamination(inputs["train"], target["train"], self.seed)
        self._raw_inputs, self._raw_target = inputs, target
        self._pairing = {
            "data": table.source_hash(),
            "split": tensor_hash(*clean),
            "corruption": tensor_hash(torch.from_numpy(target["train"]), torch.from_numpy(outlier)),
        }
        self.outlier = torch.from_numpy(outlier)
        self._inputs = Scaling.fit(inputs["train"], self.input_scaling)
        self._target = Scaling.fit(target["train"], self.target_scaling)
        for part in split:
            x, y = self._inputs.apply(inputs[part]), self._target.apply(target[part])
            self.parts[part] = self._single(part, x, y)

    def _single(self, part: Part, x: NDArray[np.float64], y: NDArray[np.float64]) -> Batch:
        """The scaled part in float32, refused where it does not survive that."""
        columns = {name: x[:, column] for column, name in enumerate(self.table.input_names)}
        settings = f"input_scaling={self.input_scaling}, target_scaling={self.target_scaling}"
        check_float32(columns | {self.table.target_name: y}, part, settings)
        return {"x": torch.from_numpy(x).float(), "y": torch.from_numpy(y).float()}

    def pairing(self) -> dict[str, str]:
        """Hashes of the raw `data`, of each part's clean rows (`split`) and the training targets (`corruption`)."""
        return self._pairing

    def to_network_inputs(self, inputs: Tensor) -> Tensor:
        """Raw inputs `[n, d]` as the network takes them: scaled, float32."""
        return _affine(inputs.double(), -self._inputs.center / self._inputs.scale, 1 / self._inputs.scale).float()

    def to_input_units(self, inputs: Tensor) -> Tensor:
        """Inputs of a network, `[n, d]`, as the file would have them, in float64."""
        return _affine(inputs.double(), self._inputs.center, self._inputs.scale)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.table.input_names

    def raw_part(self, part: Part) -> RawPart:
        """The rows of a part, without contamination."""
        rows = self.rows[part]
        return RawPart(rows, self.table.inputs[rows], self.table.target[rows])

    def prediction_columns(self, output: Tensor) -> dict[str, NDArray[Any]]:
        """`prediction`, in the target's own units."""
        return {"prediction": self.to_target_units(output).cpu().numpy()}

    def to_target_units(self, prediction: Tensor) -> Tensor:
        """A prediction of the network, any shape, in the target's own units and float64."""
        return _affine(prediction.double(), self._target.center, self._target.scale)

    def fit_points(self, predict: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        """What a drawing of the fit needs, as plain lists in raw units.

        Args:
            predict: raw inputs `[n, d]`, float64, to predictions `[n]` in the target's units.

        Returns:
            For one input `{"kind": "curve", "x", "y", "outlier", "grid", "prediction"}`: at most 200 training points as
            contaminated, and predictions on 100 points over their range. For several inputs
            `{"kind": "scatter", "target", "prediction"}` over at most 200 test points.
        """
        if self.in_features == 1:
            inputs, target = self._raw_inputs["train"][:, 0], self._raw_target["train"]
            drawn = _spread_out(len(target))
            grid = np.linspace(inputs.min(), inputs.max(), GRID_POINTS)
            return {
                "kind": "curve",
                "x": inputs[drawn].tolist(),
                "y": target[drawn].tolist(),
                "outlier": self.outlier.numpy()[drawn].tolist(),
                "grid": grid.tolist(),
                "prediction": predict(torch.from_numpy(grid[:, None])).tolist(),
            }
        inputs, target = self._raw_inputs["test"], self._raw_target["test"]
        drawn = _spread_out(len(target))
        return {
            "kind": "scatter",
            "target": target[drawn].tolist(),
            "prediction": predict(torch.from_numpy(inputs[drawn])).tolist(),
        }


def _affine(values: Tensor, offset: NDArray[np.float64], factor: NDArray[np.float64]) -> Tensor:
    """`offset + factor * values` on the device of `values`."""
    return torch.as_tensor(offset, device=values.device) + torch.as_tensor(factor, device=values.device) * values


def _spread_out(rows: int) -> NDArray[np.int64]:
    """At most `DRAWN_POINTS` row numbers, evenly spaced."""
    return np.linspace(0, rows - 1, min(rows, DRAWN_POINTS)).round().astype(np.int64)
