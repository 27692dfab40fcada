"""The sweeper that turns an experiment's study into jobs. Hydra imports this at every start, so it imports little."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from paribus.study.plan import PlannedJob


@dataclass
class ParibusSweeperConf:
    """`hydra/sweeper: paribus`; the keys are the sweeper's arguments."""

    _target_: str = "hydra_plugins.paribus.sweeper.ParibusSweeper"
    workers: int | None = None


ConfigStore.instance().store(group="hydra/sweeper", name="paribus", node=ParibusSweeperConf, provider="paribus")


class ParibusSweeper(Sweeper):
    """Plans the jobs of a study, checks them all, and hands those that are due to the launcher.

    Args:
        workers: into how many shares the jobs are dealt. Each is one task of the launcher, trained as one program;
            None for a task a job.
    """

    def __init__(self, workers: int | None) -> None:
        self.workers = workers

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives: its loader, the function that runs one job, the config of the sweep."""
        self._context = hydra_context
        self._task = task_function
        self._config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that these overrides of the command line ask for."""
        from paribus.config.compose import Composer
        from paribus.sweep import run_sweep

        hydra = self._config.hydra
        self._refuse_senseless()
        own = cast(list[str], OmegaConf.to_container(hydra.overrides.hydra))
        composer = Composer(self._context.config_loader, own, hydra.job.config_name)
        launched = 0

        def launch(jobs: "Sequence[PlannedJob]") -> Sequence[JobReturn]:
            nonlocal launched
            first, shares = launched, None
            task, overrides = self._task, [list(job.overrides) for job in jobs]
            if self.workers is not None:
                from paribus.shares import Shares

                task = shares = Shares(jobs, self.workers, first)
                overrides = shares.overrides
            launched += len(overrides)
            context = replace(self._context, config_loader=composer.frozen())
            launcher = Plugins.instance().instantiate_launcher(context, task, self._config)
            returns = launcher.launch(overrides, initial_job_idx=first)
            return returns if shares is None else shares.returns(returns)

        return run_sweep(composer, arguments, launch)

    def _refuse_senseless(self) -> None:
        """Refuse numbers of shares, processes and hosts that make no sense, before anything is composed."""
        from paribus.errors import UserError

        launcher, own = self._config.hydra.runtime.choices["hydra/launcher"], self._config.hydra.launcher
        numbers = {"hydra.sweeper.workers": (self.workers, "null for a task a job")}
        if launcher == "fused":
            numbers["hydra.launcher.processes"] = own.processes, "null for one a core"
            numbers["hydra.launcher.hosts"] = own.hosts, "more for machines that share the output"
        for key, (number, otherwise) in numbers.items():
            if number is not None and number < 1:
                raise UserError(f"{key}={number}: expected at least 1, or {otherwise}")
        if self.workers is not None and launcher == "fused":
            raise UserError(
                f"hydra.sweeper.workers={self.workers}: the fused launcher has processes of its own "
                f"(hydra.launcher.processes={self.workers}); workers are of hydra/launcher=joblib, submitit_local, "
                "submitit_slurm, ray"
            )
