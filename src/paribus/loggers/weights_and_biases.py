"""Weights & Biases."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from paribus.job import Job
from paribus.loggers.exhibit import Exhibit, Table
from paribus.loggers.naming import run_id, run_name, shown_config
from paribus.loggers.wandb_client import give_up, prepare_wandb, set_aside, sync_command
from paribus.loggers.wandb_log import ends
from paribus.mirror import Curves, Mirror
from paribus.study.records import RunRecord
from paribus.supplied import Supplied
from paribus.training import RESUME_FILE
from paribus.training.callbacks import ResumeCheckpoint

STEP = "trainer/global_step"
OFFLINE = "wandb offline:"
"""What the destination of runs begins with that are kept on the disk."""
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0
"""How long a server is waited for: to begin a run, to take in the rest of one at its end."""


class Wandb(WandbLogger, Mirror):
    """Logs to Weights & Biases: one W&B run a job, all runs of an experiment in one folder beside their records.

    The key to an account comes from `wandb login` or the environment, and is never part of a config. Where the server
    cannot be reached, runs are kept on the disk as if they were offline.

    Args:
        project: the W&B project.
        entity: user or team that owns the project; None for the account's default.
        offline: keep the run on the disk, to be sent later with `wandb sync`; needs no account and no network.
        group: W&B shows the runs of a group together.
        job_type: what the run is for.
        tags: words to find the run by.
        job: what is run.

    Raises:
        UserError: wandb is not installed; or the run is to be sent, and there is no key.
    """

    at_once = 4

    def __init__(
        self,
        project: str,
        entity: str | None,
        offline: bool,
        group: str,
        job_type: str,
        tags: list[str],
        job: Supplied[Job],
    ) -> None:
        sent = prepare_wandb(job.folder.parent, offline)
        from wandb import Settings

        self._failure: Exception | None = None
        self._checkpoint = job.folder / RESUME_FILE
        super().__init__(
            project=project,
            save_dir=job.folder.parent,
            name=run_name(job),
            version=run_id(job),
            entity=entity,
            group=group,
            job_type=job_type,
            tags=tags,
            config=shown_config(job),
            mode="online" if sent else "offline",
            reinit="create_new",
            resume=None,  # what an earlier attempt logged is replaced; it may have died before all of it was sent
            settings=Settings(
                console="off",
                silent=True,
                x_save_requirements=False,  # the record has the versions; listing all packages takes long
                init_timeout=INIT_SECONDS,
                finish_timeout=FINISH_SECONDS,
                finish_timeout_raises=True,
            ),
        )
        del self._wandb_init["anonymous"]  # Lightning passes it always, and wandb warns of it

    @property
    def destination(self) -> str:
        """The project, and whether it is sent there."""
        place = [self._wandb_init["entity"], self._wandb_init["project"]]
        return f"wandb {self._wandb_init['mode']}: {'/'.join(filter(None, place))}"

    @property
    def send(self) -> str:
        """The command that sends all offline runs of the folder."""
        return sync_command(Path(self._wandb_init["dir"])) if self._wandb_init["mode"] == "offline" else ""

    @property
    def covers(self) -> tuple[str, ...]:
        """What has been sent need not be kept to be sent."""
        return (self.destination, self.destination.replace(OFFLINE, "wandb online:"))

    def replaces(self, destination: str) -> bool:
        """Of what is kept on the disk there is one, whichever project it is for."""
        both_kept = destination.startswith(OFFLINE) and self.destination.startswith(OFFLINE)
        return both_kept or super().replaces(destination)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; Lightning's own logger would share one that the process has open already."""
        if self._experiment is None:
            self._experiment = self._opened()
            self._experiment.define_metric(STEP)
            self._experiment.define_metric("*", step_metric=STEP, step_sync=True)
            for step, values in earlier_curves(self._checkpoint).items() if self._checkpoint.exists() else ():
                self._experiment.log({**values, STEP: step})
        return self._experiment

    def _opened(self) -> Any:
        import wandb

        own = Path(self._wandb_init["dir"], "wandb")
        try:
            own.mkdir(parents=True, exist_ok=True)
            if self._wandb_init["mode"] == "offline":
                set_aside(own, self._wandb_init["id"])
            return wandb.init(**self._wandb_init)
        except (wandb.Error, OSError) as error:  # its id is taken in this process now: another mode cannot be tried
            self._failure = error
            print(f"paribus: W&B has no run {self._wandb_init['id']}: {error}", file=sys.stderr)
            return wandb.init(mode="disabled", reinit="create_new")

    def replay(self) -> None:
        """Say nothing of the machine on which a finished run is shown: the record says where it was trained."""
        settings = self._wandb_init["settings"]
        settings.x_disable_stats = settings.x_disable_meta = settings.x_disable_machine_info = True
        self._checkpoint = Path(os.devnull, RESUME_FILE)  # it has the whole run

    @rank_zero_only
    def log_record(self, record: RunRecord, folder: Path) -> None:
        """Log tables, charts and pictures, and how the run ended.

        Raises:
            wandb.Error, OSError: the run could not be begun.
        """
        run = self._begun()
        run.config.update({"provenance": dict(record.provenance)})
        self.log_exhibit(Exhibit.of(record, folder), record.steps)
        ending = {name: getattr(record, name) for name in ("status", "seconds", "cpu_seconds", "peak_memory", "key")}
        failure = {"failure": f"{record.failure.kind}: {record.failure.message}"} if record.failure else {}
        run.summary.update(ending | failure)

    def log_exhibit(self, exhibit: Exhibit, step: int) -> None:
        """Log tables, as charts where they are drawn, pictures and pages.

        Raises:
            wandb.Error, OSError: the run could not be begun.
        """
        import wandb

        shown = {name: _shown(table) for name, table in exhibit.tables.items()}
        shown |= {name: _image(each.png, each.caption) for name, each in exhibit.pictures.items()}
        shown |= {name: wandb.Html(path.read_text(), inject=False) for name, path in exhibit.pages.items()}
        if shown:
            self._begun().log({**shown, STEP: step})

    def _begun(self) -> Any:
        run = self.experiment
        if self._failure:
            raise self._failure
        return run

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, as failed unless `status` is `finished`. `success` is training's: evaluation is to come.

        Raises:
            TimeoutError: not all could be sent; it is on the disk.
            OSError: it is not all on the disk, which has no room for it.
        """
        if status == "success":
            return
        try:
            self.experiment.finish(exit_code=0 if status == "finished" else 1)
        except TimeoutError:
            give_up(f"{FINISH_SECONDS:g} s were not enough to send a run")
            raise
        log = self.experiment.settings.sync_file
        if not self._failure and self._wandb_init["mode"] == "offline" and not ends(Path(log)):
            raise OSError(f"{log} is cut off: is there room on the disk?")


def earlier_curves(checkpoint: Path) -> Curves:
    """What had been logged when training was checkpointed, by step."""
    states = torch.load(checkpoint, weights_only=True, map_location="cpu")["callbacks"]
    return states[ResumeCheckpoint.__name__]["curves"][0]


def _shown(table: Table) -> Any:
    import wandb

    data = wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows], allow_mixed_types=True)
    chart = table.chart
    if chart is None:
        return data
    if chart.kind == "line":
        across, keys = table.column(chart.x), list(chart.y)
        lines = [table.column(name) for name in keys]
        return wandb.plot.line_series([across] * len(keys), lines, keys=keys, title=chart.title, xname=chart.x)
    draw = {"scatter": wandb.plot.scatter, "bar": wandb.plot.bar}[chart.kind]
    return draw(data, chart.x, chart.y[0], title=chart.title)


def _image(png: bytes, caption: str) -> Any:
    import wandb
    from PIL import Image

    return wandb.Image(Image.open(io.BytesIO(png)), caption=caption)
