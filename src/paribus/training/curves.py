"""Learning curves: `curves.csv` in a run's folder, a row a step, a column a logged name."""

import csv
import io
import math
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import DummyExperiment, Logger

from paribus.study.records import CURVES_FILE, write_atomically


class Curves(Logger):
    """A Lightning logger that keeps what is logged, by optimizer step, until `write` makes one table of it.

    Attributes:
        rows: step to the values logged there by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, dict[str, float]] = {}

    @property
    def name(self) -> str:
        """Lightning asks for a name."""
        return "curves"

    @property
    def version(self) -> str:
        """Lightning asks for a version."""
        return ""

    @property
    def experiment(self) -> DummyExperiment:
        """There is no foreign logging object."""
        return DummyExperiment()

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: hyper-parameters are in the record."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep the values of a step."""
        self.rows.setdefault(int(step or 0), {}).update(metrics)

    def last_finite(self) -> dict[str, float]:
        """The last finite value of each name."""
        found: dict[str, float] = {}
        for step in sorted(self.rows):
            found.update({name: value for name, value in self.rows[step].items() if math.isfinite(value)})
        return found

    def write(self, folder: Path) -> None:
        """Write `curves.csv`: columns `step` and each name, empty where nothing was logged."""
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, ["step", *names], lineterminator="\n")
        table.writeheader()
        for step in sorted(self.rows):
            table.writerow({"step": step} | {name: f"{value:.9g}" for name, value in self.rows[step].items()})
        write_atomically(folder / CURVES_FILE, text.getvalue(), durable=False)
