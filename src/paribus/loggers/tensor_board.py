"""TensorBoard."""

import io
import re
import shutil
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from paribus.job import Job
from paribus.loggers.exhibit import Exhibit, Table
from paribus.loggers.naming import require, run_name, safe_id, shown_config
from paribus.mirror import Mirror
from paribus.study.numbers import number
from paribus.study.records import RunRecord
from paribus.supplied import Supplied
from paribus.training import RESUME_FILE


class TensorBoard(TensorBoardLogger, Mirror):
    """Logs to TensorBoard beside the records: `tensorboard --logdir <output>/<experiment>` shows all runs by name.

    Args:
        job: what is run.

    Raises:
        UserError: tensorboard is not installed.
    """

    destination = "tensorboard"

    def __init__(self, job: Supplied[Job]) -> None:
        require("tensorboard", "tensorboard")
        version = f"{re.sub(r'[^a-zA-Z0-9_=.,+-]+', '_', run_name(job))[:150]}-{safe_id(job.key)}"
        super().__init__(job.folder.parent, name="tensorboard", version=version, default_hp_metric=False)
        self._job = job

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer. An earlier attempt's log is removed where training begins anew: its curves would run beside."""
        if self._experiment is None:
            if not (self._job.folder / RESUME_FILE).exists():
                shutil.rmtree(self.log_dir, ignore_errors=True)
            config = shown_config(self._job)
            told = f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(config))}```"
            super().experiment.add_text("config", told)
            self.log_hyperparams(config)
        return self._experiment

    @rank_zero_only
    def log_record(self, record: RunRecord, folder: Path) -> None:
        """Show tables and pictures."""
        self.log_exhibit(Exhibit.of(record, folder), record.steps)

    def log_exhibit(self, exhibit: Exhibit, step: int) -> None:
        """Show tables as text, and pictures."""
        for name, table in exhibit.tables.items():
            self.experiment.add_text(name, markdown(table), step)
        for name, picture in exhibit.pictures.items():
            self.experiment.add_image(name, _pixels(picture.png), step, dataformats="HWC")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the log, but not at `success`, which is training's: evaluation is to come."""
        if status != "success":
            self.save()
            super().finalize(status)


def markdown(table: Table) -> str:
    """A table as TensorBoard shows text."""
    rows = [[number(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in table.rows]
    lines = [table.columns, ["---"] * len(table.columns), *rows]
    return "\n".join("| " + " | ".join(_in_a_cell(text) for text in line) + " |" for line in lines)


def _in_a_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _pixels(png: bytes) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))
