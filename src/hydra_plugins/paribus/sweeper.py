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
    """`hydra/sweeper: paribus`."""

    _target_: str = "hydra_plugins.paribus.sweeper.ParibusSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="paribus", node=ParibusSweeperConf, provider="paribus")


class ParibusSweeper(Sweeper):
    """Plans the jobs of a study, checks them all, and hands those that are due to the launcher."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives: its loader, the function that runs one job, the config of the sweep."""
        self._context = hydra_context
        self._task = task_function
        self._config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that these overrides of the command line ask for."""
        from paribus.compose import Composer
        from paribus.sweep import run_sweep

        hydra = self._config.hydra
        own = cast(list[str], OmegaConf.to_container(hydra.overrides.hydra))
        composer = Composer(self._context.config_loader, own, hydra.job.config_name)
        launched = 0

        def launch(jobs: "Sequence[PlannedJob]") -> Sequence[JobReturn]:
            nonlocal launched
            launcher = Plugins.instance().instantiate_launcher(
                replace(self._context, config_loader=composer.frozen()), self._task, self._config
            )
            first, launched = launched, launched + len(jobs)
            return launcher.launch([list(job.overrides) for job in jobs], initial_job_idx=first)

        return run_sweep(composer, arguments, launch)
