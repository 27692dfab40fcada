"""What an evaluator is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from paribus.data.contract import InMemoryData
from paribus.families.contract import Family
from paribus.study.factors import Metric
from paribus.study.levels import Level
from paribus.study.records import Row


class Evaluator(Protocol):
    """Measures a trained family on held-out data.

    A row has metrics and, where one training yields several rows (a calibrator, a number of samples), the levels of
    those within-run factors.
    """

    measures: tuple[Metric, ...]
    """What it measures: which way is better, in what unit, whether to compare by ratio."""

    within: Mapping[str, Sequence[Level]]
    """The within-run factors that its rows speak of, and their levels; empty where a training yields one row."""

    def __call__(self, family: Family, data: InMemoryData) -> Iterable[Row]:
        """Rows for a family in evaluation mode, under `torch.no_grad`."""

    def drawing(self, family: Family, data: InMemoryData) -> dict[str, Any]:
        """What the report draws of this run, as plain lists by name; empty where there is nothing to draw."""


@runtime_checkable
class Demanding(Protocol):
    """An evaluator that cannot measure every data set of the type that it measures."""

    def accept(self, data: InMemoryData) -> None:
        """Refuse what cannot be measured, before anything trains.

        Raises:
            UserError: a part is too small, or missing.
        """
