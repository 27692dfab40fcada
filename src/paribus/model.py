"""A trained run in use: predictions and generated examples, in the units of the source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.data.contract import InMemoryData, rows_at_once
from paribus.errors import UserError, nearest
from paribus.families.contract import Family
from paribus.study.records import RunRecord

MOST_SHOWN = 5


@runtime_checkable
class Predictive(Protocol):
    """A family that predicts: `[n, *in]` to `[n, ...]`, both as the network has them."""

    def predict(self, x: Tensor) -> Tensor:
        """The prediction for each example."""


@runtime_checkable
class Generative(Protocol):
    """A family whose examples can be drawn."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Examples `[n, ...]`, as the network has them."""


class Model:
    """A trained run, ready to be used.

    Attributes:
        folder: of the run.
        record: what was run and what came out.
        family: the trained modules, a LightningModule in evaluation mode.
        data: the data it was trained on, prepared anew; its `input_names` are the columns that a prediction needs.
    """

    def __init__(self, folder: Path, record: RunRecord, family: Family, data: InMemoryData) -> None:
        self.folder, self.record, self.family, self.data = folder, record, family, data

    def __repr__(self) -> str:
        return f"<paribus model {self.name} of {self.folder}>"

    @property
    def name(self) -> str:
        """The choices that it was made of."""
        chosen = (self.record.choices.get(group, "") for group in ("family", "network", "data"))
        return " ".join(filter(None, chosen))

    def predict(self, inputs: Any = None) -> pd.DataFrame:
        """Predictions, a row an example.

        Args:
            inputs: in the units of the source: a DataFrame that has the columns of `data.input_names`, whatever else
                it has; or an array `[n, columns]`, of images `[n, channels, height, width]`. None for the test part.

        Returns:
            Regression: `prediction` in the target's units. Classification: `prediction`, the name of the likeliest
            class, and the probability of each class, `p_<name>`. The index is that of a DataFrame given. For the test
            part before these: `row`, its number in the source from 0, the inputs of a table, and the clean `target`.

        Raises:
            UserError: the family predicts nothing, or the inputs are not what it was trained on.
        """
        predict = self._predictor()
        if inputs is None:
            columns = self._test_columns()
            predicted = self.data.prediction_columns(predict(self._part("test")))
            return pd.DataFrame(columns | {unused(name, columns): each for name, each in predicted.items()})
        raw = self._raw(inputs)
        table = pd.DataFrame(self.data.prediction_columns(predict(self.data.to_network_inputs(raw))))
        _refuse_non_finite(table)
        return table.set_index(inputs.index) if isinstance(inputs, pd.DataFrame) else table

    def sample(self, count: int = 64, seed: int = 0) -> NDArray[np.float64]:
        """Generated examples in the units of the source, `[count, columns]` or `[count, channels, height, width]`.

        The same seed and count give the same ones. Of families with a likelihood they are the expected examples at
        codes drawn from the prior, as the report's pictures are.

        Raises:
            UserError: the family generates nothing.
        """
        return self.data.to_input_units(self.draw(count, seed)).numpy()

    @torch.no_grad()
    def draw(self, count: int, seed: int) -> Tensor:
        """As `sample`, on the network's scale."""
        if not isinstance(self.family, Generative):
            raise UserError(f"{self.folder} is {self.name}, which generates no examples{_instead('predict', self)}")
        if count < 1:
            raise UserError(f"count is {count}, expected at least 1")
        if not 0 <= seed < 2**63:
            raise UserError(f"seed is {seed}, expected a whole number of at least 0")
        generator = torch.Generator().manual_seed(seed)
        blocks = torch.empty(count).split(rows_at_once(self._part("train")))
        drawn = torch.cat([self.family.sample(len(block), generator).cpu() for block in blocks])
        return drawn.reshape(count, *self.data.in_shape)

    def _predictor(self) -> Any:
        """Maps inputs as the network takes them to its outputs, some rows at a time."""
        family = self.family
        if not isinstance(family, Predictive):
            raise UserError(f"{self.folder} is {self.name}, which predicts no target{_instead('sample', self)}")
        like = next(cast(Family, family).parameters())

        @torch.no_grad()
        def predict(x: Tensor) -> Tensor:
            return torch.cat([family.predict(rows.to(like)) for rows in x.split(rows_at_once(x))])

        return predict

    def _part(self, part: Any) -> Tensor:
        return self.data.parts[part]["x"]

    def _test_columns(self) -> dict[str, Any]:
        rows, inputs, target = self.data.raw_part("test")
        names = self.data.input_names
        columns = {name: inputs[:, column] for column, name in enumerate(names)}
        return {unused("row", names): rows, **columns, unused("target", names): target}

    def _raw(self, inputs: Any) -> Tensor:
        """Inputs in the units of the source, checked."""
        if isinstance(inputs, pd.DataFrame):
            check_columns("the table", list(inputs.columns), self.data.input_names, self.data.in_shape)
            inputs = inputs[list(self.data.input_names)]
        try:
            _refuse_text(inputs)
            array = np.array(inputs, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"inputs must be numbers: {error}") from None
        shape = self.data.in_shape
        if array.ndim != len(shape) + 1 or array.shape[1:] != shape or len(array) == 0:
            wanted = ", ".join(["n", *map(str, shape)])
            names = f": {', '.join(self.data.input_names)}" if self.data.input_names else ""
            raise UserError(f"inputs are of shape {list(array.shape)}, expected [{wanted}]{names}")
        if not np.isfinite(array).all():
            place = [int(each) for each in np.argwhere(~np.isfinite(array))[0]]
            raise UserError(f"inputs{place} is {array[tuple(place)]}, expected finite numbers")
        return torch.from_numpy(array)


