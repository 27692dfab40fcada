"""The launcher that trains many jobs as one program. Hydra imports this at every start, so it imports little."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

if TYPE_CHECKING:
    from paribus.job import Job


@dataclass
class FusedLauncherConf:
    """`hydra/launcher: fused`; the keys are the launcher's arguments."""

    _target_: str = "hydra_plugins.paribus.launcher.FusedLauncher"
    processes: int | None = None
    hosts: int = 1


ConfigStore.instance().store(group="hydra/launcher", name="fused", node=FusedLauncherConf, provider="paribus")


class FusedLauncher(Launcher):
    """Runs all jobs of a sweep at once; each leaves the record that it would have left alone.

    Args:
        processes: how many processes; None for one a core, where that pays.
        hosts: how many machines, or terminals, are given this command with one output. Each claims its part first, and
            then what is left; otherwise the first to start may claim all.
    """

    def __init__(self, processes: int | None, hosts: int) -> None:
        self.processes, self.hosts = processes, hosts

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives. The task function, which runs one job, is not called."""
        self._context, self._config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs with these overrides."""
        from paribus.population.workers import run_jobs

        jobs = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            with open_dict(config):
                config.hydra.job.id, config.hydra.job.num = str(number), number
            jobs.append(_job(config))
        outcomes = run_jobs(jobs, self.processes, self.hosts)
        returns = []
        for overrides, outcome in zip(job_overrides, outcomes, strict=True):
            status = JobStatus.COMPLETED if isinstance(outcome, str) else JobStatus.FAILED
            returns.append(JobReturn(overrides=list(overrides), status=status, _return_value=outcome))
        return returns


def _job(config: DictConfig) -> "Job":
    """The job of a composed config, checked."""
    from paribus.build import check
    from paribus.config.compose import own_choices
    from paribus.config.explain import resolved
    from paribus.job import Job

    state = HydraConfig.instance()
    before = state.cfg
    state.set_config(config)
    try:
        with open_dict(config):
            choices = config.pop("hydra").runtime.choices
        plain = resolved(config)
    finally:
        state.cfg = before
    check(plain)
    return Job.of(plain, own_choices(choices))
