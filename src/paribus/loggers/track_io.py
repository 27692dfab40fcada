"""Trackio: a dashboard of one's own, on this machine."""

import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from paribus.job import Job
from paribus.loggers.exhibit import Exhibit
from paribus.loggers.naming import require, run_name, shown_config
from paribus.mirror import Mirror
from paribus.study.records import RunRecord
from paribus.supplied import Supplied
from paribus.training import RESUME_FILE


class Trackio(Mirror):
    """Logs to trackio, beside the records: `TRACKIO_DIR=<output>/<experiment>/trackio trackio show`.

    Args:
        project: the project in trackio, which makes a folder of it.
        job: what is run.

    Raises:
        UserError: trackio is not installed.
        ValueError: the project is not the name of one folder.
    """

    destination = "trackio"

    def __init__(self, project: str, job: Supplied[Job]) -> None:
        super().__init__()
        if project.startswith(".") or "/" in project:
            raise ValueError(f"project is {project!r}, expected a plain name without / and not starting with a point")
        # Read when trackio is imported: in the home folder unless told otherwise.
        os.environ.setdefault("TRACKIO_DIR", str((job.folder.parent / "trackio").absolute()))
        require("trackio", "dashboard")
        self.project, self.job = project, job
        self._run: Any = None

    @property
    def name(self) -> str:
        """The run's name, which is what tells runs apart."""
        return f"{run_name(self.job)} ({self.job.key})".replace("/", "_")  # trackio makes folders of it

    @property
    def version(self) -> str:
        """The run's key."""
        return self.job.key

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The trackio run. An earlier attempt's is gone on with if training is, and replaced otherwise."""
        if self._run is None:
            import trackio
            from trackio.sqlite_storage import SQLiteStorage

            goes_on = (self.job.folder / RESUME_FILE).exists()
            if not goes_on:
                SQLiteStorage.delete_run(self.project, self.name)
            with redirect_stdout(io.StringIO()):  # it advertises its dashboard
                self._run = trackio.init(
                    project=self.project,
                    name=self.name,
                    group=self.job.config["name"],
                    config=shown_config(self.job),
                    resume="allow" if goes_on else "never",
                    embed=False,
                    auto_log_gpu=False,
                    auto_log_cpu=False,
                )
        return self._run

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run is begun with its config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log the values of a step."""
        self.experiment.log(dict(metrics), step=step)

    @rank_zero_only
    def log_record(self, record: RunRecord, folder: Path) -> None:
        """Log tables, pictures, and how the run ended."""
        self.log_exhibit(Exhibit.of(record, folder), record.steps)
        self.experiment.log({"status": record.status, "seconds": record.seconds}, record.steps)

    def log_exhibit(self, exhibit: Exhibit, step: int) -> None:
        """Log tables and pictures."""
        import pandas as pd
        import trackio
        from PIL import Image

        tables = {
            name: trackio.Table(dataframe=pd.DataFrame(table.rows, columns=list(table.columns)))
            for name, table in exhibit.tables.items()
        }
        pictures = {
            name: trackio.Image(Image.open(io.BytesIO(each.png)), caption=each.caption)
            for name, each in exhibit.pictures.items()
        }
        self.experiment.log({**tables, **pictures}, step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run. `success` is training's: evaluation is to come."""
        if status != "success":
            with redirect_stdout(io.StringIO()):
                self.experiment.finish()
