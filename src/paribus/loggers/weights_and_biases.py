"""Weights & Biases."""

import io
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from paribus.errors import UserError
from paribus.job import Job
from paribus.loggers.exhibit import Exhibit, Table
from paribus.loggers.naming import require, run_id, run_name, shown_config
from paribus.mirror import Mirror
from paribus.study.records import RunRecord
from paribus.supplied import Supplied
from paribus.training import RESUME_FILE

STEP = "trainer/global_step"
INIT_SECONDS, FINISH_SECONDS = 20.0, 120.0
"""How long a server is waited for, before a run goes on without it, and at its end."""
_unreachable: set[str] = set()
"""Why no server was found, once that is known: the runs of this process that follow do not wait for it again."""


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
        prepare_wandb(job.folder.parent, offline)
        from wandb import Settings

        self.goes_on = (job.folder / RESUME_FILE).exists()
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
            mode="offline" if offline or _unreachable else "online",
            reinit="create_new",
            # Without `resume` W&B replaces what an earlier attempt logged, whose steps are taken anew.
            resume="allow" if self.goes_on else None,
            settings=Settings(
                console="off",
                silent=True,
                init_timeout=INIT_SECONDS,
                finish_timeout=FINISH_SECONDS,
                finish_timeout_raises=True,
            ),
        )
        del self._wandb_init["anonymous"]  # Lightning passes it always, and wandb warns of it

    @property
    def destination(self) -> str:
        """The project, and whether it is sent there."""
        return f"wandb {self._wandb_init['mode']}: {self._wandb_init['entity'] or ''}/{self._wandb_init['project']}"

    @property
    def send(self) -> str:
        """The command that sends all offline runs of the folder."""
        offline = self._wandb_init["mode"] == "offline"
        return f"wandb sync {shlex.quote(self._wandb_init['dir'])}/wandb/offline-run-*" if offline else ""

    @property
    def covers(self) -> tuple[str, ...]:
        """What has been sent need not be kept to be sent."""
        return (self.destination, self.destination.replace("wandb offline", "wandb online"))

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; Lightning's own logger would share one that the process has open already."""
        if self._experiment is None:
            self._experiment = self._opened()
            self._experiment.define_metric(STEP)
            self._experiment.define_metric("*", step_metric=STEP, step_sync=True)
        return self._experiment

    def _opened(self) -> Any:
        import wandb

        if self._wandb_init["mode"] == "online" and not _unreachable:
            try:
                return wandb.init(**self._wandb_init)
            except wandb.Error as error:
                reason = str(error).splitlines()[0]
                _unreachable.add(reason)
                self._wandb_init["mode"] = "offline"
                told = f"paribus: W&B could not be reached ({reason}); runs are kept on the disk, to be sent later"
                print(f"{told}: {self.send}", file=sys.stderr)
        self._wandb_init["mode"] = "offline"
        return wandb.init(**self._wandb_init)

    def replay(self) -> None:
        """Say nothing of the machine on which a finished run is shown: the record says where it was trained."""
        settings = self._wandb_init["settings"]
        settings.x_disable_stats = settings.x_disable_meta = settings.x_disable_machine_info = True
        settings.x_save_requirements = False
        self._wandb_init["resume"] = None

    @rank_zero_only
    def log_record(self, record: RunRecord, folder: Path) -> None:
        """Log tables, charts and pictures, and how the run ended."""
        run = self.experiment
        run.config.update({"provenance": dict(record.provenance)})
        self.log_exhibit(Exhibit.of(record, folder), record.steps)
        ending = {name: getattr(record, name) for name in ("status", "seconds", "cpu_seconds", "peak_memory", "key")}
        failure = {"failure": f"{record.failure.kind}: {record.failure.message}"} if record.failure else {}
        run.summary.update(ending | failure)

    def log_exhibit(self, exhibit: Exhibit, step: int) -> None:
        """Log tables, as charts where they are drawn, pictures and pages."""
        import wandb

        shown = {name: _shown(table) for name, table in exhibit.tables.items()}
        shown |= {name: _image(each.png, each.caption) for name, each in exhibit.pictures.items()}
        shown |= {name: wandb.Html(path.read_text(), inject=False) for name, path in exhibit.pages.items()}
        if shown:
            self.experiment.log({**shown, STEP: step})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, as failed unless `status` is `finished`. `success` is training's: evaluation is to come.

        Raises:
            TimeoutError: not all could be sent; it is on the disk.
        """
        if status != "success":
            self.experiment.finish(exit_code=0 if status == "finished" else 1)


def prepare_wandb(folder: Path, offline: bool) -> None:
    """Let W&B keep its files in `folder`, and have a key if they are to be sent.

    Raises:
        UserError: wandb is not installed; or there is no key.
    """
    require("wandb", "wandb")
    import wandb

    own = folder / "wandb"
    own.mkdir(parents=True, exist_ok=True)
    # Tables are staged as artifacts, in the home folder unless told otherwise.
    os.environ.setdefault("WANDB_DATA_DIR", str((own / "data").absolute()))
    os.environ.setdefault("WANDB_CACHE_DIR", str((own / "cache").absolute()))
    if offline:
        return
    try:
        wandb.login()
    except wandb.Error as error:
        raise UserError(
            f"logger.wandb.offline=false: W&B has no key of yours ({error}); run `wandb login`, or set WANDB_API_KEY"
        ) from error


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
