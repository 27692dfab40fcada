"""Foreign logs of a run: Weights & Biases and TensorBoard. They mirror what the record and the curves say."""

import re
import shutil
from contextlib import suppress
from importlib import import_module
from typing import Any

from omegaconf import OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from paribus.errors import UserError
from paribus.job import Job
from paribus.study.levels import Cell, label
from paribus.study.matching import NoLevel, Placer
from paribus.study.records import RunRecord
from paribus.study.structure import parse_study
from paribus.supplied import Supplied
from paribus.training import RESUME_FILE


class Wandb(WandbLogger):
    """Logs to Weights & Biases: one W&B run a job, all runs of an experiment in one folder beside their records.

    The key to an account comes from `wandb login` or the environment, and is never part of a config.

    Args:
        project: the W&B project.
        entity: user or team that owns the project; None for the account's default.
        offline: keep the run on the disk, to be sent later with `wandb sync`; needs no account and no network.
        group: W&B shows the runs of a group together.
        job_type: what the run is for.
        tags: words to find the run by.
        job: what is run.

    Raises:
        UserError: wandb is not installed.
    """

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
        _require("wandb")
        from wandb import Settings

        folder = job.folder.parent
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            project=project,
            save_dir=folder,
            name=run_name(job),
            version=run_id(job),
            entity=entity,
            group=group,
            job_type=job_type,
            tags=tags,
            config={**job.config, "choices": dict(job.choices)},
            mode="offline" if offline else "online",
            reinit="create_new",
            settings=Settings(console="off", silent=offline),
        )
        del self._wandb_init["anonymous"]  # Lightning passes it always, and wandb warns of it

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run; Lightning's own logger would share one that the process has open already."""
        if self._experiment is None:
            import wandb

            self._experiment = wandb.init(**self._wandb_init)
            self._experiment.define_metric("trainer/global_step")
            self._experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return self._experiment

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, as failed unless `status` is `finished`. `success` is training's: evaluation is to come."""
        if status != "success":
            self.experiment.finish(exit_code=0 if status == "finished" else 1)


class TensorBoard(TensorBoardLogger):
    """Logs to TensorBoard beside the records: `tensorboard --logdir <output>/<experiment>` shows all runs by name.

    Args:
        job: what is run.

    Raises:
        UserError: tensorboard is not installed.
    """

    def __init__(self, job: Supplied[Job]) -> None:
        _require("tensorboard")
        version = f"{re.sub(r'[^a-zA-Z0-9_=.,+-]+', '_', run_name(job))[:150]}-{job.key}"
        super().__init__(job.folder.parent, name="tensorboard", version=version, default_hp_metric=False)
        if not (job.folder / RESUME_FILE).exists():
            # An earlier attempt's curves would run beside those of this one, which starts anew.
            shutil.rmtree(self.log_dir, ignore_errors=True)
        config = dict(job.config)
        self.log_hyperparams(config)
        self.experiment.add_text("config", f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(config))}```")

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Close the log, but not at `success`, which is training's: evaluation is to come."""
        if status != "success":
            self.save()
            super().finalize(status)


def run_name(job: Job) -> str:
    """The run's arm and seed, for people: `objective=huber, data.contamination.fraction=0.2, seed=3`.

    An arm is told by the factors of its study; without one, or outside of it, by the main choices.
    """
    seed = job.config["seed"]
    record = RunRecord(job.key, job.config["name"], "running", job.config, job.choices, seed)
    arm: Cell = {
        group: job.choices[group] for group in ("data", "network", "objective", "optimizer") if group in job.choices
    }
    if job.config.get("study"):
        with suppress(NoLevel):
            arm, _ = Placer(parse_study(job.config["study"])).place(record)
    return ", ".join(f"{name}={label(level)}" for name, level in {**arm, "seed": seed}.items())


def run_id(job: Job) -> str:
    """The same for every attempt at a job, so that W&B goes on with its run; another experiment's run has another."""
    return re.sub(r"[^a-zA-Z0-9_.-]", "_", f"{job.config['name']}-{job.key}")[-64:]


def _require(package: str) -> None:
    """Import an optional package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import_module(package)
    except ImportError as error:
        raise UserError(f"logger={package} needs {package}: pip install 'paribus[{package}]' ({error})") from error