def check_columns(where: str, given: Sequence[Any], needed: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Refuse a table that lacks columns, naming those that may be meant."""
    if not needed:
        wanted = ", ".join(["n", *map(str, shape)])
        raise UserError(f"{where} is of named columns, and the run was trained on arrays [{wanted}]; give one of these")
    texts = [str(name) for name in given]
    if missing := [name for name in needed if name not in texts]:
        spare = [name for name in texts if name not in needed]
        told = "".join(f"\n  {name!r}{nearest(name, spare).replace(' Did', '  Did')}" for name in missing[:MOST_SHOWN])
        more = f"\n  and {len(missing) - MOST_SHOWN} more" if len(missing) > MOST_SHOWN else ""
        has = ", ".join(texts[:20]) + (", ..." if len(texts) > 20 else "")
        raise UserError(
            f"{where} lacks {len(missing)} of the {len(needed)} columns that the run was trained on:{told}{more}\n"
            f"It has: {has}"
        )


def unused(name: str, taken: Any) -> str:
    """`name`, or with underscores behind it, such that it is none of those that are taken."""
    while name in taken:
        name += "_"
    return name


def _refuse_text(inputs: Any) -> None:
    """Refuse a column of a table that holds something else than numbers."""
    for name, column in inputs.items() if isinstance(inputs, pd.DataFrame) else ():
        numbers = pd.to_numeric(column, errors="coerce")
        if len(wrong := np.flatnonzero(numbers.isna() & column.notna())):
            value = column.iloc[wrong[0]]
            raise UserError(f"column {name!r}, row {column.index[wrong[0]]!r}: {value!r} is no number")


def _refuse_non_finite(table: pd.DataFrame) -> None:
    for name, values in table.select_dtypes("number").items():
        wrong = np.flatnonzero(~np.isfinite(values.to_numpy()))
        if len(wrong):
            raise UserError(
                f"row {wrong[0] + 1}: the {name} is not finite; its inputs are too large for the float32 of a network, "
                "or far from what the run was trained on"
            )


def _instead(command: str, model: Model) -> str:
    """What the other command would do, where it can."""
    capable = isinstance(model.family, Predictive if command == "predict" else Generative)
    return f"; paribus {command} {model.folder} {'predicts' if command == 'predict' else 'draws examples'}" * capable
