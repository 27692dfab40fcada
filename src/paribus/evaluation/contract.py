"""What an evaluator is."""

from collections.abc import Iterable
from typing import Protocol

from paribus.data.contract import InMemoryData
from paribus.families.contract import Family
from paribus.study.records import Row


class Evaluator(Protocol):
    """Measures a trained family on held-out data.

    A row has metrics and, where one training yields several rows (a calibrator, a number of samples), the levels of those
    within-run factors.
    """

    def __call__(self, family: Family, data: InMemoryData) -> Iterable[Row]:
        """Rows for a family in evaluation mode, under `torch.no_grad`."""
